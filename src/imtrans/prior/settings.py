"""The paper's settings, task by task, as in its supplement and the authors' notebooks.

settings.denoising(sigma=25)
settings.inpainting().narrow(32, 32, 32)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imtrans.models.deep_image_prior import Hourglass


@dataclass(frozen=True)
class Settings:
    """Everything that the paper sets for a task.

    Attributes:
        iterations: Number of Adam's steps.
        shape: Keyword arguments of `Hourglass` that differ from its defaults, which are the paper's for denoising.
        depth: Channels of the input z, drawn from U(0, 0.1).
        meshgrid: Whether z holds the two coordinates of each pixel, in [0, 1], in place of random numbers.
        input_noise: Standard deviation of the Gaussian noise that is added to z anew in each iteration.
        rate: Learning rate of Adam.
    """

    iterations: int
    shape: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 32
    meshgrid: bool = False
    input_noise: float = 0.03
    rate: float = 0.01

    @property
    def z_channels(self) -> int:
        """Channels of the input z."""
        return 2 if self.meshgrid else self.depth

    def network(self, channels: int = 3) -> Hourglass:
        """A new hourglass with random weights.

        Args:
            channels: Channels of the picture.
        """
        return Hourglass(self.z_channels, channels, **self.shape)

    def narrow(self, *widths: int) -> "Settings":
        """The same settings with other widths, for small pictures and short runs.

        Args:
            widths: Channels of each level, down and up; their number is the number of levels. Skips and enlargement
                keep the values of the outer levels.
        """
        outer = {name: value[: len(widths)] for name, value in self.shape.items() if isinstance(value, tuple)}
        return replace(self, shape={**self.shape, **outer, "down": widths, "up": widths})


def denoising(sigma: float = 25) -> Settings:
    """Gaussian noise. 1,800 iterations as in the text; the authors' notebook has 3,000.

    Args:
        sigma: Noise level of the picture in 8-bit levels; above 25 more noise is added to z (1/20, for σ = 50).
    """
    return Settings(1800, input_noise=1 / 20 if sigma > 25 else 1 / 30)


def super_resolution(scale: int = 4) -> Settings:
    """Low resolution; `imtrans.degrade.lanczos_down` is the paper's ``degrade``.

    Args:
        scale: Upscaling factor: the settings are for ×4, above it for ×8.
    """
    return Settings(4000, input_noise=0.05) if scale > 4 else Settings(2000)


def inpainting() -> Settings:
    """Scattered holes, text for instance; skips as wide as the levels ("kate")."""
    return Settings(6000, {"skip": 128, "mode": "nearest"})


def hole_filling() -> Settings:
    """A large hole, from coordinates, without skips ("vase")."""
    return Settings(5000, {"skip": 0, "mode": "nearest"}, meshgrid=True)


def large_hole() -> Settings:
    """The largest hole, by six levels and kernels of 5×5 ("library")."""
    widths = (16, 32, 64, 128, 128, 128)
    shape = {"down": widths, "up": widths, "skip": 0, "kernel": 5, "mode": "nearest", "last_1x1": False}
    return Settings(3000, shape, depth=1, input_noise=0)


def jpeg_cleanup() -> Settings:
    """Artefacts of JPEG, by a network that gets wider as it gets deeper ("snail")."""
    widths = (8, 16, 32, 64, 128)
    return Settings(2400, {"down": widths, "up": widths, "skip": (0, 0, 0, 4, 4)}, depth=3, input_noise=1 / 30)


def half_the_pixels() -> Settings:
    """Half of the pixels are known ("barbara"): a tenth of the rate, for longer."""
    return Settings(11_000, rate=0.001)


def flash() -> Settings:
    """A noisy photograph without flash: z is the photograph with flash (3 channels), and no noise is added to it."""
    mode = ("nearest", "nearest", "bilinear", "bilinear", "bilinear")
    return Settings(600, {"mode": mode}, depth=3, input_noise=0, rate=0.1)
