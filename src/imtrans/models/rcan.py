"""RCAN: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", ECCV 2018."""

import torch
from torch import Tensor, nn

from imtrans.models.blocks import conv
from imtrans.models.edsr import DIV2K_MEAN, tail


class ChannelAttention(nn.Module):
    """Scale each channel by a number between 0 and 1 that the means of all channels decide (CA, section 3.3).

    Args:
        features: Number of channels, C.
        reduction: Reduction ratio r: the bottleneck has C / r channels.
    """

    def __init__(self, features: int = 64, reduction: int = 16) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),  # z, (N, C, 1, 1), H_GP
            conv(features, features // reduction, 1),  # (N, C/r, 1, 1), W_D
            nn.ReLU(inplace=True),
            conv(features // reduction, features, 1),  # (N, C, 1, 1), W_U
            nn.Sigmoid(),  # s
        )

    def forward(self, x: Tensor) -> Tensor:
        """s ⊙ x, (N, C, H, W)."""
        return self.weights(x) * x


class ResidualChannelAttentionBlock(nn.Module):
    """x + s ⊙ W2(ReLU(W1 x)), the RCAB of section 3.3.

    Args:
        features: Number of channels, C.
        reduction: Reduction ratio r of the attention; None leaves the attention out, as table 1 of the paper does.
    """

    def __init__(self, features: int = 64, reduction: int | None = 16) -> None:
        super().__init__()
        layers = [conv(features, features), nn.ReLU(inplace=True), conv(features, features)]
        if reduction is not None:
            layers.append(ChannelAttention(features, reduction))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (N, C, H, W)."""
        return x + self.layers(x)


class ResidualGroup(nn.Module):
    """Blocks and a convolution under a short skip connection (section 3.2).

    Args:
        blocks: Number of blocks, B.
        features: Number of channels, C.
        reduction: Reduction ratio r of each block, or None.
    """

    def __init__(self, blocks: int = 20, features: int = 64, reduction: int | None = 16) -> None:
        super().__init__()
        stack = [ResidualChannelAttentionBlock(features, reduction) for _ in range(blocks)]
        self.layers = nn.Sequential(*stack, conv(features, features))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (N, C, H, W)."""
        return x + self.layers(x)


class RCAN(nn.Module):
    """Residual groups of residual blocks with channel attention, under a long skip (figure 2): over 400 layers.

    Defaults are the paper's: 15.4 M parameters at ×2, 15.6 M at ×4. The attention looks at the whole picture: a tile of
    a picture gets other channel weights than the picture, whatever the overlap. `imtrans.restore` says by how much.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        groups: Number of residual groups, G.
        blocks: Number of blocks per group, B.
        features: Number of channels, C.
        reduction: Reduction ratio r of the attention; None leaves the attention out.
    """

    channels = 3
    upsamples = True

    def __init__(
        self, scale: int = 2, groups: int = 10, blocks: int = 20, features: int = 64, reduction: int | None = 16
    ) -> None:
        super().__init__()
        self.scales = (scale,)
        # With attention no overlap makes tiles exact; this is that of the authors' own. None: the convolutions decide.
        self.reach = None if reduction is None else 10
        self.head = conv(3, features)
        stack = [ResidualGroup(blocks, features, reduction) for _ in range(groups)]
        self.body = nn.Sequential(*stack, conv(features, features))
        self.tail = tail(features, scale)
        # Departure: the authors' code means to freeze this mean, but trains it (24 parameters more).
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def small(cls, scale: int = 2, reduction: int | None = 8) -> "RCAN":
        """Two groups of three blocks of 32 features, r = 8: 179,227 parameters at ×2, for a CPU. Not in the paper."""
        return cls(scale, groups=2, blocks=3, features=32, reduction=reduction)

    @classmethod
    def medium(cls, scale: int = 2, reduction: int | None = 16) -> "RCAN":
        """Three groups of five blocks of 64 features: about the size of EDSR's baseline. Not in the paper."""
        return cls(scale, groups=3, blocks=5, reduction=reduction)

    def forward(self, low_res: Tensor) -> Tensor:
        """RGB (N, 3, scale·H, scale·W) of a low resolution (N, 3, H, W), both on the scale of [0, 1].

        Departure from the paper, whose network works on levels 0 … 255: inputs and outputs here are (x − mean), without
        the factor. These can represent the same functions, and trained better in short trials.
        """
        features = self.head(low_res - self.mean)  # F0, (N, C, H, W)
        return self.tail(features + self.body(features)) + self.mean
