"""What the networks of several papers really share."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def conv(in_channels: int, out_channels: int, kernel_size: int = 3, *, bias: bool = True) -> nn.Conv2d:
    """A convolution of stride 1 that keeps the size: zero padding of half the (odd) kernel."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)


def he_init(model: nn.Module) -> None:
    """He et al. 2015 for networks with ReLU: weights N(0, 2/fan_in), biases 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def small_start(model: Network) -> Network:
    """The same network, its last convolution × 0.1: a residual network's first answer is then near its input.

    Without it Muon's first steps have the network's own noise to unlearn.
    """
    last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)][-1]
    last.weight.mul_(0.1)
    return model
