"""Lecture 4: seconds of encoder, AdaIN and decoder, beside those of lecture 2's network and optimisation.

The other two are read from results/perceptual-speed.csv (`experiments/perceptual_speed.py`), where a few steps of the
optimisation were timed; they are multiplied here. Writes results/adain-times.csv. Ten seconds on two cores.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from imtrans import experiments, hardware
from imtrans.models.adain import AdaIN, adain

STEPS = 300  # of the optimisation


def timed(parts: dict[str, Callable[[], Tensor]]) -> dict[str, float]:
    """Seconds of each part, in the precision that lecture 2's were timed in."""
    low = hardware.autocast_dtype("cpu")
    with torch.inference_mode(), torch.autocast("cpu", low, enabled=low is not None):
        return dict(zip(parts, experiments.best_times(list(parts.values()), rounds=24), strict=True))


def main() -> None:
    """Measure, write."""
    rows, network = [], AdaIN.small().eval()
    for side in (256, 512):
        picture, x = torch.rand(1, 3, side, side), torch.rand(1, 128, side // 8, side // 8)
        parts = {
            "encoder": lambda: network.encode(picture),  # noqa: B023
            "AdaIN": lambda: adain(x, x),  # noqa: B023
            "decoder": lambda: network.decoder(x),  # noqa: B023
        }
        seconds = timed(parts)
        seconds["known style"] = sum(seconds.values())
        seconds["new style"] = seconds["known style"] + seconds["encoder"]
        [other] = [r for r in experiments.rows("perceptual-speed") if (r["size"], r["network"]) == (side, "half width")]
        seconds |= {"one style": other["seconds"], "optimisation": STEPS * other["iteration"]}
        for way, value in seconds.items():
            written = f"{value:#.2g}".rstrip(".") if value < 100 else f"{value:.0f}"
            rows.append({"side": side, "way": way, "seconds": written})
        print(rows[-7:], flush=True)
    experiments.write("adain-times", rows)


if __name__ == "__main__":
    main()
