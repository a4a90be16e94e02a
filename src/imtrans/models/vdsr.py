"""VDSR: Kim, Lee and Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016."""

from torch import Tensor, nn

from imtrans.models.blocks import conv, he_init


class VDSR(nn.Module):
    """Twenty 3×3 convolutions that predict what a bicubic enlargement lacks; one network for three scales.

    Args:
        channels: Channels of the picture: 1 is luma.
        depth: Number of convolutions, D in the paper. The receptive field is 2·depth + 1.
        features: Channels of the hidden layers.
        scales: Upscaling factors that the network is trained for.
    """

    upsamples = False
    predicts = "the missing detail"

    def __init__(
        self, channels: int = 1, depth: int = 20, features: int = 64, scales: tuple[int, ...] = (2, 3, 4)
    ) -> None:
        super().__init__()
        self.channels = channels
        self.scales = tuple(scales)
        layers = [conv(channels, features), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [conv(features, features), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, conv(features, channels))
        he_init(self)

    def forward(self, interpolated: Tensor) -> Tensor:
        """x + f(x) of a bicubic enlargement x (N, c, H, W): f is the residual r = y − x."""
        return interpolated + self.layers(interpolated)
