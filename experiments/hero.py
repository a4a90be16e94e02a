"""The picture on the landing page: a detail of a bundled photograph at low resolution, by bicubic, by SRCNN.

Writes book/static/hero.png.
"""

from pathlib import Path

import torch

from imtrans import images, zoo
from imtrans.data import photos
from imtrans.degrade import bicubic_down
from imtrans.resize import imresize
from imtrans.restore import super_resolve

SCALE = 3
TOP, LEFT, SIZE = 18, 42, 48  # of the detail, in pixels of the low resolution
ZOOM = 2  # screen pixels a pixel of the high resolution
GAP = 12


def enlarged(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Each pixel as a square."""
    return x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def main() -> None:
    """Degrade, restore, cut out, lay side by side."""
    picture = images.modcrop(next(p.picture for p in photos.photos("test") if p.name == "chelsea"), SCALE)
    low = images.to_float(images.to_uint8(bicubic_down(picture, SCALE)))
    with torch.inference_mode():
        answers = [imresize(low, SCALE), super_resolve(zoo.load("srcnn-x3"), low, SCALE)]
    cut = low[..., TOP : TOP + SIZE, LEFT : LEFT + SIZE]
    top, left, size = TOP * SCALE, LEFT * SCALE, SIZE * SCALE
    panels = [enlarged(cut, SCALE * ZOOM)]
    panels += [enlarged(a[..., top : top + size, left : left + size].clamp(0, 1), ZOOM) for a in answers]
    gap = torch.ones(1, 3, panels[0].shape[-2], GAP)
    row = torch.cat([panels[0], gap, panels[1], gap, panels[2]], dim=-1)
    images.write(Path(__file__).parents[1] / "book" / "static" / "hero.png", row)


if __name__ == "__main__":
    main()
