"""Training pairs: (observed, clean) patches, cut out of pictures in memory.

Sample ``i`` of a data set is a function of (seed, i) and of nothing else: any number of workers or processes, and a
training that continues after a kill, sees the same patches. There are no epochs: the samples never end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.color import rgb_to_lab
from imtrans.degrade import Degradation, Downscale, GaussianNoise, Jpeg
from imtrans.images import modcrop, to_uint8
from imtrans.resize import imresize


def dihedral(patch: np.ndarray, symmetry: int) -> np.ndarray:
    """One of the eight flips and rotations of (C, H, W); ``symmetry`` = 0 … 7, 0 changes nothing."""
    patch = patch[:, :, ::-1] if symmetry & 1 else patch
    patch = patch[:, ::-1, :] if symmetry & 2 else patch
    return patch.transpose(0, 2, 1) if symmetry & 4 else patch


def _cut(array: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    return array[:, top : top + size, left : left + size]


def _array(picture: Tensor) -> np.ndarray:
    """(1, C, H, W) -> (C, H, W), contiguous."""
    return np.ascontiguousarray(picture[0].numpy())


@dataclass(frozen=True)
class SuperResolutionPairs:
    """Patches of low and high resolution.

    Whole pictures are degraded, then cut: a patch degraded on its own would teach the border of the resize.

    Args:
        pictures: Clean pictures (1, C, H, W) in [0, 1], at least ``size`` on each side.
        scales: Scales; one is drawn per sample.
        size: Side of the observed patch: of the enlargement, or of the low resolution with ``upsamples``.
        upsamples: The network enlarges: observed patches are low resolution, clean ones scale · size. Without, the
            low resolution is enlarged by bicubic.
        margin: Pixels cut off each side of the clean patch, by which valid convolutions shrink their input.
        seed: Random seed of the samples.
        degradation: What makes the low resolution of a scale.
    """

    pictures: Sequence[Tensor]
    scales: tuple[int, ...]
    size: int
    upsamples: bool = False
    margin: int = 0
    seed: int = 0
    degradation: Callable[[int], Degradation] = Downscale
    _pairs: dict = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for scale in self.scales:
            smallest = self.size * scale if self.upsamples else self.size
            cropped = [modcrop(p, scale) for p in self.pictures]
            fit = [p for p in cropped if min(p.shape[-2:]) >= smallest]
            if not fit:
                raise ValueError(f"no training picture has {smallest} pixels on each side")
            self._pairs[scale] = [(_array(self._observe(p, scale)), _array(p)) for p in fit]

    def _observe(self, clean: Tensor, scale: int) -> Tensor:
        low_res = self.degradation(scale)(clean)
        return low_res if self.upsamples else imresize(low_res, scale)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index])
        scale = self.scales[random.integers(len(self.scales))]
        observed, clean = self._pairs[scale][random.integers(len(self._pairs[scale]))]
        top = int(random.integers(observed.shape[1] - self.size + 1))
        left = int(random.integers(observed.shape[2] - self.size + 1))
        symmetry = int(random.integers(8))
        zoom = scale if self.upsamples else 1
        x = dihedral(_cut(observed, top, left, self.size), symmetry)
        y = _cut(clean, top * zoom + self.margin, left * zoom + self.margin, self.size * zoom - 2 * self.margin)
        return torch.from_numpy(x.copy()), torch.from_numpy(dihedral(y, symmetry).copy())


@dataclass(frozen=True)
class OneScalePerBatch:
    """Pairs for a network of several scales that enlarges: the samples of a batch share a scale (MDSR, section 4.2).

    Args:
        pairs: Pairs of each scale.
        batch: Samples per step.
        seed: Random seed of the scales.
    """

    pairs: Sequence[SuperResolutionPairs]
    batch: int
    seed: int = 0

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index // self.batch])
        return self.pairs[random.integers(len(self.pairs))][index]


@dataclass(frozen=True)
class NoisePairs:
    """Patches with fresh noise.

    Args:
        pictures: Clean pictures (1, C, H, W) in [0, 1], at least ``size`` on each side.
        size: Side of a patch.
        levels: (lowest, highest) level of the noise, σ in 8-bit levels for `GaussianNoise`; one is drawn per patch.
        seed: Random seed of the samples.
        noise: A degradation with one level that keeps the size.
    """

    pictures: Sequence[Tensor]
    size: int
    levels: tuple[float, float]
    seed: int = 0
    noise: Callable[[float], Degradation] = GaussianNoise
    _arrays: list = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self._arrays.extend(_array(p) for p in self.pictures if min(p.shape[-2:]) >= self.size)
        if not self._arrays:
            raise ValueError(f"no training picture has {self.size} pixels on each side")

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index])
        clean = self._arrays[random.integers(len(self._arrays))]
        top = int(random.integers(clean.shape[1] - self.size + 1))
        left = int(random.integers(clean.shape[2] - self.size + 1))
        patch = dihedral(_cut(clean, top, left, self.size), int(random.integers(8))).copy()
        noisy = self.noise(random.uniform(*self.levels)).of_patch(patch, random)
        return torch.from_numpy(noisy), torch.from_numpy(patch)


@dataclass(frozen=True)
class RestorationPairs:
    """Patches for one network with three tasks, DnCNN-3: each is drawn to be noisy, low resolution, or a JPEG.

    Noise as in `NoisePairs`; enlargements of the low resolution as in `SuperResolutionPairs`; JPEG of a piece that is
    larger than the patch, so that the grid of 8×8 blocks lies anywhere in it.

    Args:
        pictures: Luma (1, 1, H, W) in [0, 1].
        size: Side of a patch; smaller pictures than ``size`` + 16 are left out.
        sigma: (lowest, highest) noise level in 8-bit levels.
        scales: Scales of the low resolution.
        quality: (lowest, highest) quality of the JPEG.
        seed: Random seed of the samples.
    """

    pictures: Sequence[Tensor]
    size: int
    sigma: tuple[float, float] = (0, 55)
    scales: tuple[int, ...] = (2, 3, 4)
    quality: tuple[int, int] = (5, 99)
    seed: int = 0
    _noisy: NoisePairs = field(init=False, repr=False)
    _low_res: SuperResolutionPairs = field(init=False, repr=False)
    _large: NoisePairs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        large = [p for p in self.pictures if min(p.shape[-2:]) >= self.size + 16]
        # A frozen dataclass sets what it computes from its arguments in this way.
        object.__setattr__(self, "_large", NoisePairs(large, self.size + 16, (0, 0), self.seed))
        object.__setattr__(self, "_noisy", NoisePairs(large, self.size, self.sigma, self.seed))
        object.__setattr__(self, "_low_res", SuperResolutionPairs(large, self.scales, self.size, seed=self.seed))

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index, 1])  # a stream apart from those of the samples themselves
        task = random.integers(3)
        if task == 0:
            return self._noisy[index]
        if task == 1:
            return self._low_res[index]
        _, clean = self._large[index]
        # All places of the grid are equally likely, and a whole block of the JPEG surrounds the patch.
        top, left = (int(random.integers(4, 12)) for _ in range(2))
        decoded = Jpeg(int(random.integers(self.quality[0], self.quality[1] + 1)))(clean[None])[0]
        part = (..., slice(top, top + self.size), slice(left, left + self.size))
        return decoded[part].contiguous(), clean[part].contiguous()


@dataclass(frozen=True)
class Crops:
    """Square pieces of pictures at random sizes, shrunk to one size; observed and clean are the same piece.

    For networks that learn from pictures as they are: features, autoencoders.

    Args:
        pictures: Pictures (1, C, H, W) in [0, 1], at least ``size`` pixels on each side; smaller ones are left out.
        size: Side of the patches in pixels.
        zoom: Largest side of a piece as a multiple of ``size``; the sides are distributed evenly on a log scale.
        seed: Random seed of the samples.
    """

    pictures: Sequence[Tensor]
    size: int
    zoom: float = 2.0
    seed: int = 0
    _levels: list = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        # Levels of 8 bits add a quarter to the memory of the floats, which stay where they came from.
        self._levels.extend(to_uint8(p)[0] for p in self.pictures if min(p.shape[-2:]) >= self.size)
        if not self._levels:
            raise ValueError(f"no training picture has {self.size} pixels on each side")

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index])
        picture = self._levels[random.integers(len(self._levels))]
        shorter = min(picture.shape[-2:])
        side = min(shorter, round(self.size * self.zoom ** random.random()))
        top = int(random.integers(picture.shape[1] - side + 1))
        left = int(random.integers(picture.shape[2] - side + 1))
        piece = picture[:, top : top + side, left : left + side]
        patch = torch.from_numpy(dihedral(piece.numpy(), int(random.integers(8))).copy()).float() / 255
        if side > self.size:
            patch = F.interpolate(patch[None], size=(self.size,) * 2, mode="bilinear", antialias=True)[0]
        return patch, patch


@dataclass(frozen=True)
class ContentAndStyle:
    """A content patch and a style patch: observed is both, (6, H, W), clean is the style.

    The first samples, and a share of all later ones, have their content as their style: with them a decoder learns to
    reconstruct.

    Args:
        contents: Samples of contents.
        styles: Samples of styles, several kinds; each is drawn equally often, and recoloured.
        alone: Number of samples at the start without another style.
        share: Fraction of the later samples without another style.
        seed: Random seed of the choices.
    """

    contents: Crops
    styles: Sequence[Crops]
    alone: int = 0
    share: float = 0.0
    seed: int = 0

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index, 2])  # a stream apart from those of the crops
        content, _ = self.contents[index]
        if index < self.alone or random.random() < self.share:
            style = content
        else:
            style, _ = self.styles[random.integers(len(self.styles))][index]
            style = recolored(style, random)
        return torch.cat((content, style)), style


def recolored(picture: Tensor, random: np.random.Generator) -> Tensor:
    """A picture in other colours: for half of them the channels in another order and more or less saturation.

    Args:
        picture: RGB (3, H, W) in [0, 1].
        random: Source of random numbers.
    """
    if random.random() < 0.5:
        return picture
    shuffled = picture[random.permutation(3)]
    gray = shuffled.mean(dim=0, keepdim=True)
    return (gray + float(random.uniform(0.5, 2)) * (shuffled - gray)).clamp(0, 1)


@dataclass(frozen=True)
class ColorPairs:
    """Lightness of square pieces, and the a and b of every fourth pixel, to learn colorization.

    Pieces are flipped from left to right alone: sky is above. Their lightness is raised to a random power, as if the
    exposure had been another; their colour is not.

    Args:
        pictures: RGB (1, 3, H, W) in [0, 1].
        size: Side of the patches in pixels, divisible by 8.
        area: Least area of a piece, as a fraction of the largest square of its picture; pieces are resized to ``size``.
        gamma: (lowest, highest) power of L / 100; one is drawn per patch, evenly on a log scale.
        seed: Random seed of the samples.
    """

    pictures: Sequence[Tensor]
    size: int = 96
    area: float = 0.25
    gamma: tuple[float, float] = (0.8, 1.25)
    seed: int = 0
    _levels: list = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self._levels.extend(to_uint8(picture)[0] for picture in self.pictures)
        if not self._levels:
            raise ValueError("there is no training picture")

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng([self.seed, index])
        picture = self._levels[random.integers(len(self._levels))]
        side = round(min(picture.shape[-2:]) * random.uniform(self.area, 1) ** 0.5)
        top = int(random.integers(picture.shape[1] - side + 1))
        left = int(random.integers(picture.shape[2] - side + 1))
        piece = picture[None, :, top : top + side, left : left + side].float() / 255
        if random.integers(2):
            piece = piece.flip(-1)
        if side != self.size:
            piece = F.interpolate(piece, size=(self.size,) * 2, mode="bilinear", antialias=True)
        lightness, ab = lightness_and_colors(piece)
        gamma = float(np.exp(random.uniform(*np.log(self.gamma))))
        return (100 * (lightness / 100) ** gamma)[0], ab[0]


def lightness_and_colors(rgb: Tensor, every: int = 4) -> tuple[Tensor, Tensor]:
    """What a colorizer sees and what it should say: L (N, 1, H, W), and a and b (N, 2, H / 4, W / 4) of some pixels.

    They are subsampled, not averaged: a mean of colours is grayer than they are. The third of every four pixels lies
    next to the middle of the four, where an enlargement puts the colour; the authors' code takes the first.

    Args:
        rgb: Pictures (N, 3, H, W) in [0, 1].
        every: Pixels per position, 4 for the paper's network.
    """
    lab = rgb_to_lab(rgb)
    return lab[:, :1].clamp(0, 100), lab[:, 1:, every // 2 :: every, every // 2 :: every]
