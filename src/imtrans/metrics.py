"""How far apart two pictures are: MSE, PSNR, SSIM, as the papers on super-resolution measure them.

All take pictures in [0, 1] of equal shape and return one number per picture. The peak MAX_I is 1 here, 255 on slides:
the ratio in the PSNR is the same. `METRICS` is the table that evaluation, cards, command line and book read: a new
metric is one row in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.color import rgb_to_y
from imtrans.images import check_picture, shave, to_float, to_uint8


def _pair(x: Tensor, y: Tensor, border: int) -> tuple[Tensor, Tensor]:
    check_picture(x, "first picture")
    check_picture(y, "second picture")
    if x.shape != y.shape:
        raise ValueError(f"pictures of different shapes: {tuple(x.shape)} and {tuple(y.shape)}")
    dtype = torch.promote_types(x.dtype, y.dtype)
    return shave(x, border).to(dtype), shave(y, border).to(dtype)


def mse(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Mean squared error over channels and pixels, (N,).

    Args:
        x: (N, C, H, W) in [0, 1].
        y: The same shape.
        border: Pixels left out at each side.

    Raises:
        ValueError: On different shapes, another dtype or range, or a border that does not fit.
    """
    x, y = _pair(x, y, border)
    return (x - y).square().mean(dim=(1, 2, 3))


def psnr(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,): 10·log10(MAX_I² / MSE) with MAX_I = 1; infinite for equal pictures.

    Arguments and errors are those of `mse`.
    """
    return -10 * mse(x, y, border=border).log10()


def ssim(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Structural similarity, (N,): Wang et al. 2004 as in their ``ssim_index.m``.

    Gaussian window of 11×11 and 1.5 pixels, C1 = 0.01², C2 = 0.03², variances with 1/n, valid windows only, channels
    averaged. Arguments and errors are those of `mse`; what is left of a side must be at least 11 pixels.
    """
    x, y = _pair(x, y, border)
    if min(x.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs 11×11 pixels, got {x.shape[-2]}×{x.shape[-1]}")
    t = torch.arange(-5, 6, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (t / 1.5) ** 2)
    kernel = kernel / kernel.sum()

    def window(z: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, H-10, W-10), the weighted mean around each pixel
        flat = z.reshape(-1, 1, *z.shape[-2:])
        flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 11, 1)), kernel.view(1, 1, 1, 11))
        return flat.reshape(*z.shape[:2], *flat.shape[-2:])

    mean_x, mean_y = window(x), window(y)
    var_x = window(x * x) - mean_x**2
    var_y = window(y * y) - mean_y**2
    covariance = window(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return similarity.mean(dim=(1, 2, 3))


def luma(x: Tensor, *, rounded: bool) -> Tensor:
    """The luma (N, 1, H, W) that a protocol compares; a picture with one channel is its own luma.

    Args:
        x: RGB or gray in [0, 1].
        rounded: Round to 8-bit levels, as MATLAB's ``rgb2ycbcr`` does with 8-bit pictures (protocols y8, rgb-y8).
    """
    y = x if x.shape[1] == 1 else rgb_to_y(x)
    return to_float(to_uint8(y)) if rounded else y


@dataclass(frozen=True)
class Metric:
    """A number that compares a picture with the truth.

    Args:
        name: Its name in tables.
        function: (picture, truth, border=pixels left out at each side) → one number per picture, (N,).
        unit: Its unit, or nothing.
        decimals: Number of decimals that it is printed with.
        higher_is_better: Whether a larger number is the better one.
    """

    name: str
    function: Callable[..., Tensor]
    unit: str
    decimals: int
    higher_is_better: bool


METRICS: dict[str, Metric] = {
    "psnr": Metric("PSNR", psnr, "dB", 2, True),
    "ssim": Metric("SSIM", ssim, "", 4, True),
}


def in_words(scores: Mapping[str, float]) -> str:
    """Scores in one line, "PSNR 32.39 dB, SSIM 0.9033"; other keys than those of `METRICS` are left out."""
    rows = [(metric, scores[key]) for key, metric in METRICS.items() if key in scores]
    return ", ".join(f"{metric.name} {value:.{metric.decimals}f} {metric.unit}".rstrip() for metric, value in rows)
