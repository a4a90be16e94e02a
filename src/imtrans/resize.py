"""MATLAB's ``imresize(·, factor, "bicubic")``, on any device and differentiable.

PyTorch's antialiased bicubic interpolation has MATLAB's kernel (Keys, a = −1/2, widened when shrinking); the two differ
in the borders alone, where MATLAB repeats the edge pixel. So: repeat the edge, interpolate, crop.
"""

import math
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor


def _resize_axis(x: Tensor, factor: Fraction, axis: int) -> Tensor:
    """Resize one of the last two axes of floats (N, C, H, W); axis −2 is the rows, −1 the columns."""
    size = math.ceil(factor * x.shape[axis])
    # The kernel reaches 2 output pixels when shrinking and 2 input pixels when enlarging. A padding of a multiple of
    # the denominator moves the output by whole pixels, so that cropping it off is exact.
    pad = factor.denominator * max(4, math.ceil(4 / (factor * factor.denominator)))
    before, after = pad, pad + factor.denominator
    # PyTorch (2.14, on the CPU) leaves the rows of a picture of one column as they are: it gets a second column.
    padding = (0, int(x.shape[-1] == 1), before, after) if axis == -2 else (before, after, 0, 0)
    padded = F.pad(x, padding, mode="replicate")
    factors = (float(factor), 1.0) if axis == -2 else (1.0, float(factor))
    # The factor is given, not the size: MATLAB keeps the factor where ceil(factor · size) is not factor · size.
    resized = F.interpolate(padded, scale_factor=factors, mode="bicubic", antialias=True)
    return resized.narrow(axis, int(pad * factor), size)[..., : x.shape[-1] if axis == -2 else size]


def imresize(x: Tensor, factor: float | Fraction) -> Tensor:
    """Resize pictures as MATLAB does: bicubic, antialiased when shrinking, edges repeated.

    Args:
        x: (N, C, H, W). Floats are never rounded. ``uint8`` is computed on 0 … 255, rows first, then columns, and
            rounded after each pass (halves up), which makes it bit-identical to MATLAB's own 8-bit results.
        factor: Output size over input size, 3 or 1/3 for instance: a fraction with a denominator up to 100.

    Returns:
        The same dtype, with sides ceil(factor · side).

    Raises:
        ValueError: On another shape or dtype, or a factor that is not positive or no such fraction.
    """
    exact = Fraction(factor).limit_denominator(100)
    if factor <= 0 or abs(float(exact) - float(factor)) > 1e-6 * float(factor):
        raise ValueError(f"the factor must be a positive fraction with a denominator up to 100, got {factor}")
    if x.ndim != 4 or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise ValueError(f"wanted floats or uint8 levels (N, C, H, W), got {x.dtype} of shape {tuple(x.shape)}")
    if exact == 1:
        return x.clone()
    if x.is_floating_point():
        return _resize_axis(_resize_axis(x, exact, -2), exact, -1)
    rows = (_resize_axis(x.float(), exact, -2) + 0.5).floor().clamp(0, 255)
    return (_resize_axis(rows, exact, -1) + 0.5).floor().clamp(0, 255).to(torch.uint8)
