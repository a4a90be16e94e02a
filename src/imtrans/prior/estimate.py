"""What a fit costs, before it is started: memory without computing anything, time from two iterations."""

import time
from typing import Any

import torch
from torch import Tensor, nn

from imtrans.prior.fit import iterate
from imtrans.prior.settings import Settings


def needed_bytes(settings: Settings, height: int, width: int, channels: int = 3) -> int:
    """An estimate of the memory that the gradient needs, in bytes; nothing is computed.

    It is twice the sum of all layers' outputs in float32: the outputs, and the copies for mirroring and joining.

    Args:
        settings: Settings of the task.
        height: Height of the restored picture in pixels.
        width: Width of the restored picture in pixels.
        channels: Channels of the picture.

    Raises:
        ValueError: If the picture is too small for the network.
    """
    total = 0

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.element_size()

    with torch.device("meta"):
        network = settings.network(channels)
        for module in network.modules():
            if not list(module.children()):
                module.register_forward_hook(count)
        network(torch.empty(1, settings.z_channels, height, width))
    return 2 * total


def seconds_per_iteration(observed: Tensor, settings: Settings, **options: Any) -> float:
    """Duration of the second iteration in seconds; the first one is slower.

    Args:
        observed: The observation, as for `iterate`.
        settings: Settings of the task.
        **options: Further arguments of `iterate`.
    """
    states = iterate(observed, settings, **options)
    next(states)
    started = time.monotonic()
    next(states)
    return time.monotonic() - started
