"""Starting weights, where a recipe wants others than those that a network is built with."""

from typing import TypeVar

import torch
from torch import nn

from imtrans.models.blocks import he_init
from imtrans.models.edsr import EDSR, ResidualBlock
from imtrans.models.espcn import ESPCN

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def shrink_last_convolution(model: Network) -> Network:
    """Multiply the weights of the last convolution by 0.1: a residual network's first output is then near its input.

    Without it Muon's first steps are spent on removing the noise that the random network itself adds.
    """
    last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)][-1]
    last.weight.mul_(0.1)
    return model


@torch.no_grad()
def shrink_residual_blocks(model: EDSR) -> EDSR:
    """He's initialisation, then the second convolution of each residual block and the last of all × 0.1."""
    he_init(model)
    for block in model.modules():
        if isinstance(block, ResidualBlock):
            block.layers[-1].weight.mul_(0.1)
    return shrink_last_convolution(model)


@torch.no_grad()
def small_gaussian(model: Network, std: float = 0.001) -> Network:
    """SRCNN's initialisation: weights N(0, 0.001²), biases 0. In a short training PyTorch's default gets further.

    Args:
        model: Network of convolutions.
        std: Standard deviation of the weights.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
    return model


@torch.no_grad()
def icnr(model: ESPCN) -> ESPCN:
    """Aitken et al. 2017: at the start, all r² filters that make the sub-pixels of one colour are copies of the first.

    The untrained network then enlarges by repeating pixels, and its picture has no checkerboard.
    """
    last, phases = model.layers[-1], model.scales[0] ** 2
    for parameter in (last.weight, last.bias):
        parameter.copy_(parameter[::phases].repeat_interleave(phases, dim=0))
    return model
