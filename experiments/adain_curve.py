"""Lecture 4: content and style loss of AdaIN against the optimisation of the same losses, step by step.

The paper's figure 3 with what is at hand: its style loss (means and deviations), measured by the hybrid. Beside AdaIN
lecture 2's networks for one style, which learned from Gram matrices of the style at 384 pixels, not from this loss.
Needs the shipped networks and the hybrid. Writes results/adain-curve.csv and adain-level.csv; with the argument
``level`` the second alone, which is what new weights change. Half a minute on two cores.
"""

import sys
from statistics import fmean

import torch
from adain_pictures import contents, styles
from torch import Tensor, nn

from imtrans import experiments, stylize, zoo
from imtrans.losses import relative_error, statistics_error
from imtrans.models import features

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIDE, STEPS, STYLE = 128, 100, 5.0
PAIRS = (("astronaut", "strokes"), ("chelsea", "glass"))


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
    network = features.load(TAPS, "hybrid")
    photographs, artworks = contents(SIDE), styles(SIDE)
    pairs = [(photographs[content], artworks[style]) for content, style in PAIRS]
    if "level" not in sys.argv[1:]:
        runs = [optimise(network, *pair) for pair in pairs]
        mean = [[fmean(run[step][part] for run in runs) for part in (0, 1)] for step in range(STEPS)]
        rows = [{"step": n, "content": f"{c:.4f}", "style": f"{s:.4f}"} for n, (c, s) in enumerate(mean, start=1)]
        experiments.write("adain-curve", [row | {"features": "hybrid"} for row in rows])

    decoder = zoo.load("adain")
    ways = {
        "AdaIN": lambda content, style: stylize.adain(photographs[content], artworks[style], network=decoder),
        "one style": lambda content, style: stylize.johnson(photographs[content], style),
    }
    rows, levels = experiments.rows("adain-curve"), []
    for way, paint in ways.items():
        with torch.no_grad():
            values = [
                both(network, paint(*names), network(photograph)["relu4_1"], network(artwork))
                for names, (photograph, artwork) in zip(PAIRS, pairs, strict=True)
            ]
        content, style = (fmean(float(value[part]) for value in values) for part in (0, 1))
        equal = next((row for row in rows if row["style"] <= style), rows[-1])
        level = {"way": way, "content": f"{content:.3f}", "style": f"{style:.3f}"}
        levels.append(level | {"equal": equal["step"], "content_then": f"{equal['content']:.3f}"})
    experiments.write("adain-level", [row | {"features": "hybrid"} for row in levels])


if __name__ == "__main__":
    main()
