"""ESPCN: Shi et al., "Real-Time Single Image and Video Super-Resolution …", CVPR 2016."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans.models.blocks import conv


class ESPCN(nn.Module):
    """Convolutions at low resolution; the last one makes r² channels that are woven into one picture (section 3).

    Args:
        scale: Upscaling factor, r in the paper.
        channels: Channels of the picture, C: 1 is luma.
        activation: ``"tanh"``, the paper's final choice, or ``"relu"``, its comparison.

    Raises:
        ValueError: On another activation.
    """

    upsamples = True

    def __init__(self, scale: int = 3, channels: int = 1, activation: str = "tanh") -> None:
        super().__init__()
        activations = {"tanh": nn.Tanh, "relu": nn.ReLU}
        if activation not in activations:
            raise ValueError(f"activation must be tanh or relu, got {activation!r}")
        self.channels = channels
        self.scales = (scale,)
        self.layers = nn.Sequential(
            conv(channels, 64, 5),  # zero padding as all ports have it; the paper trains on valid outputs, it seems
            activations[activation](),
            conv(64, 32, 3),
            activations[activation](),
            conv(32, channels * scale**2, 3),
        )
        # The paper's formula for the shuffle, read with rows first, orders sub-pixels by columns; PyTorch orders them
        # by rows. A network trained from the start does not care: the last convolution's channels are permuted.
        self.shuffle = nn.PixelShuffle(scale)  # PS: (N, C·r², H, W) -> (N, C, r·H, r·W)

    def forward(self, low_res: Tensor) -> Tensor:
        """The picture (N, C, r·H, r·W) of a low resolution (N, C, H, W)."""
        return self.shuffle(self.layers(low_res))


def periodic_shuffle(maps: Tensor, scale: int) -> Tensor:
    """PS of equation 4, index by index; x are the rows, y the columns, both counted from 0.

    PS(T)[x, y, c] = T[⌊x/r⌋, ⌊y/r⌋, C·r·mod(y, r) + C·mod(x, r) + c]. The slides have a small c in place of the
    number of colours C, which is right for one colour only, counted from 1.

    Args:
        maps: T, (N, C·r², H, W).
        scale: r.

    Returns:
        The picture (N, C, r·H, r·W).

    Raises:
        ValueError: If the number of maps is not a multiple of r².
    """
    _, channels, height, width = maps.shape
    if channels % scale**2:
        raise ValueError(f"{channels} maps are not a multiple of {scale}²")
    colors = channels // scale**2
    x = torch.arange(scale * height).view(-1, 1, 1)
    y = torch.arange(scale * width).view(1, -1, 1)
    c = torch.arange(colors)
    channel = colors * scale * (y % scale) + colors * (x % scale) + c  # (r·H, r·W, C)
    return maps[:, channel, x // scale, y // scale].permute(0, 3, 1, 2)


def shuffle_order(scale: int, channels: int = 1) -> Tensor:
    """The order of channels that turns PyTorch's shuffle into the paper's.

    ``nn.PixelShuffle(r)(maps[:, shuffle_order(r, C)])`` equals ``periodic_shuffle(maps, r)``. So do a convolution whose
    filters and biases are indexed by it and PyTorch's shuffle.

    Args:
        scale: r.
        channels: C, colours of the picture.

    Returns:
        (C·r²,), whole numbers.
    """
    # PyTorch reads channel c·r² + r·i + j for colour c, row i and column j of a block; the paper C·r·j + C·i + c.
    by_paper = torch.arange(channels * scale**2).view(scale, scale, channels)  # [j, i, c]
    return by_paper.permute(2, 1, 0).flatten()  # [c, i, j]


def as_transposed(weight: Tensor, scale: int) -> Tensor:
    """W_s of section 3.2: one wide kernel of a transposed convolution in place of r² kernels and a shuffle.

    ``conv_transpose2d(x, W_s, stride=r, padding=r·(k // 2))`` equals
    ``pixel_shuffle(conv2d(x, W, padding=k // 2), r)``.

    Args:
        weight: Weights W of the last convolution, (C·r², n, k, k).
        scale: r.

    Returns:
        (n, C, r·k, r·k): the r² kernels, turned over and woven into one.
    """
    return F.pixel_shuffle(weight.flip(-2, -1).transpose(0, 1), scale)
