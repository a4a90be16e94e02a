"""Deep Image Prior: Ulyanov, Vedaldi and Lempitsky, CVPR 2018: the hourglass with skips that is never trained."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UPSAMPLING = ("bilinear", "nearest")


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """With a bias, although normalisation follows, and with the picture mirrored beyond its edge."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, padding_mode="reflect")


def _norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation without running statistics: there is only ever one picture."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _unit(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    return [_conv(in_channels, out_channels, kernel_size, stride), _norm(out_channels), nn.LeakyReLU(0.2)]


class Level(nn.Module):
    """One scale: at half the size and back again, beside a thin skip; what lies deeper is ``inner``.

    Args:
        in_channels: Channels of the input, (N, in_channels, H, W).
        down: Channels at half the size.
        up: Channels of the result, (N, up, H, W).
        skip: Channels of the skip; 0 for none.
        inner: The next level; None at the bottom.
        inner_channels: Channels that ``inner`` returns; at the bottom, ``down``.
        kernel: Side of the kernels on the way down; on the way up they are 3×3.
        mode: bilinear or nearest enlargement.
        last_1x1: Whether a 1×1 convolution ends the level.
    """

    def __init__(
        self,
        in_channels: int,
        down: int,
        up: int,
        *,
        skip: int,
        inner: nn.Module | None,
        inner_channels: int,
        kernel: int,
        mode: str,
        last_1x1: bool,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.skip = nn.Sequential(*_unit(in_channels, skip, 1)) if skip else None
        self.down = nn.Sequential(*_unit(in_channels, down, kernel, 2), *_unit(down, down, kernel))
        self.inner = inner or nn.Identity()
        last = _unit(up, up, 1) if last_1x1 else []
        self.up = nn.Sequential(_norm(skip + inner_channels), *_unit(skip + inner_channels, up, 3), *last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, up, H, W)."""
        align = {"align_corners": False} if self.mode == "bilinear" else {}
        deep = F.interpolate(self.inner(self.down(x)), scale_factor=2, mode=self.mode, **align)
        # An odd side comes back one pixel longer. The authors crop their pictures to multiples of 32 instead.
        deep = deep[..., : x.shape[-2], : x.shape[-1]]
        return self.up(deep if self.skip is None else torch.cat([self.skip(x), deep], dim=1))


class Hourglass(nn.Module):
    """The network whose range is the prior. Defaults: the paper's for denoising, 2,217,831 parameters.

    Args:
        in_channels: Channels of the fixed input z.
        out_channels: Channels of the picture.
        down: Channels on the way down, one number per level, the outermost first.
        up: Channels on the way up, one number per level.
        skip: Channels of the skips, 0 for none: one number for all levels, or one per level, the outermost first.
        kernel: Side of the kernels on the way down.
        mode: Enlargement, bilinear or nearest: one for all levels, or one per level, the outermost first.
        last_1x1: Whether a 1×1 convolution ends each level.

    Raises:
        ValueError: If the levels do not agree in number, or on another enlargement.
    """

    def __init__(
        self,
        in_channels: int = 32,
        out_channels: int = 3,
        down: tuple[int, ...] = (128,) * 5,
        up: tuple[int, ...] = (128,) * 5,
        skip: int | tuple[int, ...] = 4,
        kernel: int = 3,
        mode: str | tuple[str, ...] = "bilinear",
        last_1x1: bool = True,
    ) -> None:
        super().__init__()
        skips = (skip,) * len(down) if isinstance(skip, int) else skip
        modes = (mode,) * len(down) if isinstance(mode, str) else mode
        if not len(down) == len(up) == len(skips) == len(modes) > 0:
            raise ValueError(f"as many levels down as up, skips and modes, got {down}, {up}, {skips}, {modes}")
        if not set(modes) <= set(UPSAMPLING):
            raise ValueError(f"the enlargement is one of {', '.join(UPSAMPLING)}, got {mode!r}")
        # The deepest maps must keep two pixels a side to be normalised, and more than mirroring takes.
        self.smallest = max(1, kernel // 2) * 2 ** len(down) + 1
        inner: nn.Module | None = None
        for i in reversed(range(len(down))):
            before = in_channels if i == 0 else down[i - 1]
            after = down[i] if inner is None else up[i + 1]
            inner = Level(
                before,
                down[i],
                up[i],
                skip=skips[i],
                inner=inner,
                inner_channels=after,
                kernel=kernel,
                mode=modes[i],
                last_1x1=last_1x1,
            )
        self.body = inner
        self.head = nn.Sequential(nn.Conv2d(up[0], out_channels, 1), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        """A picture (N, out_channels, H, W) in (0, 1) from z (N, in_channels, H, W).

        Raises:
            ValueError: If a side is too short to be halved once a level.
        """
        if min(z.shape[-2:]) < self.smallest:
            size = f"{z.shape[-2]}×{z.shape[-1]}"
            raise ValueError(f"this hourglass needs {self.smallest} pixels on each side, got {size}")
        features = self.body(z)
        # Whatever the rest is computed in, the picture itself in fp32: bf16 has eight bits in all.
        with torch.autocast(features.device.type, enabled=False) if features.dtype != z.dtype else nullcontext():
            return self.head(features.to(z.dtype))
