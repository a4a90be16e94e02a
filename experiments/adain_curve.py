"""Lecture 4: content and style loss of AdaIN against the optimisation of the same losses, step by step.

The paper's figure 3 with what is at hand: its style loss (means and deviations), measured by the hybrid. Needs the
shipped decoder and the hybrid. Writes results/adain-curve.csv and adain-level.csv. A minute on two cores.
"""

from statistics import fmean

import torch
from adain_pictures import contents, styles
from torch import Tensor, nn

from imtrans import experiments, stylize, zoo
from imtrans.losses import relative_error, statistics_error
from imtrans.models import features

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIDE, STEPS, STYLE = 128, 100, 3.0
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100)


def both(network: nn.Module, picture: Tensor, content: Tensor, style: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Content loss at relu4_1 against the photograph, and the sum of the style losses, both relative."""
    ours = network(picture)
    distance = relative_error(ours["relu4_1"], content)
    return distance, torch.stack([statistics_error(ours[tap], style[tap]) for tap in TAPS]).sum()


def optimise(network: nn.Module, photograph: Tensor, artwork: Tensor) -> list[tuple[float, float]]:
    """Both losses at each step of L-BFGS on the pixels, from the photograph."""
    with torch.no_grad():
        content, style = network(photograph)["relu4_1"], network(artwork)
    x, values = photograph.clone().requires_grad_(), []
    descent = torch.optim.LBFGS([x], max_iter=1, tolerance_grad=0, tolerance_change=0)
    for _ in range(STEPS):

        def closure():
            descent.zero_grad()
            parts = both(network, x, content, style)
            values.append(tuple(part.item() for part in parts))
            loss = parts[0] + STYLE * parts[1]
            loss.backward()
            return loss

        descent.step(closure)
    return values[:STEPS]


def main() -> None:
    """Measure, write."""
    network, decoder = features.load(TAPS, "hybrid"), zoo.load("adain")
    photographs, artworks = contents(SIDE), styles(SIDE)
    pairs = [(photographs[c], artworks[s]) for c in ("astronaut", "chelsea") for s in list(artworks)[:2]]
    runs = [optimise(network, *pair) for pair in pairs]
    mean = [[fmean(run[step][part] for run in runs) for part in (0, 1)] for step in range(STEPS)]
    rows = [{"step": n, "content": f"{mean[n - 1][0]:.3f}", "style": f"{mean[n - 1][1]:.3f}"} for n in SHOWN]
    experiments.write("adain-curve", rows)

    values = []
    with torch.no_grad():
        for photograph, artwork in pairs:
            painted = stylize.adain(photograph, artwork, network=decoder)
            values.append(both(network, painted, network(photograph)["relu4_1"], network(artwork)))
    content, style = (fmean(float(value[part]) for value in values) for part in (0, 1))
    equal = next((n for n in range(1, STEPS + 1) if mean[n - 1][1] <= style), STEPS)
    row = {"content": f"{content:.3f}", "style": f"{style:.3f}", "equal": equal, "before": f"{mean[0][1]:.2f}"}
    experiments.write("adain-level", [row | {"content_then": f"{mean[equal - 1][0]:.3f}"}])


if __name__ == "__main__":
    main()
