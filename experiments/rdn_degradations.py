"""Lecture 10: a network trained on bicubic shrinking, given the three degradations of the RDN paper (needs Set5).

Writes results/rdn-degradations.csv: bicubic enlargement and `vdsr` on Set5 ×3, protocol rgb-y, since the noise is in
RGB. BI is MATLAB's bicubic; BD a Gaussian blur of 7×7 pixels, σ = 1.6, and every third pixel; DN bicubic and noise of
σ = 30. Each makes 8-bit pictures, as the authors' scripts do, so that the noise of DN is clipped.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import experiments, zoo
from imtrans.data import benchmarks
from imtrans.degrade import Degradation, Downscale, bicubic_down, gaussian_noise
from imtrans.evaluation import evaluate
from imtrans.images import to_float, to_uint8
from imtrans.models.baselines import Bicubic

SCALE = 3


def _floats(picture: Tensor) -> Tensor:
    return to_float(picture if picture.dtype == torch.uint8 else to_uint8(picture))


@dataclass(frozen=True)
class BD(Degradation):
    """Blur and downsampling, 8-bit."""

    scale: int = SCALE
    task: ClassVar[str] = "super-resolution"

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) → (N, C, H/3, W/3)."""
        channels = clean.shape[1]
        t = torch.arange(-3, 4)
        kernel = torch.exp(-0.5 * (t / 1.6) ** 2)
        kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
        x = F.pad(_floats(clean), (3, 3, 3, 3), mode="replicate")
        x = F.conv2d(x, kernel.expand(channels, 1, 7, 7), groups=channels)
        low_res = to_uint8(x[..., 1 :: self.scale, 1 :: self.scale])  # MATLAB's "nearest" takes the middle of three
        return low_res if clean.dtype == torch.uint8 else to_float(low_res)

    def __str__(self) -> str:
        return "BD"


@dataclass(frozen=True)
class DN(Degradation):
    """Downsampling and noise, 8-bit."""

    scale: int = SCALE
    task: ClassVar[str] = "super-resolution"

    def __call__(self, clean: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) → (N, C, H/3, W/3)."""
        small = to_float(to_uint8(bicubic_down(_floats(clean), self.scale)))
        low_res = to_uint8(gaussian_noise(small, 30, seed))
        return low_res if clean.dtype == torch.uint8 else to_float(low_res)

    def __str__(self) -> str:
        return "DN"


DEGRADATIONS = {"BI": Downscale(SCALE), "BD": BD(), "DN": DN()}


def main() -> None:
    """Measure, write."""
    set5 = benchmarks.load("Set5")
    rows = []
    for method, network in (("bicubic", Bicubic()), ("vdsr", zoo.load("vdsr"))):
        for name, degradation in DEGRADATIONS.items():
            score = evaluate(network, set5, degradation, protocol="rgb-y")
            rows.append({"method": method, "degradation": name, "psnr": f"{score.psnr:.2f}", "protocol": "rgb-y"})
    experiments.write("rdn-degradations", rows)


if __name__ == "__main__":
    main()
