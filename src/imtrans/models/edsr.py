"""EDSR and MDSR: "Enhanced Deep Residual Networks for Single Image Super-Resolution".

Lim, Son, Kim, Nah and Lee, CVPRW 2017.
"""

import torch
from torch import Tensor, nn

from imtrans.models.blocks import conv

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # mean of R, G and B over the paper's training pictures


class ResidualBlock(nn.Module):
    """x + ρ·W2(ReLU(W1 x)): a residual block without batch normalisation (figure 2c).

    Args:
        features: Number of channels, F in the paper.
        residual_scale: Factor on the residual, ρ: 0.1 keeps wide networks stable (section 3.2).
        kernel_size: Side of both kernels: 3, and 5 in the first blocks of MDSR.
        batch_norm: Whether to normalise after each convolution, as SRResNet does (figure 2b): for comparisons.
    """

    def __init__(
        self, features: int, residual_scale: float = 1.0, kernel_size: int = 3, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        first, second = (
            [conv(features, features, kernel_size), *([nn.BatchNorm2d(features)] if batch_norm else [])]
            for _ in range(2)
        )
        self.layers = nn.Sequential(*first, nn.ReLU(inplace=True), *second)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (N, F, H, W)."""
        return x + self.residual_scale * self.layers(x)


def upsampler(features: int, scale: int) -> nn.Sequential:
    """Sub-pixel convolutions: one step for ×2 and ×3, two steps of ×2 for ×4.

    Raises:
        ValueError: On another scale.
    """
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, got {scale}")
    steps = [2, 2] if scale == 4 else [scale]
    return nn.Sequential(*(layer for r in steps for layer in (conv(features, features * r * r), nn.PixelShuffle(r))))


def tail(features: int, scale: int) -> nn.Sequential:
    """Features (N, F, H, W) to a picture (N, 3, scale·H, scale·W) less its mean."""
    return nn.Sequential(upsampler(features, scale), conv(features, 3))


class EDSR(nn.Module):
    """Residual blocks at low resolution, a long skip, sub-pixel enlargement (figure 3).

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        blocks: Number of residual blocks, B in the paper.
        features: Number of channels, F in the paper.
        residual_scale: Factor on the residual of each block, ρ.
        batch_norm: Whether the blocks normalise, as in the paper's reproduction of SRResNet: for comparisons.
    """

    channels = 3
    upsamples = True

    def __init__(
        self,
        scale: int = 2,
        blocks: int = 32,
        features: int = 256,
        residual_scale: float = 0.1,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.scales = (scale,)
        self.head = conv(3, features)
        stack = [ResidualBlock(features, residual_scale, batch_norm=batch_norm) for _ in range(blocks)]
        self.body = nn.Sequential(*stack, conv(features, features))
        self.tail = tail(features, scale)
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def baseline(cls, scale: int = 2) -> "EDSR":
        """16 blocks of 64 features, no residual scaling (table 1): 1.37 M parameters at ×2."""
        return cls(scale, blocks=16, features=64, residual_scale=1.0)

    @classmethod
    def paper(cls, scale: int = 2) -> "EDSR":
        """32 blocks of 256 features, residuals × 0.1 (table 1): 40.7 M parameters at ×2, 43.1 M at ×4."""
        return cls(scale)

    def forward(self, low_res: Tensor) -> Tensor:
        """RGB (N, 3, scale·H, scale·W) of a low resolution (N, 3, H, W), both on the scale of [0, 1].

        Departure from the paper, whose network works on levels 0 … 255: inputs and outputs here are (x − mean), without
        the factor, which trains faster (by 0.5 dB after 2,000 steps) and can represent the same functions.
        """
        features = self.head(low_res - self.mean)  # (N, F, H, W)
        return self.tail(features + self.body(features)) + self.mean


class MDSR(nn.Module):
    """One network for several scales: all share the body, each has its own two first blocks and tail (figure 5).

    Departure: figure 5 and the authors' first code give each scale a last convolution of its own, as here; their
    PyTorch code shares it (3,462 parameters fewer).

    Args:
        blocks: Number of shared residual blocks, B in the paper.
        features: Number of channels, F in the paper.
        scales: Upscaling factors, out of 2, 3 and 4.
    """

    channels = 3
    upsamples = True
    takes_scale = True

    def __init__(self, blocks: int = 80, features: int = 64, scales: tuple[int, ...] = (2, 3, 4)) -> None:
        super().__init__()
        self.scales = scales
        self.head = conv(3, features)
        # Large kernels: these two blocks shall see about as much of the picture at each scale.
        self.first = nn.ModuleDict(
            {f"x{s}": nn.Sequential(*(ResidualBlock(features, kernel_size=5) for _ in range(2))) for s in scales}
        )
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)), conv(features, features))
        self.tails = nn.ModuleDict({f"x{s}": tail(features, s) for s in scales})
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def baseline(cls) -> "MDSR":
        """16 shared blocks of 64 features (table 1): 3.2 M parameters for three scales."""
        return cls(blocks=16)

    @classmethod
    def paper(cls) -> "MDSR":
        """80 shared blocks of 64 features (table 1): 8.0 M parameters for three scales."""
        return cls()

    def forward(self, low_res: Tensor, scale: int) -> Tensor:
        """RGB (N, 3, scale·H, scale·W) of a low resolution (N, 3, H, W), both on the scale of [0, 1].

        Args:
            low_res: A batch of the low resolution.
            scale: One of ``scales``, the same for the whole batch.

        Raises:
            ValueError: On another scale.
        """
        if scale not in self.scales:
            raise ValueError(f"scale must be one of {', '.join(map(str, self.scales))}, got {scale}")
        features = self.first[f"x{scale}"](self.head(low_res - self.mean))  # (N, F, H, W)
        return self.tails[f"x{scale}"](features + self.body(features)) + self.mean
