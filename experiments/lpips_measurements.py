"""Lecture 12: what distances make of equal errors, a shift, an attack (needs B100), and of the authors' example.

Writes results/lpips-equal.csv, lpips-shift.csv, lpips-triangle.csv, lpips-fooled.csv and lpips-example.csv. A minute on
two idle cores.
"""

from collections.abc import Callable
from statistics import fmean

import numpy as np
import torch
from lpips_triplets import TRUNKS
from torch import Tensor

from imtrans import assets, experiments, images, metrics
from imtrans.data import benchmarks
from imtrans.data.triplets import at_error, eight_bit
from imtrans.degrade import blur_down, gaussian_noise, jpeg
from imtrans.models.lpips import FeatureDistance

SIDE, MARGIN = 64, 6
BETWEEN = (20, 32)  # dB: the PSNR that the shift of a patch may have
SHIFTS = (0, 0.25, 0.5, 1, 1.5, 2, 3, 4)  # pixels to the right
NAMES = ("random small", "random AlexNet", "squeezenet-caffe", "hybrid")
Distance = Callable[[Tensor, Tensor], Tensor]


def distances() -> dict[str, Distance]:
    found: dict[str, Distance] = {"L2": metrics.mse, "SSIM": lambda x, y: 1 - metrics.ssim(x, y)}
    for name in NAMES:
        try:
            found[name] = FeatureDistance(TRUNKS[name]())
        except (FileNotFoundError, AttributeError) as error:
            print(f"{name} is left out: {error}")
    return found


def wide_patches() -> Tensor:
    """The middle of each third picture with a margin, those that are not flat: (N, 3, 76, 76)."""
    side = SIDE + 2 * MARGIN
    found = [images.middle(picture, side) for _, picture in benchmarks.load("B100")[::2]]
    return torch.cat([patch for patch in found if patch.std() > 0.1])


def inner(wide: Tensor, shift: float = 0) -> Tensor:
    """The patches without their margin, moved by a fraction of a pixel: bilinear between whole ones."""
    whole, part = int(shift // 1), shift % 1
    columns = [wide[..., MARGIN:-MARGIN, MARGIN + whole + i : MARGIN + whole + i + SIDE] for i in (0, 1)]
    return (1 - part) * columns[0] + part * columns[1]


# -- one error, many looks --


def versions(wide: Tensor) -> dict[str, Tensor | None]:
    """One patch (1, 3, 76, 76), moved by one pixel, and changed in other ways with the error of that shift."""
    x, moved = inner(wide), inner(wide, 1)
    error = (x - moved).square().mean()
    if not BETWEEN[0] < -10 * error.log10() < BETWEEN[1]:
        return {"shift": None}
    changed = {
        "brightness": 0.9 * x,
        "contrast": x.mean() + 0.8 * (x - x.mean()),
        "JPEG": jpeg(x, 8),
        "blur": blur_down(wide, 1, 1.5)[..., MARGIN:-MARGIN, MARGIN:-MARGIN],
        "noise": gaussian_noise(x, 20, seed=0),
    }
    return {"shift": moved} | {name: at_error(x, y, error) for name, y in changed.items()}


def equal(wide: Tensor, all_distances: dict[str, Distance]) -> list[dict[str, object]]:
    kept = []
    for patch in wide.split(1):
        made = versions(patch)
        if all(y is not None for y in made.values()):
            kept.append((inner(patch), made))
    reference = torch.cat([x for x, _ in kept])
    rows = []
    for change in kept[0][1]:
        changed = torch.cat([made[change] for _, made in kept])
        row: dict[str, object] = {"change": change, "patches": len(kept)}
        row["psnr"] = f"{metrics.psnr(reference, changed).mean():.2f}"
        with torch.inference_mode():
            row |= {name: f"{distance(reference, changed).mean():.4f}" for name, distance in all_distances.items()}
        rows.append(row)
    return rows


# -- a shift, in units of visible damage --


def shift(wide: Tensor, all_distances: dict[str, Distance]) -> list[dict[str, object]]:
    """Mean distance of a shift, divided by the mean distance of a blur of one pixel."""
    wide = wide[::2]
    x = inner(wide)
    blurred = eight_bit(blur_down(wide, 1, 1.0)[..., MARGIN:-MARGIN, MARGIN:-MARGIN])
    rows = []
    with torch.inference_mode():
        damage = {name: distance(x, blurred).mean() for name, distance in all_distances.items()}
        for pixels in SHIFTS:
            moved = eight_bit(inner(wide, pixels)) if pixels else x
            means = {name: distance(x, moved).mean() for name, distance in all_distances.items()}
            rows.append({"pixels": pixels} | {name: f"{m / damage[name]:.3f}" for name, m in means.items()})
    return rows


# -- no metric --


def triangle(wide: Tensor, distance: Distance) -> list[dict[str, object]]:
    """Picture, blurred, more blurred: how often d(x, z) > d(x, y) + d(y, z), for the distance and for its root."""
    x, y, z = (
        (blur_down(wide, 1, s) if s else wide)[..., MARGIN:-MARGIN, MARGIN:-MARGIN].clamp(0, 1) for s in (0, 0.8, 1.6)
    )
    with torch.inference_mode():
        xy, yz, xz = distance(x, y), distance(y, z), distance(x, z)
    rows = []
    for words, power in (("the distance", 1), ("its root", 0.5)):
        ratio = xz**power / (xy**power + yz**power)
        row = {"of": words, "patches": len(x), "broken": int((ratio > 1).sum()), "ratio": f"{ratio.mean():.2f}"}
        rows.append(row)
    return rows


def fooled(wide: Tensor, distance: Distance, levels: int = 2, steps: int = 15) -> list[dict[str, object]]:
    """Pixels changed by at most two levels such that the distance grows, and the noise that costs as much."""
    x = inner(wide)[:16]
    change = torch.from_numpy(np.random.RandomState(0).uniform(-1, 1, x.shape)).float() * levels / 255
    for _ in range(steps):
        change.requires_grad_(True)
        distance(x, (x + change).clamp(0, 1)).sum().backward()
        change = (change.detach() + 0.5 / 255 * change.grad.sign()).clamp(-levels / 255, levels / 255)
    attacked = eight_bit(x + change)
    with torch.inference_mode():
        far = distance(x, attacked).mean().item()
        noises = {
            s: distance(x, eight_bit(gaussian_noise(x, s, seed=1))).mean().item() for s in np.arange(0.5, 20, 0.25)
        }
    same = min(noises, key=lambda s: abs(noises[s] - far))
    random = eight_bit(x + (change.sign() * levels / 255)[..., torch.randperm(SIDE, generator=torch.manual_seed(0))])
    with torch.inference_mode():
        unaimed = distance(x, random).mean().item()
    noisy = eight_bit(gaussian_noise(x, same, seed=1))
    return [
        {
            "levels": levels,
            "steps": steps,
            "distance": f"{far:.3f}",
            "psnr": f"{fmean(metrics.psnr(x, attacked).tolist()):.1f}",
            "shuffled": f"{unaimed:.3f}",
            "noise": f"{same:g}",
            "noise_psnr": f"{fmean(metrics.psnr(x, noisy).tolist()):.1f}",
        }
    ]


# -- the example of the authors' README: p1 is the nearer one --


def example(all_distances: dict[str, Distance]) -> list[dict[str, object]]:
    """Both patches against the reference, from IMTRANS_DATA/LPIPS_examples."""
    folder = assets.data_root() / "LPIPS_examples"
    reference, *patches = (images.read(folder / f"ex_{name}.png") for name in ("ref", "p0", "p1"))
    rows = []
    for name, patch in zip(("p0", "p1"), patches, strict=True):
        row: dict[str, object] = {"patch": name, "psnr": f"{metrics.psnr(reference, patch).item():.1f}"}
        row["ssim"] = f"{metrics.ssim(reference, patch).item():.2f}"
        with torch.inference_mode():
            row |= {key: f"{distance(reference, patch).item():.2f}" for key, distance in all_distances.items()}
        rows.append(row)
    return rows


def main() -> None:
    wide, all_distances = wide_patches(), distances()
    experiments.write("lpips-equal", equal(wide, all_distances))
    experiments.write("lpips-shift", shift(wide, all_distances))
    experiments.write("lpips-triangle", triangle(wide, all_distances["hybrid"]))
    experiments.write("lpips-example", example(all_distances))
    experiments.write("lpips-fooled", fooled(wide, all_distances["hybrid"]))


if __name__ == "__main__":
    main()
