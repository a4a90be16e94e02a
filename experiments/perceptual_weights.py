"""Lecture 2: the optimisation form: how the weight of the style moves the result, and how the loss falls.

Each picture is optimised by Adam from the photograph; no network takes part but the loss network, the hybrid. Writes
results/perceptual-weights.csv, perceptual-weights-*.png, and, if the weights of `johnson-strokes` are there, what they
reach at once: results/perceptual-curve.csv. Two minutes on two cores.
"""

from functools import partial

import torch
from torch import Tensor

from imtrans import experiments, images, zoo
from imtrans.data import photos
from imtrans.recipes.johnson import PerceptualLoss, style_picture

STYLE = "strokes"
WEIGHTS = (0.3, 3, 30, 300)  # of the style, at a content weight of 1; the recipes have 30
STEPS, LONGER = 40, 100
BOX = (176, 48, 128, 128)  # left, top, width, height: the astronaut's face


def optimised(loss: PerceptualLoss, content: Tensor, steps: int) -> tuple[Tensor, list[float]]:
    """The picture after some steps of Adam from the content, and the loss before each."""
    picture, values = content.clone().requires_grad_(), []
    optimizer = torch.optim.Adam([picture], lr=0.03)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - 0.8 * step / steps)
        value = loss(picture, content)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        picture.data.clamp_(0, 1)  # otherwise the optimum leaves the range by far
        values.append(value.item())
    return picture.detach(), values


def main() -> None:
    """Optimise, write."""
    content = images.crop(photos.photo("astronaut").picture, BOX)
    images.write(experiments.FOLDERS[-1] / "perceptual-weights-content.png", content)
    rows, style = [], partial(style_picture, STYLE)
    for weight in WEIGHTS:
        loss = PerceptualLoss(style, style_weight=weight)
        picture, _ = optimised(loss, content, STEPS)
        images.write(experiments.FOLDERS[-1] / f"perceptual-weights-{weight:g}.png", picture.clamp(0, 1))
        with torch.no_grad():
            of_content, of_style, _ = loss.parts(picture, content)
        rows.append({"weight": f"{weight:g}", "content": f"{of_content:.3f}", "style": f"{of_style:.4f}"})
        print(rows[-1], flush=True)
    experiments.write("perceptual-weights", rows)
    name = f"johnson-{STYLE}"
    if name not in zoo.names():
        return
    loss = PerceptualLoss(style)
    _, values = optimised(loss, content, LONGER)
    with torch.no_grad():
        network = loss(zoo.load(name)(content), content).item()
    level = next((step for step, value in enumerate(values) if value < network), LONGER)
    shown = [*range(20), *range(20, LONGER, 5), LONGER - 1]
    rows = [{"iteration": i, "loss": f"{values[i]:.3f}", "network": f"{network:.3f}", "level": level} for i in shown]
    experiments.write("perceptual-curve", rows)


if __name__ == "__main__":
    main()
