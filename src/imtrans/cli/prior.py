"""The command that restores one picture by the deep image prior."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from imtrans import hardware, images, prior
from imtrans.cli.files import In, Out, note, read_for, write
from imtrans.resize import factor_to, imresize


def restore(
    source: In,
    target: Out,
    /,
    *,
    task: Literal["denoise", "inpaint", "super-resolve"],
    mask: Path | None = None,
    invert_mask: bool = False,
    scale: Literal[2, 4, 8] = 4,
    iterations: int | None = None,
    max_side: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> None:
    """Restore a picture by the deep image prior: an untrained network is fitted to this one picture.

    That takes minutes to hours. Ctrl-C stops early and saves the current result. Denoising ends when the outputs change
    least; the other tasks run for all their iterations.

    Args:
        source: Damaged picture.
        target: File to write; its suffix gives the format.
        task: Kind of the damage.
        mask: To inpaint: a picture of the same size, white where IN is to be filled in.
        invert_mask: Black is to be filled in.
        scale: To super-resolve: 2, 4 or 8.
        iterations: Greatest number of iterations, in place of the paper's.
        max_side: Shrink IN first, so that its longer side has at most so many pixels.
        seed: Random seed of weights and noise: another seed gives a slightly different picture.
        force: Overwrite an existing file, IN for instance.
    """
    # Read the picture and the mask, both at a size that the machine can bear
    picture, alpha = read_for(source, target, force)
    if (mask is not None) != (task == "inpaint"):
        raise ValueError("to inpaint, and only then, a mask is needed: --mask M, white where IN is to be filled in")
    known = None if mask is None else _read_mask(mask, invert_mask, picture)
    if max_side is not None and max(picture.shape[-2:]) > max_side:
        factor = _shrinking_factor(picture, max_side, scale if task == "super-resolve" else 1)
        picture, alpha = (x if x is None else imresize(x, factor).clamp(0, 1) for x in (picture, alpha))
        known = None if known is None else prior.shrink_mask(known, factor, picture.shape[-2:])
        if known is not None and not known.any():
            raise ValueError(f"no known pixel survives shrinking to --max-side {max_side}")

    # Choose the paper's settings for the task
    plan = prior.plan(task, picture, mask=known, scale=scale)
    options = {"seed": seed, "device": hardware.best_device(), "autocast": True, **plan.options}
    if alpha is not None and task == "super-resolve":
        alpha = imresize(alpha, scale)
    iterations = plan.settings.iterations if iterations is None else iterations
    if iterations < 1:
        raise ValueError(f"at least one iteration is needed, got {iterations}")

    # Fit the network and write the result
    _estimate(picture, plan, iterations, options)
    options |= {"iterations": iterations, "stop": plan.stop, "keep_on_interrupt": True}
    fitted = prior.restore(picture, plan.settings, **options)
    result = fitted.picture if known is None else known * picture + (1 - known) * fitted.picture
    write(target, result, alpha, source)
    done = len(fitted.losses)
    if done < iterations and not (plan.stop and plan.stop.done):
        raise KeyboardInterrupt(f" after {done:,} of {iterations:,} iterations; {target} holds the result so far")


def _read_mask(path: Path, invert: bool, picture: Tensor) -> Tensor:
    """The mask of a picture, 1 = known, (1, 1, H, W)."""
    fill = (images.read(path).mean(dim=1, keepdim=True) >= 0.5).float()
    if fill.shape[-2:] != picture.shape[-2:]:
        sizes = [f"{x.shape[-1]}×{x.shape[-2]}" for x in (fill, picture)]
        raise ValueError(f"{path} has {sizes[0]} pixels, the picture {sizes[1]}")
    known = fill if invert else 1 - fill
    if not known.any() or known.all():
        raise ValueError(f"{path} leaves {'nothing to fill in' if known.any() else 'no pixel known'}: --invert-mask?")
    return known


def _shrinking_factor(picture: Tensor, max_side: int, scale: int) -> Fraction:
    """The factor that brings the longer side to ``max_side``, which has to be enough for the hourglass."""
    smallest, side = prior.settings.denoising().network().smallest, max_side * scale
    if side < smallest:
        raise ValueError(f"the hourglass needs {smallest} pixels on each side, --max-side {max_side} leaves {side}")
    return factor_to(max_side, max(picture.shape[-2:]))


def _estimate(picture: Tensor, plan: prior.Plan, iterations: int, options: dict[str, Any]) -> None:
    """Estimate time and memory from two trial iterations.

    Raises:
        ValueError: If the memory does not suffice.
    """
    (height, width), free = plan.size, hardware.free_bytes(options["device"])
    needed = prior.needed_bytes(plan.settings, height, width, picture.shape[1])
    if needed > free:
        side = math.floor(max(picture.shape[-2:]) * math.sqrt(0.8 * free / needed))
        raise ValueError(
            f"{width}×{height} pixels need about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: "
            f"--max-side {side} would fit"
        )
    minutes = prior.seconds_per_iteration(picture, plan.settings, **options) * iterations / 60
    duration = "less than a minute" if minutes < 1 else f"about {minutes:.0f} minutes at most"
    note(f"{duration}, {needed / 1e9:.1f} GB of memory")
