"""DnCNN: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian Denoiser", IEEE TIP 2017."""

from torch import Tensor, nn

from imtrans.models.blocks import conv, he_init


class DnCNN(nn.Module):
    """A stack of 3×3 convolutions that predicts the noise; the clean picture is the input minus that (section 3).

    Args:
        channels: Of the picture: 1 is gray, 3 RGB.
        depth: Number of convolutions, D: 17 for one noise level (receptive field 35×35), 20 for blind denoising.
        features: Channels between them.
    """

    upsamples = False
    scales = ()  # no super-resolution

    def __init__(self, channels: int = 1, depth: int = 17, features: int = 64) -> None:
        super().__init__()
        self.channels = channels
        layers = [conv(channels, features), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            # No bias: batch normalisation takes the mean away and adds its own (the authors' code keeps it at 0).
            layers += [conv(features, features, bias=False), nn.BatchNorm2d(features, eps=1e-4), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, conv(features, channels))
        he_init(self)

    def forward(self, noisy: Tensor) -> Tensor:
        """The clean picture x = y − R(y) of a noisy one (N, C, H, W), on the scale of [0, 1]."""
        return noisy - self.layers(noisy)
