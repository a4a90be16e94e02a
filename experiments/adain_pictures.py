"""The photographs and styles of lecture 4's experiments, in one place."""

import torch.nn.functional as F
from torch import Tensor

from imtrans import assets, images
from imtrans.data import photos
from imtrans.data.styles import STYLES

CONTENTS = {"astronaut": (60, 0, 384, 384), "chelsea": (60, 0, 300, 300), "coffee": (100, 0, 400, 400)}
PAINTINGS = ("starry_night", "shipwreck")  # van Gogh 1889, Turner about 1810; no training of the decoder saw them


def contents(side: int) -> dict[str, Tensor]:
    """Squares of three bundled photographs that no training sees, (1, 3, side, side)."""
    return {name: _square(images.crop(photos.photo(name).picture, box), side) for name, box in CONTENTS.items()}


def styles(side: int) -> dict[str, Tensor]:
    """The two drawings and the paintings at hand, (1, 3, side, side)."""
    found = {name: draw(size=side) for name, draw in STYLES.items()}
    folder = (assets.data_root() or assets.cache_dir()) / "style_transfer" / "style"
    for name in PAINTINGS:
        if (folder / f"{name}.jpg").is_file():
            painting = images.read(folder / f"{name}.jpg")
            found[name] = _square(images.middle(painting, min(painting.shape[-2:])), side)
    return found


def _square(picture: Tensor, side: int) -> Tensor:
    return F.interpolate(picture, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)
