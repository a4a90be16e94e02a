"""AdaIN, Huang and Belongie 2017: arbitrary style transfer with one network, by means and standard deviations.

    network = zoo.load("adain")
    picture = network(content, style, alpha=0.8)

The encoder is a VGG-19 up to relu4_1 that stays as it is; between it and the decoder lies `adain`; the decoder is the
only part that is trained.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans.models import features

EPSILON = 1e-5  # of the authors' batch-norm call; the slides leave its value open
TAP = "relu4_1"
MIRRORED = ("4_1", "3_4", "3_3", "3_2", "3_1", "2_2", "2_1", "1_2", "1_1")  # the encoder's convolutions, backwards


def mean_and_deviation(x: Tensor, epsilon: float = EPSILON, region: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """μ_nc and σ_nc of each sample and channel, over its positions: two tensors (N, C, 1, 1).

    The variance is biased (1/HW) and ε is inside of the root, as on the slides.

    Args:
        x: Features (N, C, H, W).
        epsilon: ε.
        region: Weights of the positions, (1, 1, H, W) of 0 or more; None weighs all alike.
    """
    if region is None:
        mean = x.mean(dim=(2, 3), keepdim=True)
        variance = (x - mean).square().mean(dim=(2, 3), keepdim=True)
    else:
        share = region / region.sum()
        mean = (share * x).sum(dim=(2, 3), keepdim=True)
        variance = (share * (x - mean).square()).sum(dim=(2, 3), keepdim=True)
    return mean, (variance + epsilon).sqrt()


def adain(x: Tensor, y: Tensor, epsilon: float = EPSILON, region: Tensor | None = None) -> Tensor:
    """AdaIN(x, y) = σ(y) (x − μ(x)) / σ(x) + μ(y): the content's features with the style's statistics.

    With the same ε in both deviations AdaIN(x, x) is x. The authors' code has it in σ(x) alone.

    Args:
        x: Content features (N, C, H, W).
        y: Style features (N or 1, C, any height and width): only their statistics count.
        epsilon: ε.
        region: Where the style belongs, (1, 1, H, W): statistics of ``x`` are then those of the region.
    """
    mean_x, deviation_x = mean_and_deviation(x, epsilon, region)
    mean_y, deviation_y = mean_and_deviation(y, epsilon)
    return deviation_y * (x - mean_x) / deviation_x + mean_y


class Decoder(nn.Module):
    """The encoder mirrored: nearest-neighbour upsampling where it pools, reflection padding, no norm, no last ReLU.

    Args:
        width: Fraction of the channels of VGG-19.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        encoder = features.VGG([TAP], width=width).convolutions
        for name in MIRRORED:
            before, after = encoder[name].out_channels, encoder[name].in_channels
            self.convolutions[name] = nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, 8 H, 8 W), about in [0, 1] and not clipped, of features (N, C, H, W)."""
        for name, convolution in self.convolutions.items():
            x = convolution(x)
            if name != "1_1":
                x = F.relu(x)
            if name in ("4_1", "3_1", "2_1"):  # a pooling lies before these in the encoder
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        return x


class AdaIN(nn.Module):
    """Encoder, AdaIN and decoder.

    Args:
        width: Fraction of the channels of VGG-19: 1 is the paper's network, 1/4 the one that ships.
        mean: Subtracted from RGB before the encoder, see `features.VGG`.
        std: The divisor after that.
    """

    channels = 3
    about = "VGG-19 up to relu4_1 and its mirror image"  # which encoder and decoder these are

    def __init__(
        self,
        width: float = 1.0,
        mean: Sequence[float] = features.IMAGENET_MEAN,
        std: Sequence[float] = features.IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.encoder = features.VGG([TAP], width=width, padding="reflect", mean=mean, std=std)
        self.encoder.requires_grad_(False)
        self.decoder = Decoder(width)

    @classmethod
    def small(cls) -> "AdaIN":
        """A quarter of the channels: as wide as `features.SmallVGG`, whose trunk its trained encoder is."""
        network = cls(width=1 / 4)
        network.about = "encoder and decoder of the course with a quarter of VGG-19's channels; not VGG-19"
        return network

    def encode(self, picture: Tensor) -> Tensor:
        """f: features (N, C, H/8, W/8) at relu4_1 of RGB pictures (N, 3, H, W) in [0, 1]; C is 512 · width."""
        return self.encoder(picture)[TAP]

    def forward(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """T(c, s, α) = g((1 − α) f(c) + α AdaIN(f(c), f(s))), not clipped; sides are cut to multiples of 8.

        Args:
            content: RGB pictures (N, 3, H, W) in [0, 1].
            style: RGB pictures (N or 1, 3, any height and width) in [0, 1].
            alpha: Strength of the style, 0 to 1.
        """
        x = self.encode(content)
        return self.decoder(torch.lerp(x, adain(x, self.encode(style)), alpha))


# -- the released pair --

_FOLDER = (
    "https://raw.githubusercontent.com/MingSun-Tse/Collaborative-Distillation/"
    "75c1b81c1dbea11c96d3fb04e96f207dee16dcbb/trained_models/"
)
PAIR = (
    features.WeightsFile(
        "vgg19_16x_student/4SE.pth",
        _FOLDER + "wct_se_16x_new/4SE.pth",
        "d2f059cbcd6669556a43aadef58d20c8b280462c18b60a9e7424a14dd271cd6b",
        "MIT",
    ),
    features.WeightsFile(
        "vgg19_16x_student/4SD.pth",
        _FOLDER + "wct_se_16x_new_sd/20191111-092553_E20.pth",
        "902f65e2c6033d803d02df552eb898e5985190a7ae67d155e384826eec6f04cb",
        "MIT",
    ),
)


def fetch_pair() -> None:
    """Fetch the released pair, 2 MB, into the cache, after a word about source and licence.

    Raises:
        FileNotFoundError: If it could not be fetched.
    """
    for file in PAIR:
        features.fetch(file)


def pair() -> AdaIN:
    """The encoder and decoder that Wang et al. 2020 released: a student of VGG-19 with a quarter of its channels.

    Their decoder was trained to reconstruct pictures, not to stylise them. It ends in a ReLU; here negative values are
    left to whoever clips the picture.

    Raises:
        FileNotFoundError: If the two files are not on this machine.
    """
    found = [features.find(file) for file in PAIR]
    if None in found:
        raise FileNotFoundError("the released pair is not on this machine: imtrans data fetch pair (2 MB)")
    encoder, decoder = (torch.load(path, map_location="cpu", weights_only=True)["model"] for path in found)
    network = AdaIN(1 / 4, *features.IDENTITY)
    network.about = "the student of Wang et al. 2020 with a quarter of VGG-19's channels, and their decoder; not VGG-19"
    network.encoder.convolutions.load_state_dict(features.from_student(encoder, network.encoder))
    network.decoder.convolutions.load_state_dict(from_student(decoder, network.decoder))
    return network.requires_grad_(False).eval()


def from_student(weights: Mapping[str, Tensor], network: Decoder) -> dict[str, Tensor]:
    """The released decoder's ``convBN`` as our ``B_N``."""
    return {
        f"{ours}.{kind}": weights[f"conv{ours.replace('_', '')}.{kind}"]
        for ours in network.convolutions
        for kind in ("weight", "bias")
    }
