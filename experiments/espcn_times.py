"""Lecture 6: seconds of three ways to compute one layer, and of one video frame. On a quiet machine, with two threads.

Writes results/espcn-layers.csv and espcn-times.csv. Needs neither data nor network.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import experiments, restore
from imtrans.models.baselines import Bicubic
from imtrans.models.espcn import ESPCN, as_transposed
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR

FRAME = (1080, 1920)
KERNEL, FEATURES = 3, 32  # of ESPCN's last layer


def with_zeros(x: Tensor, wide: Tensor, r: int) -> Tensor:
    """The fractionally strided convolution as its name says: zeros between the pixels, then an ordinary convolution."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, r * h, r * w)
    spread[..., ::r, ::r] = x
    pad, side = r * (KERNEL // 2), r * KERNEL
    spread = F.pad(spread, (side - 1 - pad, pad, side - 1 - pad, pad))
    return F.conv2d(spread, wide.flip(-2, -1).transpose(0, 1))


@torch.inference_mode()
def layers() -> list[dict]:
    """ESPCN's last layer for an output of 960×540 (963 × 540 at ×3), three ways."""
    rows = []
    for r in (2, 3, 4):
        x = torch.rand(1, FEATURES, 540 // r, -(-960 // r))
        weight = torch.rand(r * r, FEATURES, KERNEL, KERNEL)
        wide = as_transposed(weight, r)
        ways = {
            "sub-pixel": lambda: F.pixel_shuffle(F.conv2d(x, weight, padding=1), r),  # noqa: B023
            "transposed": lambda: F.conv_transpose2d(x, wide, stride=r, padding=r),  # noqa: B023
            "zeros": lambda: with_zeros(x, wide, r),  # noqa: B023
        }
        results = [way() for way in ways.values()]
        assert all(torch.allclose(results[0], other, atol=1e-3) for other in results[1:])
        seconds = dict(zip(ways, experiments.best_times(list(ways.values()), rounds=7), strict=True))
        for way, best in seconds.items():
            per_pixel = FEATURES * KERNEL**2 * (r**2 if way == "zeros" else 1)
            ratio = best / seconds["sub-pixel"]
            rows.append(
                {"scale": r, "way": way, "per_pixel": per_pixel, "ms": f"{1000 * best:.1f}", "ratio": f"{ratio:.1f}"}
            )
    return rows


@torch.inference_mode()
def frames() -> list[dict]:
    """One luma frame of 1920×1080 by each network, from its low resolution; ``colour`` is the whole RGB frame."""
    names, functions = [], []
    for r in (2, 3, 4):
        luma, rgb = (torch.rand(1, c, FRAME[0] // r, FRAME[1] // r) for c in (1, 3))
        networks: dict[str, nn.Module] = {"bicubic": Bicubic(), "ESPCN": ESPCN(r)}
        if r == 3:
            networks |= {"SRCNN 9-1-5": SRCNN(), "SRCNN 9-5-5": SRCNN(f2=5)}
        for name, network in networks.items():
            names.append((name, r))
            functions.append(partial(restore.super_resolve, network.eval(), luma, r, tile=512))
        names.append(("ESPCN, colour", r))
        functions.append(partial(restore.super_resolve, ESPCN(r), rgb, r, tile=512))
    seconds = experiments.best_times(functions, rounds=5)
    names.append(("VDSR", 3))
    vdsr = partial(restore.super_resolve, VDSR(), torch.rand(1, 1, FRAME[0] // 3, FRAME[1] // 3), 3, tile=512)
    seconds += experiments.best_times([vdsr], rounds=1)
    slowest = dict(zip(names, seconds, strict=True))["SRCNN 9-5-5", 3]
    return [
        {
            "network": name,
            "scale": r,
            "seconds": f"{best:.3f}",
            "per_second": f"{1 / best:.2g}" if best > 0.1 else f"{1 / best:.0f}",
            "faster_than_955": f"{slowest / best:.1f}",  # SRCNN's layers see the large frame: one time for all r
        }
        for (name, r), best in zip(names, seconds, strict=True)
    ]


def main() -> None:
    """Measure, write."""
    experiments.write("espcn-layers", layers())
    experiments.write("espcn-times", frames())


if __name__ == "__main__":
    main()
