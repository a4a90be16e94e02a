"""Pictures made from nothing but a seed: disks of all sizes that hide one another.

The dead leaves model (Matheron, 1968) covers the plane with opaque leaves that fall at random, one upon
another. With disks whose radii have the density f(r) ∝ r^-3 it shares two properties with photographs:
occlusion, hence sharp edges of every length and orientation, and statistics that hardly change when the
picture is enlarged or shrunk, hence a power spectrum that falls nearly as 1/frequency² (A. Lee, D. Mumford,
J. Huang, "Occlusion models for natural images", 2001). A restoration network trained on such pictures alone
works on photographs (R. Achddou, Y. Gousseau, S. Ladjal, "Synthetic images as a regularity prior for image
restoration neural networks", 2021).

Three things make it fast and exact:

*Front to back.* The last leaf to fall lies on top, and what lies below it never shows. So we draw the leaves
from the top down, and stop when no pixel is uncovered: what remains is the stationary model, not a start of
it (W. Kendall, E. Thönnes, "Perfect simulation in stochastic geometry", 1999).

*Radii by the inverse CDF.* On [r_min, r_max] the CDF of f(r) ∝ r^-a is

    F(r) = (r^(1-a) - r_min^(1-a)) / (r_max^(1-a) - r_min^(1-a)),

so r = (r_min^(1-a) + u (r_max^(1-a) - r_min^(1-a)))^(1/(1-a)) has that density for uniform u; for a = 1 the
limit is r = r_min (r_max / r_min)^u.

*Only leaves that can be seen.* Centres are uniform on the whole plane. A disk of radius r reaches into a
picture of side L only from the square of side L + 2r around it, so among the leaves that count the density of
radii is

    f(r) (L + 2r)²  ∝  L² r^-α + 4L r^(1-α) + 4 r^(2-α),

a mixture of three such laws: pick one, draw r from it, then a centre in that square. (Leaves near its corners
miss the picture; they do no harm.)
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.images import check_picture


def radii(u: np.ndarray, r_min: float, r_max: float, alpha: float) -> np.ndarray:
    """Radii with density proportional to r^-alpha on [r_min, r_max], from uniform numbers in [0, 1)."""
    if abs(alpha - 1) < 1e-6:
        return r_min * (r_max / r_min) ** u
    power = 1 - alpha
    return (r_min**power + u * (r_max**power - r_min**power)) ** (1 / power)


def visible_radii(pick: np.ndarray, u: np.ndarray, size: int, r_min: float, r_max: float, alpha: float) -> np.ndarray:
    """Radii of the leaves that can reach into a picture of side ``size``, from two uniform numbers each."""
    bounds = np.cumsum(_weights(size, r_min, r_max, alpha))
    law = np.searchsorted(bounds / bounds[-1], pick, side="right")  # 0, 1 or 2: alpha, alpha - 1, alpha - 2
    return np.choose(law, [radii(u, r_min, r_max, alpha - k) for k in range(3)])


def _weights(size: int, r_min: float, r_max: float, alpha: float) -> list[float]:
    """What each of the three laws of the mixture integrates to."""
    return [factor * _integral(r_min, r_max, alpha - k) for k, factor in enumerate((size**2, 4 * size, 4))]


def _integral(r_min: float, r_max: float, alpha: float) -> float:
    """The integral of r^-alpha from r_min to r_max; 1 for a single radius, where the density is a point."""
    if r_min == r_max:
        return r_min**-alpha
    if abs(alpha - 1) < 1e-6:
        return float(np.log(r_max / r_min))
    return (r_max ** (1 - alpha) - r_min ** (1 - alpha)) / (1 - alpha)


def dead_leaves(
    count: int,
    size: int,
    *,
    r_min: float = 1.0,
    r_max: float | None = None,
    alpha: float = 3.0,
    palette: Tensor | Sequence[Tensor] | None = None,
    supersample: int = 2,
    seed: int = 0,
    start: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Dead leaves pictures.

    Picture i is a function of ``seed`` and i alone, whatever the batch: ``dead_leaves(8, …)`` equals four
    pictures and four more with ``start=4``. All random numbers are drawn on the CPU, so a GPU makes the same
    pictures.

    Args:
        count: How many pictures.
        size: Side of each, in pixels.
        r_min: Smallest radius in pixels.
        r_max: Largest radius in pixels; None for ``size``.
        alpha: Exponent of the radius density; 3 is the scale-invariant one.
        palette: Colours to draw from: the pixels of a picture (1, 3, H, W) in [0, 1], or of several, one of
            which is chosen for each dead leaves picture, so that its colours go together as they do in
            nature. None for colours uniform in the RGB cube.
        supersample: Paint this many times finer and average, so that edges are as smooth as a lens makes
            them. With 1 every pixel has the colour of one leaf, in half the time or less.
        seed: Random seed of the series of pictures.
        start: Number of the first picture in the series.
        device: Where to paint.

    Returns:
        (count, 3, size, size), float32 in [0, 1].

    Raises:
        ValueError: If a size, radius or palette makes no sense.
    """
    r_max = float(size) if r_max is None else r_max
    if count < 0 or size < 1 or supersample < 1 or start < 0:
        raise ValueError(f"count {count}, size {size}, supersample {supersample}, start {start}: too small")
    if not 0.5 <= r_min <= r_max < float("inf"):  # smaller disks could miss every pixel centre
        raise ValueError(f"wanted 0.5 <= r_min <= r_max, got r_min {r_min} and r_max {r_max}")
    palettes = _palettes(palette)
    randoms = [np.random.Generator(np.random.Philox([seed, i])) for i in range(start, start + count)]
    colors = [palettes[random.integers(len(palettes))] if palettes else None for random in randoms]

    side = size * supersample
    scaled = (r_min * supersample, r_max * supersample, alpha)
    layer = _leaves_a_layer(side, *scaled)
    picture = torch.zeros(count, side * side, 3, device=device)
    uncovered = torch.ones(count, side * side, dtype=torch.bool, device=device)
    open_pictures = list(range(count))
    while open_pictures:
        disks, paint = [], []
        for i in open_pictures:
            disk, color = _draw_layer(randoms[i], layer, side, scaled, colors[i])
            disks.append(disk)
            paint.append(color)
        which = torch.tensor(open_pictures, device=device)
        top = _topmost(np.stack(disks), uncovered[which])  # (open, side²): number of the leaf on top
        fresh = uncovered[which] & (top < layer)
        row, pixel = fresh.nonzero(as_tuple=True)
        color = torch.from_numpy(np.stack(paint)).to(device)  # (open, layer, 3)
        picture[which[row], pixel] = color[row, top[row, pixel].long()]
        uncovered[which[row], pixel] = False
        left = uncovered[which].any(1).tolist()
        open_pictures = [i for i, more in zip(open_pictures, left, strict=True) if more]
    picture = picture.view(count, side, side, 3).permute(0, 3, 1, 2).contiguous()
    return F.avg_pool2d(picture, supersample) if supersample > 1 else picture


def _palettes(palette: Tensor | Sequence[Tensor] | None) -> list[np.ndarray]:
    """The pixels of each palette, (K, 3)."""
    if palette is None:
        return []
    pictures = palette.split(1) if isinstance(palette, Tensor) else list(palette)
    for picture in pictures:
        check_picture(picture, "palette")
        if picture.shape[:2] != (1, 3):
            raise ValueError(f"palette: wanted pictures (1, 3, H, W), got shape {tuple(picture.shape)}")
    if not pictures:
        raise ValueError("palette: wanted at least one picture, got none")
    return [picture[0].flatten(1).T.float().cpu().numpy() for picture in pictures]


def _leaves_a_layer(side: int, r_min: float, r_max: float, alpha: float) -> int:
    """So many leaves cover the picture once on average. They are drawn together, for speed alone."""
    plain, rim, corner = _weights(side, r_min, r_max, alpha)
    area = np.pi * _integral(r_min, r_max, alpha - 2)  # of a leaf, integrated over the density r^-alpha
    return max(16, int((plain + rim + corner) / area))


def _draw_layer(
    random: np.random.Generator,
    count: int,
    side: int,
    law: tuple[float, float, float],
    colors: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` leaves from the top down: (count, 3) of centre y, x and radius, and (count, 3) colours."""
    pick, u, y, x = random.random((4, count))
    r = visible_radii(pick, u, side, *law)
    disk = np.stack([y * (side + 2 * r) - r, x * (side + 2 * r) - r, r], axis=1)
    if colors is None:
        color = random.random((count, 3), dtype=np.float32)
    else:
        color = colors[random.integers(len(colors), size=count)]
    return disk.astype(np.float32), color


def _topmost(disks: np.ndarray, uncovered: Tensor) -> Tensor:
    """The number of the topmost disk at each uncovered pixel centre, ``layer`` where there is none.

    Each disk is compared with the pixels of a square window that holds it, not with the whole picture, and
    only if that window has an uncovered pixel. Windows come in a few sizes and lie inside the picture, so
    that all disks of one size are painted at once.

    Args:
        disks: (N, layer, 3), centre y, x and radius; the first is on top.
        uncovered: (N, side²) bool.

    Returns:
        (N, side²) int32; at covered pixels anything up to ``layer``.
    """
    count, layer, _ = disks.shape
    side = round(uncovered.shape[1] ** 0.5)
    device = uncovered.device
    disk = torch.from_numpy(disks.reshape(-1, 3)).to(device)  # (M, 3) with M = N · layer
    number = torch.arange(len(disk), device=device)
    sizes = torch.tensor(_windows(side), device=device)
    # A window this wide holds every pixel centre of the disk, wherever the disk lies on the grid.
    kind = torch.bucketize(2 * disk[:, 2] + 1, sizes.float()).clamp(max=len(sizes) - 1)
    window = sizes[kind]
    # It starts at the disk's first pixel, pushed inside the picture. Pixel i has its centre at i + 0.5.
    corner = (disk[:, :2] - disk[:, 2:]).floor().long().clamp(min=0)
    corner = torch.minimum(corner, (side - window)[:, None])

    # How many pixels are uncovered above and left of each: four entries give the count in any window.
    table = F.pad(uncovered.view(count, side, side).int().cumsum(1).cumsum(2), (1, 0, 1, 0))
    n, (y, x) = number // layer, corner.T
    y_end, x_end = y + window, x + window
    alive = table[n, y_end, x_end] - table[n, y, x_end] - table[n, y_end, x] + table[n, y, x] > 0

    top = torch.full((count * side * side,), layer, dtype=torch.int32, device=device)
    for k, width in enumerate(sizes.tolist()):
        chosen = (alive & (kind == k)).nonzero()[:, 0]
        for part in chosen.split(max(1, 2**22 // width**2)):  # at most 4 million pixels at once
            pixels, orders = _inside(disk[part], corner[part], number[part], width, side, layer)
            top.scatter_reduce_(0, pixels, orders, "amin")
    return top.view(count, side * side)


def _windows(side: int) -> list[int]:
    """Window sides, each about 1.3 times the last, up to the whole picture."""
    sizes = [min(3, side)]
    while sizes[-1] < side:
        sizes.append(min(side, round(sizes[-1] * 1.3)))
    return sizes


def _inside(disk: Tensor, corner: Tensor, number: Tensor, width: int, side: int, layer: int) -> tuple[Tensor, Tensor]:
    """The pixels of M disks, as places in a stack of pictures, and for each the number of its disk."""
    offset = torch.arange(width, device=disk.device)
    center = disk[:, :2] - corner - 0.5  # (M, 2)
    square = (offset - center[:, :, None]) ** 2  # (M, 2, width): of the distances along y and along x
    inside = square[:, 0, :, None] + square[:, 1, None, :] <= disk[:, 2, None, None] ** 2  # (M, width, width)
    m, row, column = inside.nonzero(as_tuple=True)
    first = (number // layer * side + corner[:, 0]) * side + corner[:, 1]
    return first[m] + row * side + column, (number % layer).int()[m]
