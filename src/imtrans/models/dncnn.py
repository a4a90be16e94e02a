"""DnCNN: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian Denoiser", IEEE TIP 2017."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from imtrans.models.blocks import conv, he_init
from imtrans.models.vdsr import VDSR


class DnCNN(nn.Module):
    """A stack of 3×3 convolutions that predicts the noise; the clean picture is the input minus that (section 3).

    The paper's networks: DnCNN-S is ``DnCNN()``, 17 layers for one noise level; DnCNN-B, blind, and DnCNN-3, for noise,
    low resolution and JPEG at once, are ``DnCNN(depth=20)``; CDnCNN-B for colour is ``DnCNN(3, depth=20)``.

    Attributes:
        sigma: Noise that the weights are for, in 8-bit levels: one level, or a range (lowest, highest).
        quality: Range of JPEG quality that the weights are for, or None.
        scales: Upscaling factors that the weights are for (of a bicubic enlargement, as VDSR's).
        predicts: What the last layer stands for.

    Args:
        channels: Channels of the picture: 1 is gray, 3 RGB.
        depth: Number of convolutions, D: the receptive field is 2D + 1 pixels wide.
        features: Channels of the hidden layers.
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
        self.predicts = "the noise" if residual else "the picture"
        layers = [conv(channels, features), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            # No bias: batch normalisation removes the mean and adds its own (the authors' code keeps it at 0).
            layers.append(conv(features, features, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(features, eps=1e-4))
            layers.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers, conv(features, channels))
        he_init(self)

    @classmethod
    def for_three_tasks(cls, batch_norm: bool = True) -> "DnCNN":
        """DnCNN-3, for noise, low resolution ×2 ×3 ×4 and JPEG (section 3.4): 20 layers, for luma."""
        model = cls(depth=20, batch_norm=batch_norm)
        model.scales, model.quality = (2, 3, 4), (5, 99)
        return model

    def forward(self, observed: Tensor) -> Tensor:
        """The clean picture x = y − R(y) of an observed one (N, C, H, W), on the scale of [0, 1]."""
        return observed - self.layers(observed) if self.residual else self.layers(observed)

    def for_inference(self) -> "DnCNN":
        """A copy for inference, in evaluation mode: the same function in fewer layers, see `fold_batch_norm`."""
        return fold_batch_norm(self)

    def for_weights(self, names: Iterable[str]) -> "DnCNN":
        """The form of this network that a state dict with these names is for: normalised, or folded."""
        normalised = any(name.endswith("running_mean") for name in names)
        return fold_batch_norm(self) if self.batch_norm and not normalised else self

    def adapt(self, source: nn.Module) -> nn.Module:
        """A neighbour in the form of this network, to start a training from: see `imtrans.models.blocks.start_from`.

        Args:
            source: Trained network: a DnCNN in either form, a VDSR, or another one, which comes back as it is.

        Raises:
            ValueError: If ``source`` lacks the batch normalisation that this network trains with.
        """
        if isinstance(source, VDSR):
            source = from_vdsr(source)
        if isinstance(source, DnCNN) and self.batch_norm and not source.batch_norm:
            raise ValueError("the source is without batch normalisation, and this network trains with it")
        return fold_batch_norm(source) if isinstance(source, DnCNN) and not self.batch_norm else source


@torch.no_grad()
def fold_batch_norm(network: DnCNN) -> DnCNN:
    """The same function without batch normalisation, as the authors release their weights.

    At inference, batch normalisation is affine and folds into the preceding convolution: W' = γ W / √(s² + ε) and
    b' = β − γ μ / √(s² + ε), with the running mean μ and variance s².

    Args:
        network: DnCNN in either form. It stays as it is.

    Returns:
        A copy, in evaluation mode.
    """
    folded = copy.deepcopy(network).eval()
    layers: list[nn.Module] = []
    for layer in folded.layers:
        if isinstance(layer, nn.BatchNorm2d):
            factor = layer.weight / (layer.running_var + layer.eps).sqrt()
            layers[-1].weight *= factor.view(-1, 1, 1, 1)
            layers[-1].bias = nn.Parameter(layer.bias - factor * layer.running_mean)
        else:
            layers.append(layer)
    folded.layers, folded.batch_norm = nn.Sequential(*layers), False
    return folded


@torch.no_grad()
def from_vdsr(vdsr: VDSR) -> DnCNN:
    """The DnCNN without batch normalisation that is the same function as a VDSR.

    The two have the same layers; VDSR returns y + f(y), DnCNN y − R(y), so the last layer changes its sign.

    Args:
        vdsr: Trained VDSR. It stays as it is.

    Returns:
        A DnCNN in evaluation mode, for the same scales; its ``sigma`` stays the default of the class.
    """
    network = DnCNN(vdsr.channels, batch_norm=False)
    network.layers, network.scales = copy.deepcopy(vdsr.layers), vdsr.scales
    for parameter in network.layers[-1].parameters():
        parameter.neg_()
    return network.eval()
