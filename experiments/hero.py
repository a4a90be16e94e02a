"""The picture of the landing page and of README.md: one detail three times, made by the shipped `srcnn-x3`.

Low resolution, bicubic enlargement, SRCNN: a third of the pixels of NASA's portrait of Eileen Collins (public
domain, from the test split of the bundled photographs). Writes book/static/hero.png in a few seconds.
"""

from pathlib import Path

import torch
import torch.nn.functional as F

from imtrans import images, zoo
from imtrans.data.photos import photos
from imtrans.degrade import bicubic_down
from imtrans.resize import imresize
from imtrans.restore import super_resolve

OUT = Path(__file__).resolve().parents[1] / "book" / "static" / "hero.png"
SCALE = 3
X, Y, WIDTH, HEIGHT = 150, 60, 150, 174  # the detail, in pixels of the original, each divisible by SCALE
GAP = 4  # white pixels between the three


def main() -> None:
    """Cut, enlarge, set side by side, write."""
    portrait = next(photo.picture for photo in photos("test") if photo.name == "astronaut")
    high_res = images.modcrop(portrait, SCALE)
    low_res = images.to_float(images.to_uint8(bicubic_down(high_res, SCALE)))
    versions = (
        F.interpolate(low_res, scale_factor=SCALE, mode="nearest"),
        imresize(low_res, SCALE),
        super_resolve(zoo.load("srcnn-x3"), low_res, SCALE),
    )
    details = [version[..., Y : Y + HEIGHT, X : X + WIDTH].clamp(0, 1) for version in versions]
    details = [F.interpolate(detail, scale_factor=3, mode="nearest") for detail in details]
    gap = torch.ones(1, 3, details[0].shape[-2], GAP)
    images.write(OUT, torch.cat([details[0], gap, details[1], gap, details[2]], dim=-1))
    print(f"wrote {OUT.relative_to(OUT.parents[2])}")


if __name__ == "__main__":
    main()
