"""What the networks of several papers really share."""

import math
from itertools import pairwise

import torch
from torch import nn


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
def to_initial_scale(model: nn.Module) -> None:
    """Bring each convolution that batch normalisation follows back to the size it has after `he_init`.

    The network's answers stay: the normalisation divides the scale out. But training lets such weights grow, and beside
    large weights a step of fixed length turns them little. Who goes on training, with a fresh schedule, wants the steps
    to count as at the start: DnCNN's hidden weights had grown fourfold, and a second schedule did a fourth of its work.
    """
    for sequence in model.modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for layer, norm in pairwise(sequence):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                factor = math.sqrt(2 * layer.out_channels) / layer.weight.norm().item()
                layer.weight.mul_(factor)
                if layer.bias is not None:
                    layer.bias.mul_(factor)
                norm.running_mean.mul_(factor)
                norm.running_var.mul_(factor**2)
