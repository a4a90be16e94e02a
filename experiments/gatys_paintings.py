"""Lecture 3: a photograph in four styles, two of them drawn by code and two paintings. Features of the hybrid.

Writes results/gatys-china-STYLE.jpg and results/gatys-paintings.csv. The paintings are looked up in the set
`style_transfer` and are not part of the course: only what was made from them is.

Run it with the names of styles to write these alone.
"""

import sys
import time
from collections.abc import Sequence

from gatys_studies import TRUNK, write
from torch import Tensor

from imtrans import assets, experiments, images, stylize
from imtrans.data import photos, styles
from imtrans.models import features
from imtrans.resize import to_side

WIDTH = 336
BOX = (20, 0, 600, 400)  # of the photograph: its lower edge and its sides carry nothing
SETTINGS = {  # longer side of the style picture in pixels, and α
    "strokes": (256, 0.05),
    "glass": (288, 0.05),
    "starry_night": (336, 0.05),
    "shipwreck": (336, 0.05),
}
STEPS = (80, 30)


def photograph() -> Tensor:
    """The pagoda, (1, 3, 224, 336)."""
    return to_side(images.crop(photos.photo("china").picture, BOX), WIDTH)


def style(name: str) -> Tensor:
    """A style picture at the size at which it is used."""
    if name in styles.STYLES:
        picture = styles.STYLES[name]()
    else:
        picture = images.read(assets.data_root() / "style_transfer" / "style" / f"{name}.jpg")
    return to_side(picture, SETTINGS[name][0])


def written() -> list[dict[str, int | float | str]]:
    """The rows that are there already."""
    try:
        return experiments.rows("gatys-paintings")
    except FileNotFoundError:
        return []


def main(names: Sequence[str]) -> None:
    """Paint, keep, write."""
    rows = []
    if names:
        rows = [row for row in written() if row["painting"] not in names]
    for name in names or SETTINGS:
        began, steps = time.process_time(), []
        network = features.load((*stylize.STYLE, *stylize.CONTENT), TRUNK)
        options = {"network": network, "alpha": SETTINGS[name][1], "steps": STEPS, "progress": False}
        painted = stylize.gatys(photograph(), style(name), on_step=steps.append, **options)
        images.write(experiments.FOLDERS[-1] / f"gatys-china-{name}.jpg", painted)
        errors = {"content": f"{steps[-1].content:.4f}", "style": f"{steps[-1].style:.4f}"}
        facts = {"alpha": SETTINGS[name][1], "style_side": SETTINGS[name][0]}
        rows.append({"painting": name} | errors | facts | {"cpu_seconds": round(time.process_time() - began)})
        write("paintings", rows)
        print(name, errors, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
