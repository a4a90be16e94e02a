"""DnCNN: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian Denoiser", IEEE TIP 2017."""

import copy

import torch
from torch import Tensor, nn

from imtrans.models.blocks import conv, he_init
from imtrans.models.vdsr import VDSR


class DnCNN(nn.Module):
    """A stack of 3×3 convolutions that predicts the noise; the clean picture is the input minus that (section 3).

    The paper's networks: DnCNN-S is ``DnCNN()``, 17 layers for one noise level; DnCNN-B, blind, and DnCNN-3, for noise,
    low resolution and JPEG at once, are ``DnCNN(depth=20)``; CDnCNN-B for colour is ``DnCNN(3, depth=20)``.

    Attributes:
        sigma: The noise, in 8-bit levels, that its weights are for: a level, or a range (lowest, highest).
        quality: The range of JPEG quality that its weights are for, or None.
        scales: Of super-resolution, for weights that know it (of a bicubic enlargement, as VDSR's).

    Args:
        channels: Of the picture: 1 is gray, 3 RGB.
        depth: Number of convolutions, D: the receptive field has 2D + 1 pixels a side.
        features: Channels between them.
        residual: Predict the noise, R(y); without, the clean picture itself, F(y) (section 3.3's comparison).
        batch_norm: Normalise after each convolution but the first and the last; without, these have biases.
    """

    upsamples = False
    scales: tuple[int, ...] = ()
    sigma: float | tuple[float, float] = (0, 55)
    quality: tuple[int, int] | None = None

    def __init__(
        self,
        channels: int = 1,
        depth: int = 17,
        features: int = 64,
        residual: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.channels, self.residual, self.batch_norm = channels, residual, batch_norm
        layers = [conv(channels, features), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            # No bias: batch normalisation takes the mean away and adds its own (the authors' code keeps it at 0).
            layers.append(conv(features, features, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(features, eps=1e-4))
            layers.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers, conv(features, channels))
        he_init(self)

    @classmethod
    def three(cls, batch_norm: bool = True) -> "DnCNN":
        """DnCNN-3, which knows noise, low resolution ×2 ×3 ×4 and JPEG (section 3.4): 20 layers, for luma."""
        model = cls(depth=20, batch_norm=batch_norm)
        model.scales, model.quality = (2, 3, 4), (5, 99)
        return model

    def forward(self, observed: Tensor) -> Tensor:
        """The clean picture x = y − R(y) of an observed one (N, C, H, W), on the scale of [0, 1]."""
        return observed - self.layers(observed) if self.residual else self.layers(observed)

    def for_inference(self) -> "DnCNN":
        """The same function with less work: a copy with its batch normalisation folded; itself where it has none."""
        return merged(self) if self.batch_norm else self


@torch.no_grad()
def merged(network: DnCNN | VDSR) -> DnCNN:
    """The same function without batch normalisation, as the authors release their weights.

    In use it is affine and goes into the convolution before it: W' = γ W / √(s² + ε), b' = β − γ μ / √(s² + ε), with
    the running mean μ and variance s². A VDSR has none, and its layers: it answers y + f(y), a DnCNN y − R(y).

    Args:
        network: With or without batch normalisation. It stays as it is.
    """
    network = copy.deepcopy(network).eval()
    layers: list[nn.Module] = []
    for layer in network.layers:
        if isinstance(layer, nn.BatchNorm2d):
            factor = layer.weight / (layer.running_var + layer.eps).sqrt()
            layers[-1].weight *= factor.view(-1, 1, 1, 1)
            layers[-1].bias = nn.Parameter(layer.bias - factor * layer.running_mean)
        else:
            layers.append(layer)
    if isinstance(network, VDSR):
        scales = network.scales
        network = DnCNN(network.channels, batch_norm=False)
        network.scales = scales
        for parameter in layers[-1].parameters():
            parameter.neg_()
    network.layers, network.batch_norm = nn.Sequential(*layers), False
    return network
