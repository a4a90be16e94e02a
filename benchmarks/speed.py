"""How fast, as ratios within one run: networks beside SRCNN 9-5-5, `restore` beside them, `imresize` beside its peers.

    python benchmarks/speed.py            # 256×256 luma enlarged ×3, best of five rounds, the candidates in turn

A ratio of 2 takes half the time. Nothing here is a test, and no seconds are printed: they belong to one machine.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from imtrans import restore
from imtrans.degrade import Downscale, GaussianNoise
from imtrans.experiments import best_times
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.resize import imresize


def seconds(candidates: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The best time of each candidate by its name."""
    return dict(zip(candidates, best_times(list(candidates.values())), strict=True))


def table(title: str, best: dict[str, float], reference: str) -> None:
    """Print the ratios to one of the candidates."""
    print(f"\n{title}")
    for name, value in best.items():
        print(f"  {name:42s} {best[reference] / value:8.2f}")


def main() -> None:
    """All tables."""
    torch.manual_seed(0)
    low, high = torch.rand(1, 1, 256, 256), torch.rand(1, 1, 768, 768)
    rgb = torch.rand(1, 3, 256, 256)
    networks = {
        "SRCNN 9-5-5": (SRCNN(f2=5), high),
        "SRCNN 9-1-5": (SRCNN(), high),
        "VDSR": (VDSR(), high),
        "ESPCN ×3": (ESPCN(3), low),
        "EDSR baseline ×3": (EDSR.baseline(3), rgb),
    }
    with torch.inference_mode():
        best = seconds({name: partial(model.eval(), picture) for name, (model, picture) in networks.items()})
    table("networks, 256×256 → 768×768, speed over SRCNN 9-5-5", best, "SRCNN 9-5-5")

    # Both begin with what was observed; the plain network gets it enlarged where it wants that.
    noisy, x3 = GaussianNoise(25), Downscale(3)
    pairs = {"DnCNN-S": (DnCNN(), noisy, low)} | {
        name: (model, x3, rgb if model.channels == 3 else low) for name, (model, _) in networks.items()
    }
    print("\nspeed of restore over the plain network, 256×256 pixels observed")
    for name, (model, degradation, observed) in pairs.items():
        enlarged = degradation == x3 and not model.upsamples
        plain = partial(lambda model, x, up: model(imresize(x, 3) if up else x), model.eval(), observed, enlarged)
        with torch.no_grad():
            best = seconds({"plain": plain, "restore": partial(restore.restore, model, observed, degradation)})
        print(f"  {name:42s} {best['plain'] / best['restore']:8.2f}")

    levels = (torch.rand(1, 3, 768, 768) * 255).to(torch.uint8)
    floats = levels.float() / 255
    image = Image.fromarray(np.ascontiguousarray(levels[0].permute(1, 2, 0).numpy()))
    resizes = {
        "imtrans imresize, float": lambda: imresize(floats, Fraction(1, 3)),
        "imtrans imresize, uint8 (MATLAB's bits)": lambda: imresize(levels, Fraction(1, 3)),
        "torch interpolate, antialiased": lambda: F.interpolate(floats, (256, 256), mode="bicubic", antialias=True),
        "Pillow BICUBIC": lambda: image.resize((256, 256), Image.Resampling.BICUBIC),
    }
    table("768×768 → 256×256 in RGB, speed over imtrans on floats", seconds(resizes), "imtrans imresize, float")


if __name__ == "__main__":
    main()
