"""Clean pictures → what was observed: the degradations that the networks undo.

    GaussianNoise(25)(clean, seed=0)
    Downscale(3)(clean)

Each is a small frozen dataclass, used alike by training pairs, evaluation and cards. The functions below do the
work. A new degradation is one class: fields, ``__call__``, and ``__str__`` for tables.
"""

import io
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.color import rgb_to_y
from imtrans.images import to_float, to_uint8
from imtrans.resize import imresize


class Degradation(ABC):
    """What a picture went through. Subclasses are frozen dataclasses.

    Attributes:
        task: Name of what undoes it: denoising, super-resolution, deblocking, inpainting or colorization.
    """

    task: ClassVar[str] = "denoising"

    @abstractmethod
    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """The observation of clean pictures (N, C, H, W) in [0, 1].

        Those of super-resolution take 8-bit levels too, and return such: some protocols round there.

        Args:
            clean: Clean pictures; they stay as they are.
            seed: Random seed, for degradations with randomness.
        """

    def of_patch(self, patch: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The observation of a training patch (C, H, W), with randomness from the stream of its sample."""
        return self(torch.from_numpy(patch)[None], seed=int(random.integers(2**32)))[0].numpy()

    @property
    def label(self) -> str:
        """A short key, for the log of a training (``psnr_x3``): the name and the fields."""
        return type(self).__name__.lower() + "-".join(f"{value:g}" for value in asdict(self).values())

    def record(self) -> dict[str, Any]:
        """The columns of a score on a card or in a table: words, and scale, sigma and quality where they apply."""
        return {"degradation": str(self), "scale": None, "sigma": None, "quality": None}


@dataclass(frozen=True)
class Downscale(Degradation):
    """Low resolution by MATLAB's antialiased bicubic.

    Args:
        scale: An integer from 2.

    Raises:
        ValueError: On another scale.
    """

    scale: int
    task: ClassVar[str] = "super-resolution"

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) → (N, C, ⌈H/scale⌉, ⌈W/scale⌉). An 8-bit picture gives an 8-bit one, as in MATLAB."""
        return bicubic_down(clean, self.scale)

    def __str__(self) -> str:
        return f"×{self.scale}"

    @property
    def label(self) -> str:
        """x3 for a scale of 3."""
        return f"x{self.scale}"

    def record(self) -> dict[str, Any]:
        """The columns, with the scale."""
        return super().record() | {"scale": self.scale}


@dataclass(frozen=True)
class BlurDown(Degradation):
    """Low resolution by a Gaussian blur and a grid of pixels, as in the texts of the SRCNN and ESPCN papers.

    Args:
        scale: An integer from 2.
        sigma: Standard deviation of the blur in pixels of the clean picture, above 0.

    Raises:
        ValueError: On another scale or width of the blur.
    """

    scale: int
    sigma: float
    task: ClassVar[str] = "super-resolution"

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"the blur must be a number of pixels above 0, got {self.sigma:g}")

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) → (N, C, H/scale, W/scale). An 8-bit picture gives an 8-bit one."""
        if clean.dtype == torch.uint8:
            return to_uint8(blur_down(to_float(clean), self.scale, self.sigma))
        return blur_down(clean, self.scale, self.sigma)

    def __str__(self) -> str:
        return f"blur {self.sigma:g}, ×{self.scale}"

    def record(self) -> dict[str, Any]:
        """The columns, with the scale; ``sigma`` is a noise level there, the blur stands in the words alone."""
        return super().record() | {"scale": self.scale}


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """White Gaussian noise of one level, neither clipped nor rounded.

    Args:
        sigma: Standard deviation in 8-bit levels, from 0.

    Raises:
        ValueError: If the level is negative or not finite.
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma < float("inf"):
            raise ValueError(f"the noise level must be a number of 8-bit levels from 0, got {self.sigma:g}")

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """Noisy pictures of the same shape, by `gaussian_noise`."""
        return gaussian_noise(clean, self.sigma, seed)

    def of_patch(self, patch: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A noisy patch, in single precision and straight from the stream of the sample: faster than a new stream."""
        return patch + random.standard_normal(patch.shape, dtype=np.float32) * np.float32(self.sigma / 255)

    def __str__(self) -> str:
        return f"σ = {self.sigma:g}"

    @property
    def label(self) -> str:
        """25 for a level of 25."""
        return f"{self.sigma:g}"

    def record(self) -> dict[str, Any]:
        """The columns, with the noise level."""
        return super().record() | {"sigma": self.sigma}


@dataclass(frozen=True)
class Jpeg(Degradation):
    """What a JPEG encoder leaves.

    Args:
        quality: Quality factor of the Independent JPEG Group, 1 … 100.
    """

    quality: int
    task: ClassVar[str] = "deblocking"

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """Decoded pictures of the same shape, by `jpeg`."""
        return jpeg(clean, self.quality)

    def __str__(self) -> str:
        return f"JPEG {self.quality}"

    @property
    def label(self) -> str:
        """q10 for a quality of 10."""
        return f"q{self.quality}"

    def record(self) -> dict[str, Any]:
        """The columns, with the quality."""
        return super().record() | {"quality": self.quality}


@dataclass(frozen=True)
class Mask(Degradation):
    """Missing pixels, which are 0.

    Args:
        keep: Probability of each pixel to be kept, between 0 and 1.

    Raises:
        ValueError: On another probability.
    """

    keep: float
    task: ClassVar[str] = "inpainting"

    def __post_init__(self) -> None:
        if not 0 <= self.keep <= 1:
            raise ValueError(f"the share of the pixels that are kept lies between 0 and 1, got {self.keep:g}")

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """The pictures with missing pixels, all channels of a pixel alike, the same ones in each picture."""
        return clean * pixel_mask(*clean.shape[-2:], self.keep, seed).to(clean)

    def __str__(self) -> str:
        return f"{100 * self.keep:g} % of the pixels"


@dataclass(frozen=True)
class Grayscale(Degradation):
    """A colour picture without its colours."""

    task: ClassVar[str] = "colorization"

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """(N, 3, H, W) → (N, 1, H, W), by `grayscale`."""
        return grayscale(clean)

    def __str__(self) -> str:
        return "without colours"


def _check_scale(scale: int) -> None:
    if scale < 2 or scale % 1:
        raise ValueError(f"the scale must be an integer from 2, got {scale}")


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
    _check_sides(x, scale)
    return imresize(bicubic_down(x, scale), scale)


def _check_sides(x: Tensor, scale: int) -> None:
    if x.shape[-2] % scale or x.shape[-1] % scale:
        raise ValueError(f"sides {tuple(x.shape[-2:])} are not multiples of {scale}")


def blur_down(x: Tensor, scale: int, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, then every ``scale``-th pixel from the centre of each block.

    The degradation in the texts of the SRCNN and ESPCN papers. Their released code and test sets are bicubic.

    The centre of an even block lies between pixels; the one before it is taken. Enlarged by `imresize`, the picture
    then comes back half a pixel of ``x`` further right and down.

    Args:
        x: Floats (N, C, H, W) with sides that are multiples of ``scale``.
        scale: An integer from 2; 1 blurs alone.
        sigma: Standard deviation of the kernel in pixels of ``x``, above 0; the kernel is cut at 4 sigma.

    Raises:
        ValueError: If a side is not a multiple of ``scale``.
    """
    _check_sides(x, scale)
    radius = max(1, round(4 * sigma))
    t = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (t / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, 2·radius+1), one per channel
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
        seed: Random seed of ``numpy.random.RandomState``, whose stream numpy guarantees not to change.

    Raises:
        ValueError: If ``x`` holds no floats: rounded to 8-bit levels of [0, 1], the noise would be 0.
    """
    if not x.is_floating_point():
        raise ValueError(f"wanted floats in [0, 1], got {x.dtype} (images.to_float takes 8-bit levels)")
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
    """A mask of known pixels: each is kept with the probability ``keep``, independently.

    Args:
        height: Height of the picture.
        width: Width of the picture.
        keep: Probability of each pixel to be kept, between 0 and 1.
        seed: Random seed of ``numpy.random.RandomState``, as for `gaussian_noise`.

    Returns:
        (1, 1, H, W) of zeros (missing) and ones (known).
    """
    known = np.random.RandomState(seed).random_sample((1, 1, height, width)) < keep
    return torch.from_numpy(known).float()


def lanczos_down(x: Tensor, scale: int) -> Tensor:
    """Low resolution by a Lanczos kernel of two lobes: the operator d of Deep Image Prior. Differentiable.

    The kernel has 4·scale taps per side, lies symmetrically around the middle of a block (phase 1/2) and sums to 1;
    edges are repeated. The authors make the low resolution that they start from by another kernel, Pillow's with three
    lobes.

    Args:
        x: Floats (N, C, H, W) with sides that are multiples of ``scale``.
        scale: An even integer: an odd one would need a kernel of another phase.

    Raises:
        ValueError: If the scale is odd, or a side is not a multiple of it.
    """
    if scale < 2 or scale % 2:
        raise ValueError(f"the scale of this operator is even, got {scale}")
    _check_sides(x, scale)
    t = (torch.arange(4 * scale, dtype=x.dtype, device=x.device) + 0.5) / scale - 2  # distance in low-res pixels
    kernel = torch.sinc(t) * torch.sinc(t / 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, 4·scale), one per channel
    x = F.pad(x, (3 * scale // 2,) * 4, mode="replicate")
    x = F.conv2d(x, kernel.transpose(2, 3), stride=(scale, 1), groups=x.shape[1])
    return F.conv2d(x, kernel, stride=(1, scale), groups=x.shape[1])


def grayscale(x: Tensor) -> Tensor:
    """The luma-weighted mean (N, 1, H, W) of RGB (N, 3, H, W) in full range: equal channels keep their value."""
    return (rgb_to_y(x) - 16 / 255) * (255 / 219)
