"""Lectures 2 to 4: four photographs × four styles × three methods, to be judged by somebody who does not know which.

Writes book/static/figures/style-sheet-METHOD.jpg, a row per photograph and a column per style, and from the three of
them style-sheet-three.jpg. The judge's answers are results/style-sheet-judged.csv, counted in results/style-sheet.csv;
a method whose pictures change has to be judged again. Five minutes, nearly all of them for the optimisation.

Run it with names of methods, ``three`` or ``counts``, to write these alone.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imtrans import assets, experiments, figures, images, stylize
from imtrans.data import photos, styles
from imtrans.models import features
from imtrans.resize import to_side

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
SIDE = 288
CONTENTS = {  # (left, top, width, height): a face, a building, an animal, a thing
    "astronaut": (60, 0, 384, 384),
    "china": (20, 0, 400, 400),
    "chelsea": (70, 0, 300, 300),
    "coffee": (100, 0, 400, 400),
}
STYLES = {"strokes": 256, "glass": 256, "starry-night": 320, "shipwreck": 320}  # longer side in pixels
QUESTIONS = ("content", "strokes", "clean", "hang")
COLUMNS = ("photograph", "style", "optimisation", "one network per style", "AdaIN")  # of the sheet of three methods
STEPS = (80, 30)  # of the optimisation, at half the side and at the whole


def content(name: str) -> Tensor:
    """A square of a bundled photograph, (1, 3, SIDE, SIDE)."""
    return to_side(images.crop(photos.photo(name).picture, CONTENTS[name]), SIDE)


def style(name: str) -> Tensor:
    """A style picture at the size at which it is used."""
    if name in styles.STYLES:
        return to_side(styles.STYLES[name](), STYLES[name])
    file = f"{name.replace('-', '_')}.jpg"
    return to_side(images.read(assets.data_root() / "style_transfer" / "style" / file), STYLES[name])


def by_gatys(photograph: Tensor, name: str) -> Tensor:
    """As `imtrans stylize --method gatys` paints, in fewer steps, by the features of the hybrid."""
    network = features.load((*stylize.STYLE, *stylize.CONTENT), "hybrid")
    return stylize.gatys(photograph, style(name), network=network, steps=STEPS, progress=False)


METHODS = {
    "gatys": by_gatys,
    "johnson": stylize.johnson,
    "adain": lambda photograph, name: stylize.adain(photograph, style(name)),
}


def sheet(rows: list[list[Tensor]], gap: int = 0) -> Tensor:
    """Pictures of one size side by side, with white between them."""
    joined = [torch.cat([F.pad(x, (0, gap), value=1.0) for x in row], dim=3) for row in rows]
    return torch.cat([F.pad(row, (0, 0, 0, gap), value=1.0) for row in joined], dim=2)


def save(picture: Tensor, name: str) -> None:
    """A picture of the pages, as JPEG."""
    images.to_pil(picture.clamp(0, 1)).save(FIGURES / f"style-sheet-{name}.jpg", quality=86)


def three() -> None:
    """Each photograph in one of the styles: photograph, style, and the three methods, named above."""
    sheets = {name: images.read(FIGURES / f"style-sheet-{name}.jpg") for name in METHODS}
    rows = []
    for index, (photograph, artwork) in enumerate(zip(CONTENTS, STYLES, strict=True)):
        place = (index * SIDE, index * SIDE, SIDE, SIDE)
        painted = [images.crop(sheets[name], place) for name in METHODS]
        square = images.middle(style(artwork), min(style(artwork).shape[-2:]))
        square = F.interpolate(square, size=(SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
        rows.append([content(photograph), square, *painted])
    joined = images.to_pil(sheet(rows, gap=6)[..., :-6, :-6].clamp(0, 1))
    drawn = Image.new("RGB", (joined.width, joined.height + 40), "white")
    drawn.paste(joined, (0, 40))
    for index, label in enumerate(COLUMNS):
        place = (index * (SIDE + 6) + 4, 5)
        ImageDraw.Draw(drawn).text(place, label, fill=figures.INK, font=ImageFont.load_default(26))
    drawn.save(FIGURES / "style-sheet-three.jpg", quality=86)


def counts() -> None:
    """How many pictures of each method got a yes to each question, and to three or four of them."""
    judged, table = experiments.rows("style-sheet-judged"), []
    for name in METHODS:
        rows = [[int(row[question]) for question in QUESTIONS] for row in judged if row["method"] == name]
        row = {"method": name, "pictures": len(rows)} | dict(
            zip(QUESTIONS, map(sum, zip(*rows, strict=True)), strict=True)
        )
        table.append(row | {"three": sum(sum(answers) >= 3 for answers in rows)})
    experiments.write("style-sheet", table)


def main(names: list[str]) -> None:
    """Paint, keep, count."""
    for name in names or (*METHODS, "three", "counts"):
        if name in METHODS:
            painted = [[METHODS[name](content(photograph), which) for which in STYLES] for photograph in CONTENTS]
            save(sheet(painted), name)
        else:
            {"three": three, "counts": counts}[name]()
        print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
