"""Training pairs made on the device that trains: pictures resident as 8-bit levels, whole batches at once.

    sampler = on_device(SuperResolutionPairs(pictures, (2, 3, 4), 41), batch=64, device="cuda")
    observed, clean = sampler(step)

A GPU would wait for a loader that cuts patch by patch. Here the samples of a step are a function of (seed, step) and of
the kind of device; they are other ones than the host makes from the same seed, of the same distribution but for three
things: clean pictures are rounded to 8 bits; a bicubic kernel that reaches beyond a picture sees its edge repeated
before it was shrunk, not after; JPEG is computed in floats, so that some coefficients round to the other side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.data.pairs import NoisePairs, RestorationPairs, SuperResolutionPairs
from imtrans.degrade import Downscale, GaussianNoise, bicubic_down, bicubic_down_up
from imtrans.images import to_uint8

Batch = tuple[Tensor, Tensor]  # observed and clean, (N, C, H, W)

AT_ONCE = 16  # steps whose samples are made together: fewer, larger kernels


@dataclass(frozen=True)
class Random:
    """Random numbers of a batch, all from one generator on the device."""

    generator: torch.Generator
    count: int

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(N,) floats in [low, high)."""
        drawn = torch.rand(self.count, generator=self.generator, device=self.generator.device)
        return low + (high - low) * drawn

    def integers(self, low: int, high: int | Tensor) -> Tensor:
        """(N,) integers from ``low`` to below ``high``, which may be another one for each."""
        drawn = (self.uniform() * (high - low)).long()
        return low + drawn.clamp(max=high - low - 1)  # 0.99999997 · high rounds up

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape of ``x``."""
        return torch.randn(x.shape, generator=self.generator, device=x.device)


class Pictures:
    """Pictures of any sizes as 8-bit levels in one block of memory, their edges repeated.

    Args:
        pictures: Each (1, C, H, W) in [0, 1], all of the same C; rounded to 8 bits.
        reach: Pixels by which a piece may lie outside a picture.
        device: The device to keep them on.
    """

    def __init__(self, pictures: Sequence[Tensor], reach: int, device: str | torch.device) -> None:
        self.reach = reach
        self.channels = pictures[0].shape[1]
        heights = [p.shape[-2] for p in pictures]
        widths = [p.shape[-1] for p in pictures]
        border = ((0, 0), (reach, reach), (reach, reach))
        padded = [np.pad(to_uint8(p)[0].numpy(), border, mode="edge") for p in pictures]
        sizes = [p.size for p in padded]
        self.levels = torch.from_numpy(np.concatenate([p.ravel() for p in padded])).to(device)
        self.starts = torch.tensor(np.cumsum([0, *sizes[:-1]]), device=device)
        self.heights, self.widths = (torch.tensor(sides, device=device) for sides in (heights, widths))

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, which: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
        """Square pieces (N, C, side, side) in [0, 1].

        Args:
            which: (N,) numbers of pictures.
            top: (N,) rows of the upper left corners, from −reach.
            left: (N,) columns of the upper left corners.
            side: Pixels of a side.
        """
        width = (self.widths[which] + 2 * self.reach)[:, None, None, None]
        height = (self.heights[which] + 2 * self.reach)[:, None, None, None]
        offset = torch.arange(side, device=which.device)
        row = (top + self.reach)[:, None, None, None] + offset[:, None]  # (N, 1, side, 1)
        column = (left + self.reach)[:, None, None, None] + offset  # (N, 1, 1, side)
        channel = torch.arange(self.channels, device=which.device)[:, None, None]
        place = self.starts[which][:, None, None, None] + (channel * height + row) * width + column
        return self.levels[place].float() / 255


def symmetry(x: Tensor, which: Tensor) -> Tensor:
    """One of the eight flips and rotations of each of N squares, as `pairs.dihedral`: ``which`` = 0 … 7, (N,)."""
    bits = [(which & bit).bool()[:, None, None, None] for bit in (1, 2, 4)]
    x = torch.where(bits[0], x.flip(-1), x)
    x = torch.where(bits[1], x.flip(-2), x)
    return torch.where(bits[2], x.transpose(-1, -2), x)


def resize_matrices(scale: int, size: int, reach: int, upsamples: bool) -> Tensor:
    """MATLAB's bicubic of one axis as matrices, read off `imresize` on unit vectors.

    Args:
        scale: By how much the picture is shrunk.
        size: Pixels of the observed patch.
        reach: Pixels that a piece has beyond the patch on each side, at least 5 · scale.
        upsamples: Shrink only; else shrink and enlarge again.

    Returns:
        (phases, size, pixels of the piece): a patch of the enlargement may begin anywhere in a block of ``scale``
        pixels, one of the low resolution at its first one alone.
    """
    extent = size * scale if upsamples else size
    begin = scale * -(-reach // scale)
    length = begin + scale * -(-(extent + scale + reach) // scale)
    unit = torch.eye(length, dtype=torch.double)[:, None, :, None].expand(-1, 1, -1, scale)  # a picture per pixel
    matrix = (bicubic_down if upsamples else bicubic_down_up)(unit, scale)[:, 0, :, 0].T  # (out, in)
    matrices = []
    for phase in range(1 if upsamples else scale):
        first = begin // scale if upsamples else begin + phase
        place = begin + phase - reach
        matrices.append(matrix[first : first + size, place : place + extent + 2 * reach])
    return torch.stack(matrices).float()


# The table of luma in annex K of the JPEG standard, for quality 50.
QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG leaves of gray pictures, each with its own quality: `degrade.jpeg` in floats, on any device.

    Args:
        x: (N, 1, H, W) in [0, 1].
        quality: (N,) integers from 1 to 100.
    """
    height, width = x.shape[-2:]
    base = torch.tensor(QUANTISATION, device=x.device)
    percent = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None, None]
    table = ((base * percent + 50) // 100).clamp(1, 255).float()[:, None, None]  # (N, 1, 1, 8, 8)
    frequency, place = torch.arange(8.0, device=x.device)[:, None], torch.arange(8.0, device=x.device)
    transform = torch.cos(torch.pi * (2 * place + 1) * frequency / 16) / 2
    transform[0] /= 2**0.5  # (8, 8), orthonormal: the discrete cosine transform
    levels = F.pad((255 * x).round() - 128, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = levels[:, 0].unfold(1, 8, 8).unfold(2, 8, 8)  # (N, rows, columns, 8, 8)
    coefficients = transform @ blocks @ transform.T / table
    coefficients = coefficients.sign() * (coefficients.abs() + 0.5001).floor() * table  # halves away from 0, as libjpeg
    blocks = transform.T @ coefficients @ transform
    levels = blocks.transpose(2, 3).reshape(len(x), 1, levels.shape[-2], levels.shape[-1])
    return (levels[..., :height, :width] + 128).round().clamp(0, 255) / 255


def _inner(x: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """A square of each of (N, C, H, W), with its own corner."""
    offset = torch.arange(side, device=x.device)
    row, column = (top[:, None] + offset)[:, None, :, None], (left[:, None] + offset)[:, None, None, :]
    picture = torch.arange(len(x), device=x.device)[:, None, None, None]
    channel = torch.arange(x.shape[1], device=x.device)[:, None, None]
    return x[picture, channel, row, column]


class LowResolution:
    """`SuperResolutionPairs` on a device."""

    def __init__(self, pairs: SuperResolutionPairs, device: str | torch.device) -> None:
        if pairs.upsamples and len(pairs.scales) > 1:
            raise ValueError(f"patches of one batch have one size, so one scale, not {pairs.scales}")
        self.pairs = pairs
        largest = max(pairs.scales)
        self.reach = 5 * largest
        self.extent = pairs.size * largest if pairs.upsamples else pairs.size
        # Whole blocks of pixels only, and room for a patch at each scale.
        fit = [p for p in pairs.pictures if all(min(p.shape[-2:]) // s * s >= self.extent for s in pairs.scales)]
        if not fit:
            raise ValueError(f"no training picture has {self.extent} pixels on each side")
        self.pictures = Pictures(fit, self.reach, device)
        banks = [resize_matrices(s, pairs.size, self.reach, pairs.upsamples) for s in pairs.scales]
        self.matrices = torch.cat(banks).to(device)
        self.first = torch.tensor(np.cumsum([0, *(len(bank) for bank in banks[:-1])]), device=device)
        self.scales = torch.tensor(pairs.scales, device=device)

    def draw(self, random: Random) -> Batch:
        """A batch of (low resolution or its enlargement, clean)."""
        kind = random.integers(0, len(self.scales))
        which = random.integers(0, len(self.pictures))
        scale = self.scales[kind]
        corner = []
        for sides in (self.pictures.heights, self.pictures.widths):
            room = sides[which] // scale * scale - self.extent
            step = scale if self.pairs.upsamples else 1
            corner.append(step * random.integers(0, room // step + 1))
        piece = self.pictures.cut(which, *(at - self.reach for at in corner), self.extent + 2 * self.reach)
        phase = [0 if self.pairs.upsamples else at % scale for at in corner]
        rows, columns = (self.matrices[self.first[kind] + at][:, None] for at in phase)
        observed = rows @ piece @ columns.transpose(-1, -2)
        margin = self.reach + self.pairs.margin
        clean = piece[..., margin : piece.shape[-2] - margin, margin : piece.shape[-1] - margin]
        turn = random.integers(0, 8)
        return symmetry(observed, turn), symmetry(clean, turn)


class Noise:
    """`NoisePairs` on a device."""

    def __init__(self, pairs: NoisePairs, device: str | torch.device) -> None:
        fit = [p for p in pairs.pictures if min(p.shape[-2:]) >= pairs.size]
        if not fit:
            raise ValueError(f"no training picture has {pairs.size} pixels on each side")
        self.pairs = pairs
        self.pictures = Pictures(fit, 0, device)

    def draw(self, random: Random) -> Batch:
        """A batch of (noisy, clean)."""
        which = random.integers(0, len(self.pictures))
        sides = self.pictures.heights[which], self.pictures.widths[which]
        corner = [random.integers(0, side - self.pairs.size + 1) for side in sides]
        clean = symmetry(self.pictures.cut(which, *corner, self.pairs.size), random.integers(0, 8))
        sigma = random.uniform(*self.pairs.levels)[:, None, None, None] / 255
        return clean + sigma * random.normal_like(clean), clean


class Restoration:
    """`RestorationPairs` on a device: all three tasks of each sample are made, one is taken."""

    def __init__(self, pairs: RestorationPairs, device: str | torch.device) -> None:
        self.pairs = pairs
        self.noise, self.large = Noise(pairs._noisy, device), Noise(pairs._large, device)
        self.low_resolution = LowResolution(pairs._low_res, device)

    def draw(self, random: Random) -> Batch:
        """A batch of (noisy, enlarged or JPEG, clean)."""
        task = random.integers(0, 3)
        _, piece = self.large.draw(random)
        decoded = jpeg(piece, random.integers(self.pairs.quality[0], self.pairs.quality[1] + 1))
        corner = random.integers(4, 12), random.integers(4, 12)  # each place in the grid of 8 × 8 blocks alike
        compressed = tuple(_inner(x, *corner, self.pairs.size) for x in (decoded, piece))
        kinds = self.noise.draw(random), self.low_resolution.draw(random), compressed
        picture = torch.arange(len(task), device=task.device)
        observed, clean = (torch.stack(each)[task, picture] for each in zip(*kinds, strict=True))
        return observed, clean


KINDS = {SuperResolutionPairs: LowResolution, NoisePairs: Noise, RestorationPairs: Restoration}


class DeviceSampler:
    """Batches by step.

    Args:
        source: One of `LowResolution`, `Noise`, `Restoration`.
        seed: Random seed of the samples.
        batch: Samples per step, over all processes.
        device: The device to make them on.
        process: The number of this process among those that share each batch.
        processes: How many processes share each batch.
    """

    def __init__(
        self,
        source: LowResolution | Noise | Restoration,
        seed: int,
        batch: int,
        device: str | torch.device,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.source, self.seed, self.batch = source, seed, batch
        self.process, self.processes = process, processes
        self.generator = torch.Generator(device)
        self._block, self._samples = None, None

    @torch.no_grad()
    def __call__(self, step: int) -> Batch:
        """The samples of a step, a function of (seed, step) alone: (observed, clean), each (batch, C, H, W)."""
        block, number = divmod(step, AT_ONCE)
        if block != self._block:
            # Several steps at once, so that the time of starting kernels does not count.
            state = np.random.SeedSequence([self.seed, block]).generate_state(1, np.uint64)[0]
            self.generator.manual_seed(int(state >> np.uint64(1)))
            self._samples = self.source.draw(Random(self.generator, AT_ONCE * self.batch))
            self._block = block
        part = slice(number * self.batch + self.process, (number + 1) * self.batch, self.processes)
        observed, clean = self._samples
        return observed[part], clean[part]


def on_device(
    samples: object, batch: int, device: str | torch.device, *, process: int = 0, processes: int = 1
) -> DeviceSampler | None:
    """The sampler of the same pairs on a device; None for kinds that only the host makes.

    Args:
        samples: A data set of `imtrans.data.pairs`.
        batch: Samples per step, over all processes.
        device: The device to make them on.
        process: The number of this process among those that share each batch.
        processes: How many processes share each batch.

    Raises:
        ValueError: If no picture has room for a patch.
    """
    kind = KINDS.get(type(samples))
    usual = {"degradation": Downscale, "noise": GaussianNoise}
    if kind is None or any(getattr(samples, name, which) is not which for name, which in usual.items()):
        return None
    return DeviceSampler(kind(samples, device), samples.seed, batch, device, process, processes)
