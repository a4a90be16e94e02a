"""What the networks of several papers really share."""

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
