"""Clean pictures → what was observed: the forward models that the networks undo."""

import io
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.images import to_float, to_uint8
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


def jpeg(x: Tensor, quality: int) -> Tensor:
    """What is left of pictures after a JPEG encoder: libjpeg, by Pillow. No gradient passes.

    Gray pictures are encoded in one channel, as DnCNN's and AR-CNN's tests do (their numbers, made by MATLAB's encoder,
    come out equal to 0.01 dB); colour in Y, Cb, Cr with the colours at half the resolution (4:2:0), as cameras do.

    Args:
        x: (N, 1 or 3, H, W) in [0, 1]; rounded to 8 bits.
        quality: 1 … 100, the quality factor of the Independent JPEG Group.

    Raises:
        ValueError: On a quality out of range or another number of channels.
    """
    from PIL import Image

    if not 1 <= quality <= 100:
        raise ValueError(f"the quality of JPEG goes from 1 to 100, got {quality}")
    if x.shape[1] not in (1, 3):
        raise ValueError(f"JPEG takes 1 or 3 channels, got {x.shape[1]}")
    decoded = []
    for picture in to_uint8(x).cpu():
        file = io.BytesIO()
        pixels = picture.permute(1, 2, 0).squeeze(2).numpy()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(quality), subsampling="4:2:0")
        decoded.append(torch.from_numpy(np.array(Image.open(file))).reshape(*picture.shape[1:], -1).permute(2, 0, 1))
    return to_float(torch.stack(decoded)).to(x)


def pixel_mask(height: int, width: int, keep: float, seed: int) -> Tensor:
    """A mask of pixels that are known: each with the probability ``keep``, on its own.

    Args:
        height: Of the picture.
        width: Of the picture.
        keep: Between 0 and 1.
        seed: Of ``numpy.random.RandomState``, as for `gaussian_noise`.

    Returns:
        (1, 1, H, W) of zeros (missing) and ones (known).
    """
    known = np.random.RandomState(seed).random_sample((1, 1, height, width)) < keep
    return torch.from_numpy(known).float()


def lanczos_down(x: Tensor, scale: int) -> Tensor:
    """Low resolution by a Lanczos kernel of two lobes: the operator d of Deep Image Prior. Differentiable.

    The kernel has 4·scale taps a side, lies symmetrically around the middle of a block (phase 1/2) and sums to 1; edges
    are repeated. The authors make the low resolution that they start from by another one, Pillow's with three lobes.

    Args:
        x: Floats (N, C, H, W) with sides that are multiples of ``scale``.
        scale: An even integer: an odd one would need a kernel of another phase.

    Raises:
        ValueError: If the scale is odd, or a side is not a multiple of it.
    """
    if scale < 2 or scale % 2:
        raise ValueError(f"the scale of this operator is even, got {scale}")
    if x.shape[-2] % scale or x.shape[-1] % scale:
        raise ValueError(f"sides {tuple(x.shape[-2:])} are not multiples of {scale}")
    t = (torch.arange(4 * scale, dtype=x.dtype, device=x.device) + 0.5) / scale - 2  # distance in low-res pixels
    kernel = torch.sinc(t) * torch.sinc(t / 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, 4·scale), one a channel
    x = F.pad(x, (3 * scale // 2,) * 4, mode="replicate")
    x = F.conv2d(x, kernel.transpose(2, 3), stride=(scale, 1), groups=x.shape[1])
    return F.conv2d(x, kernel, stride=(1, scale), groups=x.shape[1])
