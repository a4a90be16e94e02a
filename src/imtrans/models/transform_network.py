"""Image transformation networks, for styles and for super-resolution.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016; the layers
are those of the supplementary material.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VGG_MEAN = (123.68, 116.779, 103.939)  # mean levels of R, G and B over ImageNet, as the loss network subtracts them
MEAN = torch.tensor(VGG_MEAN).view(1, 3, 1, 1)
NORMS = {"batch": nn.BatchNorm2d, "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True)}
LAYOUTS = ("published", "resize")


class ScaledTanh(nn.Module):
    """m + 150 tanh(x) on the scale of [0, 1]: the last layer of both networks.

    The paper says that it keeps levels in [0, 255]. With the factor 150 of the authors' code they lie between −46 and
    274; whoever writes them to a file clips them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1) / 255, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (N, 3, H, W)."""
        return self.mean + 150 / 255 * torch.tanh(x)


def prepared(picture: Tensor, mean: Tensor = MEAN) -> Tensor:
    """Levels less their means, the input of both networks, of RGB (N, 3, H, W) on the scale of [0, 1].

    Departure: the authors' order of the channels is BGR, that of Caffe. The first layer can learn either.

    Args:
        picture: RGB on the scale of [0, 1].
        mean: Mean levels (1, 3, 1, 1), on the device of the picture.
    """
    return 255 * picture - mean


def normalized(convolution: nn.Module, norm: str, *, relu: bool = True) -> nn.Sequential:
    """A convolution, its normalisation and a ReLU: the unit that both networks are made of."""
    layers = [convolution, NORMS[norm](convolution.out_channels)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class ResidualBlock(nn.Module):
    """x + norm(W2 ReLU(norm(W1 x))), with no ReLU after the sum (Gross and Wilber's variant, as the authors use it).

    Args:
        channels: Number of channels.
        norm: ``"batch"`` or ``"instance"``.
        padding: ``"none"`` loses two pixels at each side, and the sum is over the middle of x; ``"zeros"`` or
            ``"reflect"`` keeps the size.
    """

    def __init__(self, channels: int, norm: str, padding: str = "none") -> None:
        super().__init__()
        self.crop = 2 if padding == "none" else 0
        options = {"padding": 0} if padding == "none" else {"padding": 1, "padding_mode": padding}
        first, second = (nn.Conv2d(channels, channels, 3, **options) for _ in range(2))
        self.layers = nn.Sequential(*normalized(first, norm), *normalized(second, norm, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), without padding (N, C, H − 4, W − 4)."""
        height, width = x.shape[-2:]
        return x[..., self.crop : height - self.crop, self.crop : width - self.crop] + self.layers(x)


class StyleNetwork(nn.Module):
    """Gives a photograph one style, in one pass: down to a quarter of the size, residual blocks, up again.

    The defaults are the paper's. The authors' later models, which look better, have ``norm="instance"`` and half the
    width.

    Args:
        width: Fraction of the paper's channels, which are 32, 64 and 128.
        blocks: Number of residual blocks.
        norm: ``"batch"`` as in the paper, or ``"instance"`` (Ulyanov et al. 2016).
        layout: ``"published"``: the picture is reflected by 40 pixels once, the residual blocks do not pad and lose
            just these pixels, and convolutions of stride 1/2 enlarge. ``"resize"``: a departure that others made too
            (Dumoulin et al. 2017): every convolution pads by reflection, and pixels are repeated before a plain
            convolution, where a transposed one reads some pixels more often than others and leaves a checkerboard. It
            has the same weights and fewer operations.

    Raises:
        ValueError: On another norm or layout.
    """

    channels = 3
    upsamples = False
    scales = ()

    def __init__(self, width: float = 1.0, blocks: int = 5, *, norm: str = "batch", layout: str = "published") -> None:
        super().__init__()
        if norm not in NORMS or layout not in LAYOUTS:
            raise ValueError(f"norm is batch or instance, layout published or resize; got {norm!r} and {layout!r}")
        self.register_buffer("mean", MEAN.clone(), persistent=False)
        small, medium, large = (round(width * channels) for channels in (32, 64, 128))
        published = layout == "published"
        padding_mode = "zeros" if published else "reflect"

        def unit(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
            options = {"stride": stride, "padding": kernel // 2, "padding_mode": padding_mode}
            return normalized(nn.Conv2d(before, after, kernel, **options), norm)

        def up(before: int, after: int) -> nn.Sequential:
            if published:
                transposed = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
                return normalized(transposed, norm)
            return nn.Sequential(nn.Upsample(scale_factor=2), *unit(before, after, 3))

        self.layers = nn.Sequential(
            nn.ReflectionPad2d(8 * blocks if published else 0),  # 2 convolutions per block, 1 pixel each, at size / 4
            unit(3, small, 9),
            unit(small, medium, 3, stride=2),
            unit(medium, large, 3, stride=2),
            *(ResidualBlock(large, norm, "none" if published else "reflect") for _ in range(blocks)),
            up(large, medium),
            up(medium, small),
            nn.Conv2d(small, 3, 9, padding=4, padding_mode=padding_mode),
            ScaledTanh(),
        )

    @classmethod
    def small(cls) -> "StyleNetwork":
        """Ours: half the paper's width, instance normalisation, resized instead of transposed (424,899 parameters)."""
        return cls(1 / 2, norm="instance", layout="resize")

    def forward(self, content: Tensor) -> Tensor:
        """The stylised picture (N, 3, H, W) of RGB (N, 3, H, W) on the scale of [0, 1]; it may leave that range.

        Sides that are no multiples of 4 are completed by reflection and cut again.
        """
        height, width = content.shape[-2:]
        x = F.pad(prepared(content, self.mean), (0, -width % 4, 0, -height % 4), mode="reflect")
        return self.layers(x)[..., :height, :width]


class SuperResolutionNetwork(nn.Module):
    """Enlarges by 4 or 8: residual blocks at low resolution, then one step of ×2 per factor of two.

    Args:
        scale: Upscaling factor, 4 or 8.
        width: Fraction of the paper's 64 channels.
        blocks: Number of residual blocks.
        layout: As for `StyleNetwork`; here the published one pads its residual blocks by zeros.

    Raises:
        ValueError: On another scale or layout.
    """

    channels = 3
    upsamples = True

    def __init__(self, scale: int = 4, width: float = 1.0, blocks: int = 4, *, layout: str = "published") -> None:
        super().__init__()
        if scale not in (4, 8) or layout not in LAYOUTS:
            raise ValueError(f"scale is 4 or 8, layout published or resize; got {scale} and {layout!r}")
        self.scales = (scale,)
        self.register_buffer("mean", MEAN.clone(), persistent=False)
        features = round(64 * width)
        published = layout == "published"
        padding_mode = "zeros" if published else "reflect"

        def up() -> list[nn.Module]:
            if published:
                layer = nn.ConvTranspose2d(features, features, 3, stride=2, padding=1, output_padding=1)
                return [normalized(layer, "batch")]
            layer = nn.Conv2d(features, features, 3, padding=1, padding_mode=padding_mode)
            return [nn.Upsample(scale_factor=2), normalized(layer, "batch")]

        ends = {"padding": 4, "padding_mode": padding_mode}
        self.layers = nn.Sequential(
            normalized(nn.Conv2d(3, features, 9, **ends), "batch"),
            *(ResidualBlock(features, "batch", padding_mode) for _ in range(blocks)),
            *(layer for _ in range(scale.bit_length() - 1) for layer in up()),
            nn.Conv2d(features, 3, 9, **ends),
            ScaledTanh(),
        )

    def forward(self, low_res: Tensor) -> Tensor:
        """RGB (N, 3, scale·H, scale·W) of a low resolution (N, 3, H, W), both on the scale of [0, 1]."""
        return self.layers(prepared(low_res, self.mean))
