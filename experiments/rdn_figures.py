"""Lecture 10: the page's pictures, from stored crops, the bundled photographs and the shipped weights.

Writes book/static/figures/rdn-whiskers.png, rdn-photo.png and rdn-degradations.png. Needs neither data nor network; the
same bytes each time.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rdn_ablation import BOX
from rdn_degradations import DEGRADATIONS
from torch import Tensor

from imtrans import experiments, figures, images, zoo
from imtrans.data import photos
from imtrans.degrade import Downscale, bicubic_down_up
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic
from imtrans.restore import super_resolve

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
WHISKERS = (72, 192, 64, 64)  # left, top, width, height: on the cat's cheek
FACE = (24, 44, 108, 120)  # left, top, width, height in that part of the astronaut
HEADER, GAP = 26, 6  # pixels above a panel for its label, and between panels


def side_by_side(panels: dict[str, Tensor], zoom: int, name: str) -> None:
    """Write pictures of one size in a row, each below its label, each pixel a square."""
    height, width = (side * zoom for side in next(iter(panels.values())).shape[-2:])
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + HEADER), figures.GROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(panels.items()):
        squares = picture.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
        levels = images.to_uint8(squares)[0].permute(1, 2, 0).numpy()
        left = index * (width + GAP)
        sheet.paste(Image.fromarray(np.ascontiguousarray(levels)), (left, HEADER))
        draw.text((left + 4, 3), label, fill=figures.INK, font=ImageFont.load_default(17))
    sheet.save(FIGURES / name, optimize=True)


def whiskers() -> None:
    """The cat's whiskers at ×2 by bicubic and two networks of one size, each with the PSNR of the whole photograph."""
    original, degradation = images.modcrop(photos.photo("chelsea").picture, 2), Downscale(2)
    networks = {
        "bicubic": Bicubic(),
        "EDSR baseline": zoo.load("edsr-baseline-x2"),
        "RDN small": zoo.load("rdn-small-x2"),
    }
    panels = {}
    for name, network in networks.items():
        restored = super_resolve(network, degradation(original), 2).clamp(0, 1)
        psnr = evaluate(network, [("chelsea", original)], degradation, protocol="rgb-y").psnr
        panels[f"{name}, {psnr:.2f} dB"] = figures.crop(restored, WHISKERS)
    side_by_side(panels | {"original": figures.crop(original, WHISKERS)}, 4, "rdn-whiskers.png")


def photograph() -> None:
    """The badge by bicubic, by the small network without any part and with all, and the original."""
    original = photos.photo("astronaut").picture
    panels = {
        "bicubic": figures.crop(bicubic_down_up(original, 2).clamp(0, 1), BOX),
        "none of the parts": experiments.picture("rdn-none.png"),
        "all three": experiments.picture("rdn-all.png"),
        "original": figures.crop(original, BOX),
    }
    side_by_side(panels, 3, "rdn-photo.png")


def degradations() -> None:
    """A face by `vdsr` from the three low resolutions, and the original."""
    original = photos.photo("astronaut").picture[..., :180, 150:309]  # the face and some surroundings
    network, panels = zoo.load("vdsr"), {}
    for name, degradation in DEGRADATIONS.items():
        restored = super_resolve(network, degradation(original), 3).clamp(0, 1)
        panels[f"from {name}"] = figures.crop(restored, FACE)
    side_by_side(panels | {"original": figures.crop(original, FACE)}, 2, "rdn-degradations.png")


def main() -> None:
    """Draw all of them."""
    whiskers()
    photograph()
    degradations()


if __name__ == "__main__":
    main()
