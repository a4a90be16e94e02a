"""Lecture 4: seconds of encoder, AdaIN and decoder, against a network of one style and against optimisation.

A few steps of the optimisation are timed and multiplied: each costs the same. Needs the hybrid. Writes
results/adain-times.csv. Half a minute on two cores.
"""

import torch

from imtrans import experiments
from imtrans.models import features
from imtrans.models.adain import AdaIN, adain
from imtrans.models.transform_network import StyleNetwork
from imtrans.stylize import CONTENT, STYLE, gatys

STEPS = 300  # of the optimisation


def main() -> None:
    """Measure, write."""
    rows = []
    loss = features.load((*STYLE, *CONTENT), "hybrid")
    for side in (256, 512):
        content, style = torch.rand(2, 1, 3, side, side).unbind()
        small, paper, johnson = AdaIN.small().eval(), AdaIN().eval(), StyleNetwork.small().eval()
        with torch.inference_mode():
            x = small.encode(content)
            parts = {
                "encoder": lambda: small.encode(content),  # noqa: B023
                "AdaIN": lambda: adain(x, x),  # noqa: B023
                "decoder": lambda: small.decoder(x),  # noqa: B023
                "paper": lambda: paper(content, style),  # noqa: B023
                "one style": lambda: johnson(content),  # noqa: B023
            }
            seconds = dict(zip(parts, experiments.best_times(list(parts.values()), rounds=3), strict=True))
        steps = 3 if side == 256 else 1

        def optimise():
            gatys(content, style, network=loss, steps=(steps,), progress=False)  # noqa: B023

        [spent] = experiments.best_times([optimise], rounds=1)
        seconds["new style"] = 2 * seconds["encoder"] + seconds["AdaIN"] + seconds["decoder"]
        seconds["known style"] = seconds["new style"] - seconds["encoder"]
        seconds["optimisation"] = spent / steps * STEPS
        for way, value in seconds.items():
            times = f"{value / seconds['new style']:.2g}"
            rows.append({"side": side, "way": way, "seconds": f"{value:.3g}", "times": times})
        print(rows[-8:], flush=True)
    experiments.write("adain-times", rows)


if __name__ == "__main__":
    main()
