"""Clean pictures → what was observed: the forward models that the networks undo."""

from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.resize import imresize


def bicubic_down(x: Tensor, scale: int) -> Tensor:
    """Low resolution by MATLAB's antialiased bicubic, (N, C, H, W) → (N, C, ⌈H/scale⌉, ⌈W/scale⌉)."""
    return imresize(x, Fraction(1, scale))


def bicubic_down_up(x: Tensor, scale: int) -> Tensor:
    """Down by ``scale`` and up again: the input of SRCNN and VDSR, blurred but of the full size.

    Args:
        x: (N, C, H, W) with sides that are multiples of ``scale``.
        scale: An integer from 2.

    Raises:
        ValueError: If a side is not a multiple of ``scale`` (`images.modcrop` makes it one).
    """
    if x.shape[-2] % scale or x.shape[-1] % scale:
        raise ValueError(f"sides {tuple(x.shape[-2:])} are not multiples of {scale}")
    return imresize(bicubic_down(x, scale), scale)


def blur_down(x: Tensor, scale: int, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, then every ``scale``-th pixel from the centre of each block.

    The degradation in the texts of the SRCNN and ESPCN papers. Their released code and test sets are bicubic.

    Args:
        x: Floats (N, C, H, W) with sides that are multiples of ``scale``.
        scale: An integer from 2.
        sigma: Standard deviation of the kernel in pixels of ``x``, above 0; the kernel is cut at 4 sigma.
    """
    radius = max(1, round(4 * sigma))
    t = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (t / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, 2·radius+1), one a channel
    x = F.pad(x, (radius,) * 4, mode="replicate")
    x = F.conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])
    x = F.conv2d(x, kernel, groups=x.shape[1])
    start = (scale - 1) // 2
    return x[..., start::scale, start::scale]


def gaussian_noise(x: Tensor, sigma: float, seed: int) -> Tensor:
    """y = x + v with white Gaussian v, the noise of the evaluation: frozen, made on the CPU, not clipped.

    Args:
        x: (N, C, H, W) in [0, 1].
        sigma: Standard deviation in 8-bit levels.
        seed: Of ``numpy.random.RandomState``, whose stream numpy guarantees not to change.
    """
    noise = np.random.RandomState(seed).standard_normal(tuple(x.shape))
    return x + torch.from_numpy(noise * (sigma / 255)).to(x)
