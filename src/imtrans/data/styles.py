"""Style pictures drawn by code: nobody's painting, free to use, the same on every machine.

    STYLES["strokes"]()  # (1, 3, 384, 384) in [0, 1]

Style transfer takes from a picture what it has at each scale, so each of these has something at several: fine bristles
or streaks, strokes or panes, and fields of colour that run across the whole.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SIDE = 384
SUPERSAMPLE = 2  # drawn this many times finer, then averaged


def strokes(size: int = SIDE, seed: int = 3) -> Tensor:
    """Brush strokes that follow a flow around three eddies: broad ones below, narrow ones above them.

    Args:
        size: Side of the picture in pixels.
        seed: Random seed of the strokes.

    Returns:
        (1, 3, size, size) in [0, 1].
    """
    from PIL import Image, ImageDraw

    random = np.random.RandomState(seed)
    side = size * SUPERSAMPLE
    # x, y, radius, and the sense of rotation; all lengths are fractions of the side
    eddies = np.array([(0.30, 0.27, 0.20, 1.0), (0.76, 0.42, 0.15, -1.0), (0.14, 0.74, 0.11, -1.0)])
    image = Image.new("RGB", (side, side), (20, 30, 66))
    draw = ImageDraw.Draw(image)
    for width, length, count in ((0.030, 0.20, 900), (0.016, 0.12, 2200), (0.008, 0.07, 3000)):
        for x, y in random.uniform(-0.05, 1.05, (count, 2)):
            near = _nearness(x, y, eddies)
            if width < 0.01 and near.max() < 0.15 + 0.5 * random.rand():
                continue  # the finest strokes gather around the eddies
            path = _follow(x, y, length * random.uniform(0.6, 1.3), eddies)
            color = _dusk(x, y, near, random)
            _stroke(draw, path * side, width * side, color, random)
    fine = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(_shrink(fine))


def glass(size: int = SIDE, seed: int = 5) -> Tensor:
    """Leaded glass: rays and rings of jewel colours around a sun, cut into large and small panes with dark leads.

    Args:
        size: Side of the picture in pixels.
        seed: Random seed of the panes.

    Returns:
        (1, 3, size, size) in [0, 1].
    """
    random = np.random.RandomState(seed)
    side = size * SUPERSAMPLE
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side

    # Panes: the cells of points that lie close together near the sun, and apart far from it
    sun = np.array((0.62, 0.36))
    points = random.uniform(-0.05, 1.05, (4000, 2))
    kept: list[np.ndarray] = []
    for point in points:
        apart = 0.022 + 0.075 * min(1.0, np.hypot(*(point - sun)) / 0.75) * (0.55 + 0.45 * np.sin(9 * point[1]) ** 2)
        if all(np.hypot(*(point - other)) > apart for other in kept):
            kept.append(point)
    cells = np.stack(kept)
    nearest, (pane, neighbour) = _two_nearest(x, y, cells)

    # Colours: petals around the sun, two jewel colours in turn for each ring of them, a shade of its own for each pane
    radius, angle = np.hypot(*(cells - sun).T), np.arctan2(*(cells - sun).T[::-1])
    petal = np.floor(angle * 7 / (2 * np.pi)).astype(int)
    ring = np.minimum(4, (radius / (0.17 + 0.05 * np.cos(7 * angle))).astype(int))
    jewels = np.array(
        [
            [(252, 222, 110), (246, 196, 70)],
            [(226, 96, 36), (196, 36, 44)],
            [(30, 130, 160), (24, 78, 150)],
            [(110, 176, 92), (222, 184, 96)],
            [(88, 34, 92), (34, 40, 104)],
        ]
    )
    tint = jewels[ring, (petal + ring) % 2] / 255
    tint = tint * random.uniform(0.66, 1.16, (len(cells), 1)) + random.uniform(-0.05, 0.05, (len(cells), 3))
    field = 10 * ring + petal
    lead = 0.003 + 0.003 * _smooth_noise(random, side, 7) + 0.006 * (field[pane] != field[neighbour])

    # Glass: streaks along a direction of the pane's own, brighter towards one side
    turn = random.uniform(0, np.pi, len(cells))[pane]
    along = (x - cells[pane, 0]) * np.cos(turn) + (y - cells[pane, 1]) * np.sin(turn)
    across = (y - cells[pane, 1]) * np.cos(turn) - (x - cells[pane, 0]) * np.sin(turn)
    wobble = _smooth_noise(random, side, 12)
    streaks = np.sin(260 * across + 9 * wobble) * (0.5 + 0.5 * np.sin(37 * along + 5 * wobble))
    light = 1 + 1.6 * along + 0.11 * streaks + 0.22 * (_smooth_noise(random, side, 40) - 0.5)
    picture = tint[pane] * light[..., None]

    # Leads: dark, with a dull edge of light
    distance = nearest[1] - nearest[0]
    edge = np.clip((distance - lead) / 0.0025, 0, 1)[..., None]
    rim = np.exp(-(((distance - lead - 0.006) / 0.004) ** 2))[..., None]
    picture = edge * (picture + 0.10 * rim) + (1 - edge) * np.array((0.07, 0.065, 0.08))
    return torch.from_numpy(_shrink(np.clip(picture, 0, 1).astype(np.float32)))


STYLES: dict[str, Callable[..., Tensor]] = {"strokes": strokes, "glass": glass}


def _shrink(fine: np.ndarray) -> np.ndarray:
    """(side, side, 3) → (1, 3, size, size), in steps of 8 bits."""
    side, k = fine.shape[0], SUPERSAMPLE
    mean = fine.reshape(side // k, k, side // k, k, 3).mean(axis=(1, 3))
    return np.ascontiguousarray((np.rint(mean * 255) / 255).transpose(2, 0, 1)[None].astype(np.float32))


def _smooth_noise(random: np.random.RandomState, side: int, knots: int) -> np.ndarray:
    """Noise in [0, 1] that is smooth between ``knots`` × ``knots`` random values, (side, side)."""
    coarse = torch.from_numpy(random.rand(1, 1, knots, knots))
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    return fine[0, 0].clamp(0, 1).numpy()


def _two_nearest(x: np.ndarray, y: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and to the second nearest of some points, and their numbers, both (2, side, side)."""
    distances, numbers = np.full((2, *x.shape), np.inf, dtype=np.float32), np.zeros((2, *x.shape), dtype=int)
    for number, (px, py) in enumerate(points):
        distance = np.hypot(x - px, y - py)
        first, second = distance < distances[0], distance < distances[1]
        for values, new in ((distances, distance), (numbers, number)):
            values[1] = np.where(first, values[0], np.where(second, new, values[1]))
            values[0] = np.where(first, new, values[0])
    return distances, numbers


def _nearness(x: float, y: float, eddies: np.ndarray) -> np.ndarray:
    """How much a place belongs to each eddy, in [0, 1]."""
    return np.exp(-((x - eddies[:, 0]) ** 2 + (y - eddies[:, 1]) ** 2) / (2 * (0.62 * eddies[:, 2]) ** 2))


def _follow(x: float, y: float, length: float, eddies: np.ndarray, steps: int = 9) -> np.ndarray:
    """A path along the flow: a slow wave from left to right, and around the eddies, (steps, 2)."""
    path = []
    for _ in range(steps):
        path.append((x, y))
        near = _nearness(x, y, eddies)
        dx = (1 - near.max()) * 0.9 + (near * eddies[:, 3] * -(y - eddies[:, 1]) / eddies[:, 2]).sum() * 3
        dy = (1 - near.max()) * 0.5 * np.sin(5 * x + 3 * y) + (
            near * eddies[:, 3] * (x - eddies[:, 0]) / eddies[:, 2]
        ).sum() * 3
        norm = np.hypot(dx, dy) + 1e-6
        x, y = x + length / steps * dx / norm, y + length / steps * dy / norm
    return np.array(path)


def _dusk(x: float, y: float, near: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """The colour of a stroke in levels: night above, water and earth below, light in the eddies."""
    night = ((22, 34, 88), (32, 62, 128), (44, 98, 156), (30, 48, 104))
    water = ((34, 112, 128), (66, 148, 150), (24, 82, 112), (120, 176, 160))
    earth = ((112, 52, 40), (70, 36, 46), (166, 84, 42), (50, 44, 74))
    height = y + 0.05 * np.sin(8 * x) + 0.05 * random.randn()
    palette = night if height < 0.56 else water if height < 0.80 else earth
    color = np.array(palette[random.randint(4)], dtype=float)
    if near.max() > 0.22 + 0.12 * random.randn():
        rings = ((248, 232, 178), (242, 196, 84), (224, 142, 46), (96, 148, 172))
        ring = min(3, int(4 * (1 - near.max()) * 1.25))
        color = np.array(rings[ring], dtype=float)
    return color + random.randn() * 12 + random.randn(3) * 5


def _stroke(
    draw: "ImageDraw",  # noqa: F821
    path: np.ndarray,
    width: float,
    color: np.ndarray,
    random: np.random.RandomState,
) -> None:
    """Paint a stroke with round ends, and bristles in it, lighter and darker."""
    _line(draw, path, width, color)
    direction = np.gradient(path, axis=0)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    for offset in np.linspace(-0.36, 0.36, max(2, int(width / 3.5))):
        shade = color + random.randn() * 16 - 26 * offset  # lit from one side
        _line(draw, path + normal * offset * width, max(1.5, 0.16 * width), shade)


def _line(draw: "ImageDraw", path: np.ndarray, width: float, color: np.ndarray) -> None:  # noqa: F821
    fill = tuple(int(level) for level in np.clip(color, 0, 255))
    points = [tuple(float(v) for v in point) for point in path]
    draw.line(points, fill=fill, width=max(1, round(width)), joint="curve")
    r = width / 2
    for px, py in (points[0], points[-1]):
        draw.ellipse((px - r, py - r, px + r, py + r), fill=fill)
