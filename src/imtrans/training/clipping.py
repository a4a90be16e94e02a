"""Bounds on the gradients, applied between the backward pass and the update."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class ClipByRate:
    """VDSR's adjustable clipping (section 3.2): each element of a gradient is clipped to ±θ/γ, γ the current rate.

    The longest possible step, γ · θ/γ = θ, thus stays the same while the rate falls. The paper does not publish θ.
    The paper clips element by element; ports that clip the norm do something else.

    Attributes:
        theta: θ, the longest step of one weight.
    """

    theta: float

    def __call__(self, parameters: Iterable[Tensor], rate: float) -> None:
        """Clip the gradients of ``parameters`` in place, at the current learning rate."""
        nn.utils.clip_grad_value_(parameters, self.theta / rate)

    def __str__(self) -> str:
        return f"gradients clipped to ±{self.theta:g}/rate"


def clip_by_rate(theta: float) -> ClipByRate:
    """VDSR's clipping of each element of a gradient to ±``theta``/rate; see `ClipByRate`."""
    return ClipByRate(theta)
