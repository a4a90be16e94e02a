"""A world made by code, in which the shape of a thing tells which colours it may have, and nothing else does.

Discs are red, green or yellow, squares blue or orange, triangles violet. What colour a disc has is decided by a die:
its lightness is drawn as that of all others, and so is what lies behind it. A colorizer can learn the sets, and how
often each colour occurs; there is nothing more to learn.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Shape → its colours as (a, b) of Lab, each with its probability.
KINDS: dict[str, dict[tuple[int, int], float]] = {
    "disc": {(60, 40): 0.5, (-50, 40): 0.3, (0, 60): 0.2},  # red, green, yellow
    "square": {(-10, -40): 0.5, (30, 50): 0.5},  # blue, orange: their mean is nearly gray
    "triangle": {(40, -50): 1.0},  # violet
}
CELL = 32  # pixels: each cell of a scene holds at most one shape


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        lightness: L of Lab, (1, side, side).
        ab: a and b, (2, side, side); 0 on the ground.
        kind: Index of the shape in `KINDS` for each pixel, −1 on the ground, (side, side).
    """

    lightness: Tensor
    ab: Tensor
    kind: Tensor


@dataclass(frozen=True)
class ShapeWorld:
    """Endless scenes: sample ``i`` is L (1, side, side) and the a and b of every fourth pixel, as for a colorizer.

    Args:
        cells: Cells per side; a scene is 32 times as many pixels wide.
        seed: Random seed of the scenes.
    """

    cells: int = 2
    seed: int = 0

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        scene = self.scene(index)
        return scene.lightness, scene.ab[:, 2::4, 2::4]

    def scene(self, index: int) -> Scene:
        """The scene of a number, a function of that and of the seed alone."""
        random = np.random.default_rng([self.seed, index])
        side = CELL * self.cells
        rows, columns = np.mgrid[:side, :side].astype(np.float32)
        slope = random.uniform(-0.3, 0.3, 2)
        light = random.uniform(25, 75) + slope[0] * (rows - side / 2) + slope[1] * (columns - side / 2)
        ab, kinds = np.zeros((2, side, side), np.float32), np.full((side, side), -1)
        for cell in range(self.cells**2):
            kind = int(random.integers(len(KINDS) + 1)) - 1
            radius = random.uniform(9, 14)
            corner = CELL * np.array(divmod(cell, self.cells))
            y, x = corner + random.uniform(radius, CELL - radius, 2)
            if kind < 0:
                continue
            inside = _inside(list(KINDS)[kind], rows - y, columns - x, radius)
            colors = list(KINDS.values())[kind]
            color = list(colors)[random.choice(len(colors), p=list(colors.values()))]
            light = np.where(inside, random.uniform(45, 65) + 0.4 * (y - rows), light)  # lit from above
            ab[:, inside] = np.array(color, np.float32)[:, None]
            kinds[inside] = kind
        light = np.clip(light + random.normal(0, 1.5, light.shape), 5, 95)
        return Scene(torch.from_numpy(light.astype(np.float32))[None], torch.from_numpy(ab), torch.from_numpy(kinds))


def _inside(shape: str, y: np.ndarray, x: np.ndarray, radius: float) -> np.ndarray:
    """Which pixels belong to a shape around (0, 0)."""
    if shape == "disc":
        return y**2 + x**2 < radius**2
    if shape == "square":
        return np.maximum(abs(y), abs(x)) < 0.85 * radius
    return (abs(x) < (y + radius) / 1.7) & (y < 0.75 * radius)
