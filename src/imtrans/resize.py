"""MATLAB's ``imresize(·, factor, "bicubic")``, on any device and differentiable.

Keys' kernel with a = −1/2, widened when shrinking, and repeated edge pixels. Each output is a weighted sum of a few
inputs; for a factor p/q the weights repeat every p outputs, q inputs further on. So one small matrix serves a whole
axis, and its entries are computed in double: coordinates in float32 drift on sides beyond some 1,000 pixels.
"""

import math
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor


def _keys(t: Tensor) -> Tensor:
    """Keys' cubic kernel at distances ``t`` ≥ 0: 1 at 0; 0 at 1, at 2 and beyond."""
    near = (1.5 * t - 2.5) * t**2 + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t <= 1, near, torch.where(t < 2, far, 0))


def _weights(factor: Fraction, periods: int, reach: int) -> Tensor:
    """Weights in double of p·periods outputs (rows) for q·periods inputs and ``reach`` more at each end (columns)."""
    p, q = factor.numerator, factor.denominator
    outputs = torch.arange(p * periods, dtype=torch.float64)
    inputs = torch.arange(-reach, q * periods + reach, dtype=torch.float64)
    places = ((2 * outputs + 1) * q - p) / (2 * p)  # the outputs' centres among the inputs'
    weights = _keys((places[:, None] - inputs).abs() * min(1.0, float(factor)))
    return weights / weights.sum(dim=1, keepdim=True)


def _resize_axis(x: Tensor, factor: Fraction, axis: int) -> Tensor:
    """Resize one of the last two axes of floats (N, C, H, W); axis −2 is the rows, −1 the columns."""
    p, q = factor.numerator, factor.denominator
    side = x.shape[axis]
    size = math.ceil(factor * side)  # MATLAB keeps the factor where this is more than factor · side
    reach = math.ceil(2 / min(1, factor)) + 1
    periods = math.ceil(32 / max(p, q))  # a matrix of some 32 rows or columns: small, and fast as a product
    blocks = math.ceil(size / (p * periods))
    after = blocks * q * periods - side + reach
    padded = F.pad(x, (0, 0, reach, after) if axis == -2 else (reach, after, 0, 0), mode="replicate")
    windows = padded.unfold(axis, q * periods + 2 * reach, q * periods)  # (N, C, blocks, W, ·) or (N, C, H, blocks, ·)
    with torch.autocast(x.device.type, enabled=False):  # a product in bf16 would cost whole levels
        resized = windows.contiguous() @ _weights(factor, periods, reach).to(x).T
    if axis == -2:
        return resized.transpose(-1, -2).flatten(2, 3)[..., :size, :]
    return resized.flatten(-2)[..., :size]


def imresize(x: Tensor, factor: float | Fraction) -> Tensor:
    """Resize pictures as MATLAB does: bicubic, antialiased when shrinking, edges repeated.

    Args:
        x: Pictures (N, C, H, W). Floats are never rounded. ``uint8`` is computed on 0 … 255, rows first, then columns,
            and rounded after each pass (halves up), which makes it bit-identical to MATLAB's own 8-bit results.
        factor: Output size over input size, 3 or 1/3 for instance: a fraction with a denominator up to 100.

    Returns:
        Pictures of the same dtype, with sides ceil(factor · side).

    Raises:
        ValueError: On another shape or dtype, no pixels, or a factor that is not positive or no such fraction.
    """
    exact = Fraction(factor).limit_denominator(100)
    if factor <= 0 or abs(float(exact) - float(factor)) > 1e-6 * float(factor):
        raise ValueError(f"the factor must be a positive fraction with a denominator up to 100, got {factor}")
    if x.ndim != 4 or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise ValueError(f"wanted floats or uint8 levels (N, C, H, W), got {x.dtype} of shape {tuple(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"there are no pixels in shape {tuple(x.shape)}")
    if exact == 1:
        return x.clone()
    if x.is_floating_point():
        return _resize_axis(_resize_axis(x, exact, -2), exact, -1).contiguous()
    rows = (_resize_axis(x.float(), exact, -2) + 0.5).floor().clamp(0, 255)
    return (_resize_axis(rows, exact, -1) + 0.5).floor().clamp(0, 255).to(torch.uint8)


def factor_to(side: int, longest: int) -> Fraction:
    """The largest factor that `imresize` accepts and that leaves of ``longest`` pixels at most ``side``.

    Raises:
        ValueError: If that is less than a hundredth.
    """
    factor = max(Fraction(side * d // longest, d) for d in range(1, 101))
    if factor <= 0:
        raise ValueError(f"{side} pixels are less than a hundredth of the {longest} of the picture")
    return factor


def to_side(x: Tensor, side: int) -> Tensor:
    """Pictures resized by `imresize`: the longer side has about ``side`` pixels, never more; clipped to [0, 1].

    Args:
        x: Pictures (N, C, H, W) in [0, 1].
        side: Longer side in pixels.

    Raises:
        ValueError: If that is less than a hundredth of the picture.
    """
    factor = factor_to(side, max(x.shape[-2:]))
    return x if factor == 1 else imresize(x, factor).clamp(0, 1)


def shrink(x: Tensor, shorter: int) -> Tensor:
    """Pictures (N, C, H, W) with the shorter side at most ``shorter`` pixels: bilinear, antialiased.

    For what networks look at. A smaller picture stays as it is; what is measured is resized by `imresize`.
    """
    height, width = x.shape[-2:]
    factor = shorter / min(height, width)
    if factor >= 1:
        return x
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return F.interpolate(x, size=size, mode="bilinear", antialias=True)
