"""SRCNN: Dong, Loy, He and Tang, "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PADDINGS = ("valid", "replicate", "zeros")


class SRCNN(nn.Module):
    """Three convolutions that sharpen a bicubic enlargement: extract patches, map them, reconstruct (section 3.1).

    Args:
        channels: Channels of the picture, c in the paper: 1 is luma.
        n1: Number of filters of the first layer.
        n2: Number of filters of the second layer.
        f1: Kernel size of the first layer.
        f2: Kernel size of the second layer: 1 in the ECCV paper, 3 or 5 in the journal version.
        f3: Kernel size of the third layer.
        padding: What each layer does at the border of its input. ``"valid"`` (training) shrinks the picture by
            f1 + f2 + f3 − 3 pixels, so that the network learns from real pixels only; ``"replicate"`` (inference, as
            in the authors' test code) repeats the edge; ``"zeros"`` serves to see what it costs. The attribute may be
            changed at any time: the weights do not depend on it.

    Raises:
        ValueError: On another padding or an even kernel size.
    """

    upsamples = False
    scales = (2, 3, 4)  # one network per scale; the architecture does not depend on it

    def __init__(
        self,
        channels: int = 1,
        n1: int = 64,
        n2: int = 32,
        f1: int = 9,
        f2: int = 1,
        f3: int = 5,
        padding: str = "replicate",
    ) -> None:
        super().__init__()
        if padding not in PADDINGS:
            raise ValueError(f"padding must be one of {', '.join(PADDINGS)}, got {padding!r}")
        if not all(f % 2 for f in (f1, f2, f3)):
            raise ValueError(f"kernel sizes must be odd, got {f1}-{f2}-{f3}")
        self.channels = channels
        self.padding = padding
        self.patch_extraction = nn.Conv2d(channels, n1, f1)  # W1, B1
        self.mapping = nn.Conv2d(n1, n2, f2)  # W2, B2
        self.reconstruction = nn.Conv2d(n2, channels, f3)  # W3, B3

    @property
    def margin(self) -> int:
        """Pixels that valid convolutions remove at each side: 6 for 9-1-5."""
        layers = (self.patch_extraction, self.mapping, self.reconstruction)
        return sum(layer.kernel_size[0] // 2 for layer in layers)

    def _layer(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        reach = layer.kernel_size[0] // 2
        if reach and self.padding != "valid":
            x = F.pad(x, (reach,) * 4, mode="constant" if self.padding == "zeros" else "replicate")
        return layer(x)

    def forward(self, interpolated: Tensor) -> Tensor:
        """F(Y) of a bicubic enlargement Y (N, c, H, W): the same shape, unless the padding is valid."""
        features = torch.relu(self._layer(self.patch_extraction, interpolated))  # (N, n1, H, W), F1
        features = torch.relu(self._layer(self.mapping, features))  # (N, n2, H, W), F2
        return self._layer(self.reconstruction, features)  # (N, c, H, W), F3: no ReLU
