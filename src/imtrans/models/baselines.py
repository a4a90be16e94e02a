"""Baselines as if they were networks: a bicubic enlargement, and what was observed as it is."""

from torch import Tensor, nn


class Bicubic(nn.Module):
    """Bicubic interpolation: the enlargement is the result.

    Attributes:
        interpolates: It is plain interpolation, which protocols for 8-bit files compute in 8 bits.
    """

    channels = 1
    upsamples = False
    scales = tuple(range(2, 9))
    interpolates = True

    def forward(self, interpolated: Tensor) -> Tensor:
        """``interpolated`` itself."""
        return interpolated


class Untouched(nn.Module):
    """The observation, noisy or a JPEG, is the result."""

    channels = 1
    upsamples = False
    scales = ()
    sigma = (0, float("inf"))
    quality = (1, 100)

    def forward(self, observed: Tensor) -> Tensor:
        """``observed`` itself."""
        return observed


BASELINES: dict[str, type[nn.Module]] = {"bicubic": Bicubic, "input": Untouched}
