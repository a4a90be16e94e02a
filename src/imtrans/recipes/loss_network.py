"""The frozen network whose features a loss compares."""

from collections.abc import Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from imtrans import hardware
from imtrans.models import features
from imtrans.training.loop import loss_is_scaled


def held_out_trunk() -> str | None:
    """The hybrid, as on the cards, where its files are here; else None, which stands for the best trunk here."""
    return "hybrid" if features.has_hybrid() else None


class LossNetwork:
    """A frozen feature network in the precision and layout that suit the device of its pictures.

    fp16 is for trainings that scale their loss, those under autocast: unscaled gradients would vanish in it. It is
    loaded with the first pictures: a recipe can be read without it.

    Args:
        taps: Names of the features.
        trunk: One of `features.TRUNKS`; None is the best one on this machine.
    """

    def __init__(self, taps: Iterable[str], trunk: str | None = "hybrid") -> None:
        self.taps, self.trunk = tuple(taps), trunk
        self.network: nn.Module | None = None

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        """The features of RGB pictures (N, 3, H, W) in [0, 1], by tap, in fp32.

        Raises:
            FileNotFoundError: If the weights of the trunk are not on this machine.
        """
        if self.network is None:
            self.network = features.load(self.taps, self.trunk)
        layout, low = hardware.memory_format(picture.device), hardware.autocast_dtype(picture.device)
        if low == torch.float16 and not loss_is_scaled.get():
            low = None
        network = self.network.to(picture.device, memory_format=layout)
        with torch.autocast(picture.device.type, low) if low else nullcontext():
            found = network(picture.contiguous(memory_format=layout))
        return {tap: x.float() for tap, x in found.items()}
