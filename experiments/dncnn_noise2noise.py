"""Lecture 7: learning to denoise from noisy targets (Noise2Noise), with a denoiser that has a closed form.

The denoiser is one linear filter of 9×9, fitted by least squares to the photograph "coffee" with noise of σ = 25 and
scored on "camera". It is fitted to three targets: the clean picture; a second picture with noise of its own; the noisy
picture itself. Theory says that the second costs a mean squared error of σ²·81/n, n the number of pixels, and that the
third returns its input.

Writes results/dncnn-noise2noise.csv. Seconds.
"""

import math

import torch
from torch import Tensor

from imtrans import experiments, figures, metrics
from imtrans.data import photos
from imtrans.degrade import gaussian_noise

SIGMA, TAPS = 25, 9
SIDES = (64, 128, 256, 384)  # of the square that the filter is fitted to
DRAWS = 5  # of the noise; the mean of their PSNR is written


def windows(y: Tensor) -> Tensor:
    """All windows of (1, 1, H, W) that lie inside, (pixels, TAPS²)."""
    return torch.nn.functional.unfold(y, TAPS)[0].T.double()


def inner(x: Tensor) -> Tensor:
    """The pixels in the middle of these windows, (pixels,)."""
    edge = TAPS // 2
    return x[0, 0, edge:-edge, edge:-edge].flatten().double()


def fitted(noisy: Tensor, target: Tensor) -> Tensor:
    """The filter (TAPS²,) whose output is nearest to the target."""
    return torch.linalg.lstsq(windows(noisy), inner(target)[:, None]).solution[:, 0]


def psnr(weights: Tensor, noisy: Tensor, clean: Tensor) -> float:
    """PSNR of the filtered picture in dB."""
    return -10 * math.log10((windows(noisy) @ weights - inner(clean)).square().mean())


def main() -> None:
    """Fit to three targets on four sizes, write the scores."""
    coffee = metrics.luma(photos.photo("coffee").picture, rounded=True)
    camera = photos.photo("camera").picture
    test = gaussian_noise(camera, SIGMA, seed=0)
    rows = []
    for side in SIDES:
        clean = figures.crop(coffee, (0, 0, side, side))
        scores: dict[str, list[float]] = {"clean": [], "noisy": [], "itself": []}
        for draw in range(DRAWS):
            noisy = gaussian_noise(clean, SIGMA, seed=2 * draw + 1)
            second = gaussian_noise(clean, SIGMA, seed=2 * draw + 2)
            for name, target in (("clean", clean), ("noisy", second), ("itself", noisy)):
                scores[name].append(psnr(fitted(noisy, target), test, camera))
        for name, values in scores.items():
            pixels = (side - TAPS + 1) ** 2
            rows.append({"target": name, "side": side, "pixels": pixels, "sigma": SIGMA, "draws": DRAWS})
            rows[-1]["psnr"] = f"{sum(values) / DRAWS:.2f}"
    experiments.write("dncnn-noise2noise", rows)


if __name__ == "__main__":
    main()
