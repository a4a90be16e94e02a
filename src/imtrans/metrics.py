"""How far apart two pictures are: MSE, PSNR and SSIM, as the papers on super-resolution measure them, and LPIPS.

All take pictures in [0, 1] of equal shape and return one number per picture. The peak MAX_I is 1 here, 255 on slides:
the ratio in the PSNR is the same. `METRICS` is the table that evaluation, cards, command line and book read: a new
metric is one row in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from imtrans.color import rgb_to_y
from imtrans.images import check_picture, is_gray, shave, to_float, to_uint8
from imtrans.models.lpips import LPIPS


def _pair(x: Tensor, y: Tensor, border: int) -> tuple[Tensor, Tensor]:
    check_picture(x, "first picture")
    check_picture(y, "second picture")
    if x.shape != y.shape:
        raise ValueError(f"pictures of different shapes: {tuple(x.shape)} and {tuple(y.shape)}")
    # Half precision has no squares of differences below a level.
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    return shave(x, border).to(dtype), shave(y, border).to(dtype)


def mse(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Mean squared error over channels and pixels, (N,).

    Args:
        x: Pictures (N, C, H, W) in [0, 1].
        y: Pictures of the same shape.
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

    Gaussian window of 11×11 pixels with σ = 1.5, C1 = 0.01², C2 = 0.03², variances with 1/n, valid windows only,
    channels averaged; computed in double. Arguments and errors are those of `mse`; without the border a side must have
    at least 11 pixels.
    """
    x, y = _pair(x, y, border)
    if min(x.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs 11×11 pixels, got {x.shape[-2]}×{x.shape[-1]}")
    # In double: a variance is a small difference of large means, and float32 leaves less than C2 of it on flat areas.
    device, dtype = x.device, x.dtype
    x, y = (z.to("cpu" if device.type == "mps" else device).double() for z in (x, y))  # Apple's GPU has no double
    t = torch.arange(-5, 6, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (t / 1.5) ** 2)
    kernel = (kernel / kernel.sum()).tolist()

    def window(z: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, H-10, W-10), the weighted mean around each pixel
        for axis in (-2, -1):
            z = sum(weight * z.narrow(axis, i, z.shape[axis] - 10) for i, weight in enumerate(kernel))
        return z

    mean_x, mean_y = window(x), window(y)
    variances = window(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = window(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variances + c2)
    )
    return similarity.mean(dim=(1, 2, 3)).to(device, dtype)


def lpips(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """LPIPS on AlexNet, version 0.1, (N,): see `imtrans.models.lpips`. RGB alone; lower is nearer.

    Arguments and errors are those of `mse`, and:

    Raises:
        ValueError: If a side has fewer than 31 pixels without the border.
        FileNotFoundError: If torchvision's AlexNet is not on this machine. No other trunk gives this number.
    """
    x, y = _pair(x, y, border)
    if min(x.shape[-2:]) < 31:
        raise ValueError(f"LPIPS needs 31×31 pixels, got {x.shape[-2]}×{x.shape[-1]}")
    with torch.inference_mode():
        return _alexnet().to(x.device)(x.float(), y.float())


@cache
def _alexnet() -> LPIPS:
    return LPIPS("alex")


def match_channels(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two pictures for a comparison, so that gray stored as colour equals the same gray stored as gray.

    A protocol takes a picture with one channel as its own luma, 0 to 255, but the luma of three equal channels is 16 to
    235. So if one picture has one channel and the other three equal ones, both are returned with one. All other
    pairs are returned as they are; against real colours a gray picture counts as luma, such as `evaluate` saves it.

    Args:
        x: First picture (N, C, H, W), C = 1 or 3.
        y: Second picture, whose C may differ.
    """
    if x.shape[1] != y.shape[1] and is_gray(x) and is_gray(y):
        return x[:, :1], y[:, :1]
    return x, y


def luma(x: Tensor, *, rounded: bool) -> Tensor:
    """The luma (N, 1, H, W) that a protocol compares; a picture with one channel is its own luma.

    Args:
        x: Pictures (N, C, H, W) in [0, 1], C = 1 or 3.
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
    "lpips": Metric("LPIPS", lpips, "", 3, False),
}


def in_words(scores: Mapping[str, float]) -> str:
    """Scores in one line, "PSNR 32.39 dB, SSIM 0.9033"; other keys than those of `METRICS` are left out."""
    rows = [(metric, scores[key]) for key, metric in METRICS.items() if key in scores]
    return ", ".join(f"{metric.name} {value:.{metric.decimals}f} {metric.unit}".rstrip() for metric, value in rows)


def measure_in_words(measure: str, value: float) -> str:
    """One of `METRICS` with its name and unit, or a network's own measure: "error 0.188".

    Args:
        measure: Key of `METRICS`, or the name of another measure.
        value: Its value.
    """
    return in_words({measure: value}) or f"{measure} {value:.3f}"
