"""Lecture 2: the optimisation form, and how the weight of the style moves its result.

`imtrans.stylize.gatys` on a small picture, by the hybrid. Writes results/perceptual-weights.csv and
perceptual-weights-*.png. A minute on two cores.
"""

import sys

from imtrans import experiments, images, stylize
from imtrans.data import photos
from imtrans.data.styles import STYLES
from imtrans.models import features
from imtrans.resize import to_side

STYLE = "strokes"
WEIGHTS = (0.3, 3, 30, 300)  # of the style, at a content weight of 1
STEPS = 50
BOX = (168, 40, 144, 144)  # left, top, width, height: the astronaut's face


def main(weights: tuple[float, ...] = WEIGHTS) -> None:
    """Optimise, write."""
    network = features.load((*stylize.STYLE, *stylize.CONTENT), "hybrid")
    content = images.crop(photos.photo("astronaut").picture, BOX)
    images.write(experiments.FOLDERS[-1] / "perceptual-weights-content.png", content)
    artwork, rows = to_side(STYLES[STYLE](), content.shape[-1]), []
    for weight in weights:
        seen: list[stylize.Step] = []
        options = {"network": network, "steps": (STEPS,), "on_step": seen.append, "progress": False}
        picture = stylize.gatys(content, artwork, alpha=1 / weight, **options)
        images.write(experiments.FOLDERS[-1] / f"perceptual-weights-{weight:g}.png", picture)
        errors = {"content": f"{seen[-1].content:.3f}", "style": f"{seen[-1].style:.3f}"}
        rows.append({"weight": f"{weight:g}"} | errors)
        print(rows[-1], flush=True)
    if weights == WEIGHTS:
        experiments.write("perceptual-weights", [row | {"features": "hybrid"} for row in rows])


if __name__ == "__main__":
    main(tuple(map(float, sys.argv[1:])) or WEIGHTS)
