"""ESPCN: Shi et al., "Real-Time Single Image and Video Super-Resolution …", CVPR 2016."""

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
