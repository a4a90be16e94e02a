"""The families of distortions that LPIPS's patches went through (Zhang et al. 2018, table 2), for small pictures.

    blurred = blur(patch, np.random.default_rng(0))

Each function expects an RGB picture (1, 3, H, W) in [0, 1] and a random generator, which chooses how strong it is, and
returns a picture of the same shape, clipped to [0, 1]. The paper has twenty such distortions; these are twelve. What
networks leave (its other family) is made where there are networks: a function of the same form.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import degrade
from imtrans.resize import imresize

Distortion = Callable[[Tensor, np.random.Generator], Tensor]


def _plus(x: Tensor, noise: np.ndarray) -> Tensor:
    return (x + torch.from_numpy(noise).to(x)).clamp(0, 1)


def _sampled(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The picture read at other places, bilinearly; rows and columns (H, W) in pixels. Edges are repeated."""
    height, width = x.shape[-2:]
    grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], dim=-1)
    return F.grid_sample(x, grid[None].to(x), padding_mode="border", align_corners=True)


def _places(x: Tensor) -> tuple[Tensor, Tensor]:
    height, width = (torch.arange(float(side)) for side in x.shape[-2:])
    return torch.meshgrid(height, width, indexing="ij")


# -- noise --


def white_noise(x: Tensor, random: np.random.Generator) -> Tensor:
    """White Gaussian noise of 5 to 30 levels."""
    return _plus(x, random.uniform(5, 30) / 255 * random.standard_normal(x.shape))


def colored_noise(x: Tensor, random: np.random.Generator) -> Tensor:
    """Noise whose power goes with frequency to a power between −2 (brown) and 1 (blue), of 5 to 30 levels."""
    power = random.uniform(-2, 1)
    rows, columns = (np.fft.fftfreq(side) for side in x.shape[-2:])
    frequency = np.hypot(rows[:, None], columns[None])
    frequency[0, 0] = frequency[0, 1]
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal(x.shape)) * frequency ** (power / 2)).real
    return _plus(x, random.uniform(5, 30) / 255 * noise / noise.std())


def checkerboard(x: Tensor, random: np.random.Generator) -> Tensor:
    """A chessboard of squares of 1 to 4 pixels, added."""
    rows, columns = _places(x)
    side = int(random.integers(1, 5))
    board = ((rows // side + columns // side) % 2 - 0.5).numpy()
    return _plus(x, random.uniform(10, 40) / 255 * np.broadcast_to(board, x.shape))


# -- blur --


def blur(x: Tensor, random: np.random.Generator) -> Tensor:
    """A Gaussian blur of 0.7 to 2.5 pixels."""
    return degrade.blur_down(x, 1, random.uniform(0.7, 2.5)).clamp(0, 1)


def shrink(x: Tensor, random: np.random.Generator) -> Tensor:
    """Shrunk by 2 to 4 and enlarged again, by bicubic interpolation."""
    height, width = x.shape[-2:]
    scale = int(random.integers(2, 5))
    return imresize(degrade.bicubic_down(x, scale), scale)[..., :height, :width].clamp(0, 1)


# -- colours --


def tone(x: Tensor, random: np.random.Generator) -> Tensor:
    """A gamma of 0.5 to 0.8, or one over that: all of the picture lighter or darker."""
    gamma = random.uniform(0.5, 0.8)
    return x ** (gamma if random.random() < 0.5 else 1 / gamma)


def saturation(x: Tensor, random: np.random.Generator) -> Tensor:
    """Colours between none and half as strong, or up to twice as strong."""
    factor = random.uniform(0, 0.5) if random.random() < 0.5 else random.uniform(1.5, 2)
    gray = degrade.grayscale(x)
    return (gray + factor * (x - gray)).clamp(0, 1)


def color_shift(x: Tensor, random: np.random.Generator) -> Tensor:
    """Each channel moved by up to 30 levels, by itself."""
    return _plus(x, random.uniform(-30, 30, (1, 3, 1, 1)) / 255)


# -- places --


def warp(x: Tensor, random: np.random.Generator) -> Tensor:
    """A smooth random displacement of up to 1 to 3 pixels."""
    knots = torch.from_numpy(random.uniform(-1, 1, (1, 2, 4, 4))).float()
    field = F.interpolate(knots, tuple(x.shape[-2:]), mode="bicubic", align_corners=True)[0]
    rows, columns = _places(x)
    reach = random.uniform(1, 3)
    return _sampled(x, rows + reach * field[0], columns + reach * field[1])


def ghost(x: Tensor, random: np.random.Generator) -> Tensor:
    """A second exposure, a third to half as strong, 2 to 5 pixels away."""
    rows, columns = _places(x)
    angle, reach, share = random.uniform(0, 2 * np.pi), random.uniform(2, 5), random.uniform(0.3, 0.5)
    return (1 - share) * x + share * _sampled(x, rows + reach * np.sin(angle), columns + reach * np.cos(angle))


def aberration(x: Tensor, random: np.random.Generator) -> Tensor:
    """Red and blue moved apart by 1 to 2 pixels each, as a bad lens does."""
    rows, columns = _places(x)
    reach = random.uniform(1, 2)
    red, blue = (_sampled(x[:, [c]], rows, columns + sign * reach) for c, sign in ((0, 1), (2, -1)))
    return torch.cat([red, x[:, 1:2], blue], dim=1)


# -- compression --


def compression(x: Tensor, random: np.random.Generator) -> Tensor:
    """JPEG of quality 5 to 30."""
    return degrade.jpeg(x, int(random.integers(5, 31)))


FAMILIES: Mapping[str, Sequence[Distortion]] = {
    "noise": (white_noise, colored_noise, checkerboard),
    "blur": (blur, shrink),
    "colours": (tone, saturation, color_shift),
    "places": (warp, ghost, aberration),
    "compression": (compression,),
}


# -- what two pictures side by side hardly show --


def shift(x: Tensor, random: np.random.Generator) -> Tensor:
    """The picture moved by one or two pixels in each direction, or by none in one of them."""
    rows, columns = _places(x)
    i, j = 0, 0
    while i == j == 0:
        i, j = (int(step) for step in random.integers(-2, 3, 2))
    return _sampled(x, rows + i, columns + j)


def turn(x: Tensor, random: np.random.Generator) -> Tensor:
    """A turn around the middle by 1 to 3 degrees, and up to 3 percent nearer or farther."""
    rows, columns = _places(x)
    angle, size = np.deg2rad(_either(random) * random.uniform(1, 3)), random.uniform(0.97, 1.03)
    i, j = rows - rows.mean(), columns - columns.mean()
    cos, sin = size * float(np.cos(angle)), size * float(np.sin(angle))
    return _sampled(x, rows.mean() + cos * i - sin * j, columns.mean() + sin * i + cos * j)


def gain(x: Tensor, random: np.random.Generator) -> Tensor:
    """All levels up or down by 3 to 6 percent."""
    return (x * (1 + _either(random) * random.uniform(0.03, 0.06))).clamp(0, 1)


INVISIBLE: Sequence[Distortion] = (shift, turn, gain)


def _either(random: np.random.Generator) -> int:
    return 1 if random.random() < 0.5 else -1
