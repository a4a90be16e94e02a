"""Lecture 2: what a shift by a pixel costs, in pixels and in features of each layer, beside a blur and noise.

Needs the hybrid of `imtrans.models.features`; uses BSD500_test's ten held-out pictures where they are at hand.
Writes results/perceptual-shift.csv, perceptual-copies.csv and perceptual-copies-*.png. A quarter of a minute.
"""

from collections.abc import Callable
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import experiments, images, metrics
from imtrans.data import photos
from imtrans.degrade import GaussianNoise
from imtrans.models import features
from imtrans.recipes.pictures import validation_pictures

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SIDE, REACH = 160, 8
SHOWN = (190, 60, 160, 160)  # left, top, width, height of the astronaut's photograph: face and collar


def moved(picture: Tensor, shift: int) -> Tensor:
    """The window of SIDE pixels that begins ``shift`` pixels further to the right: no pixel is invented."""
    return images.crop(picture, (shift, 0, SIDE, SIDE))


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur by σ pixels, with reflected borders."""
    reach = 10
    offsets = torch.arange(-reach, reach + 1.0)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    rows = F.conv2d(F.pad(picture, (reach, reach, 0, 0), "reflect"), kernel, groups=3)
    return F.conv2d(F.pad(rows, (0, 0, reach, reach), "reflect"), kernel.mT, groups=3)


def of_equal_error(make: Callable[[float], Tensor], clean: Tensor, wanted: float, low: float, high: float) -> Tensor:
    """The damaged copy whose mean squared error is ``wanted``, found by halving an interval of strengths."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if F.mse_loss(make(middle), clean) < wanted else (low, middle)
    return make(high)


def copies(window: Tensor) -> dict[str, Tensor]:
    """Clean window, and three damaged ones with the same error: shifted by a pixel, blurred, with noise."""
    clean, shifted = moved(window, 0), moved(window, 1)
    wanted = F.mse_loss(shifted, clean).item()
    blur = of_equal_error(lambda sigma: blurred(clean, sigma), clean, wanted, 0.1, 10)
    noise = of_equal_error(lambda sigma: GaussianNoise(sigma)(clean, seed=0), clean, wanted, 0, 200)
    return {"original": clean, "shift": shifted, "blur": blur, "noise": noise}


def distances(network: torch.nn.Module, one: Tensor, other: Tensor) -> dict[str, float]:
    """Squared distances of pixels and of the features at each tap."""
    ours, theirs = ({"pixels": x} | network(x) for x in (one, other))
    return {name: (ours[name] - theirs[name]).square().mean().item() for name in ours}


def main() -> None:
    """Measure, write."""
    network = features.load(TAPS, "hybrid")
    windows = [picture for _, picture in validation_pictures(SIDE + REACH)]
    with torch.inference_mode():
        # Distances as a share of that to another photograph: the next one in the list.
        others = [*windows[1:], windows[0]]
        unlike = [distances(network, moved(w, 0), moved(o, 0)) for w, o in zip(windows, others, strict=True)]
        rows = []
        for shift in range(REACH + 1):
            found = [distances(network, moved(w, shift), moved(w, 0)) for w in windows]
            for name in found[0]:
                shares = [f[name] / u[name] for f, u in zip(found, unlike, strict=True)]
                rows.append({"space": name, "shift": shift, "share": f"{100 * fmean(shares):.2f}"})
        experiments.write("perceptual-shift", [row | {"features": "hybrid"} for row in rows])
        rows = []
        damaged = [copies(window) for window in windows]
        psnr = fmean(metrics.psnr(d["shift"], d["original"]).item() for d in damaged)
        for copy in ("shift", "blur", "noise"):
            found = [distances(network, d[copy], d["original"]) for d in damaged]
            for name in found[0]:
                shares = [f[name] / u[name] for f, u in zip(found, unlike, strict=True)]
                numbers = {"share": f"{100 * fmean(shares):.1f}", "psnr": f"{psnr:.1f}"}
                rows.append({"copy": copy, "space": name} | numbers)
        experiments.write("perceptual-copies", [row | {"features": "hybrid"} for row in rows])
        left, top, width, height = SHOWN
        astronaut = images.crop(photos.photo("astronaut").picture, (left, top, width + REACH, height))
        for name, picture in copies(astronaut).items():
            images.write(experiments.FOLDERS[-1] / f"perceptual-copies-{name}.png", picture.clamp(0, 1))


if __name__ == "__main__":
    main()
