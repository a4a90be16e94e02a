"""Lecture 9: one method, five tasks, at the paper's widths. Text, ×4, half of the pixels, JPEG and a large hole.

Writes results/prior-tasks.csv: PSNR of what was observed, of a baseline, and of the deep image prior: the mean of its
outputs at an iteration that was fixed beforehand (``best`` was looked up). Keeps the answers for bundled photographs,
and the mask of letters, as results/prior-*.png. Barbara needs $IMTRANS_DATA/DIP/restoration/barbara.png, and is left
out without it. Names of tasks (text x4 hole jpeg half) as arguments run these alone; the other rows stay.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from prior_stopping import part
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from imtrans import degrade, experiments, images, metrics, prior, zoo
from imtrans.assets import data_root
from imtrans.models.deep_image_prior import Level
from imtrans.resize import imresize
from imtrans.restore import super_resolve

WORDS = "zero training data, zero validation data, one test picture, "
HOLE = (60, 55, 40, 40)  # left, top, width, height
AROUND = (32, 27, 96, 96)  # what is kept of the picture with the hole


@dataclass(frozen=True)
class Task:
    """One restoration.

    Attributes:
        name: Of the task.
        picture: Its name.
        truth: (1, C, H, W).
        observed: What the prior gets.
        shown: What was observed, at the size of the truth.
        settings: The paper's, or with a change that ``note`` names.
        iterations: How many, fixed beforehand.
        baseline: Its name and its answer.
        measure: (answer, truth) → dB.
        how: For `prior.iterate`: degrade, mask, size.
        keep: Name of the file that keeps the answer; empty for none.
        note: What is not as in the paper.
    """

    name: str
    picture: str
    truth: Tensor
    observed: Tensor
    shown: Tensor
    settings: prior.Settings
    iterations: int
    baseline: tuple[str, Tensor]
    measure: Callable[[Tensor, Tensor], float]
    how: dict = field(default_factory=dict)
    keep: str = ""
    note: str = ""


def whole(answer: Tensor, truth: Tensor) -> float:
    """PSNR of all channels and pixels."""
    return metrics.psnr(images.to_float(images.to_uint8(answer)), truth).item()


def luma(answer: Tensor, truth: Tensor) -> float:
    """PSNR of 8-bit luma without a border of 4, as super-resolution is measured."""
    planes = (metrics.luma(x.clamp(0, 1), rounded=True) for x in (answer, truth))
    return metrics.psnr(*planes, border=4).item()


def in_hole(answer: Tensor, truth: Tensor) -> float:
    """PSNR of the pixels in the hole alone."""
    return whole(images.crop(answer, HOLE), images.crop(truth, HOLE))


def written(side: int) -> Tensor:
    """A mask (1, 1, side, side): 0 where letters are."""
    page = Image.new("L", (side, side), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for line in range(side // 14):
        pen.text((2 - 7 * line, 14 * line), (2 * WORDS)[9 * line :], fill=0, font=font)
    return torch.from_numpy(np.asarray(page) > 127).float()[None, None]


def biharmonic(observed: Tensor, mask: Tensor) -> Tensor:
    """Classical inpainting by scikit-image: the smoothest surface over what is missing."""
    pixels = observed[0].permute(1, 2, 0).numpy()
    filled = inpaint_biharmonic(pixels, mask[0, 0].numpy() == 0, channel_axis=-1)
    return torch.from_numpy(filled).float().permute(2, 0, 1)[None].clamp(0, 1)


def text() -> Task:
    """Letters over a photograph."""
    truth = part("astronaut", (50, 4), 128)
    mask = written(128)
    images.write(experiments.FOLDERS[-1] / "prior-text-mask.png", mask)
    observed, known = truth * mask, {"mask": mask}
    baseline = "biharmonic", biharmonic(observed, mask)
    settings = prior.settings.inpainting()
    return Task("text", "astronaut", truth, observed, observed, settings, 1500, baseline, whole, known, "prior-text")


def enlargement(name: str, corner: tuple[int, int]) -> Task:
    """×4 of a picture shrunk by bicubic, as trained networks expect; the prior has Lanczos as in the paper."""
    truth = part(name, corner, 128)
    observed = images.to_float(images.to_uint8(degrade.bicubic_down(truth, 4)))
    how = {"degrade": partial(degrade.lanczos_down, scale=4), "size": (128, 128)}
    shown = imresize(observed, 4).clamp(0, 1)
    trained = super_resolve(zoo.load("vdsr"), observed, 4).clamp(0, 1)
    settings = prior.settings.super_resolution(4)
    return Task("x4", name, truth, observed, shown, settings, 400, ("vdsr", trained), luma, how, f"prior-x4-{name}")


def half(barbara: Tensor) -> Task:
    """Half of the pixels, of the part of Barbara with her face and her scarf."""
    truth = images.crop(barbara, (320, 60, 128, 128))
    mask = degrade.pixel_mask(128, 128, keep=0.5, seed=0)
    observed, known = truth * mask, {"mask": mask}
    settings = replace(prior.settings.half_the_pixels(), rate=0.01)
    note = "a part of 512×512; rate 0.01 in place of 0.001"
    baseline = "biharmonic", biharmonic(observed, mask)
    return Task("half", "barbara", truth, observed, observed, settings, 2500, baseline, whole, known, note=note)


def jpeg() -> Task:
    """Quality 10, with the settings and the iterations of the paper."""
    truth = part("astronaut", (50, 4), 128)
    decoded = degrade.jpeg(truth, 10)
    settings = prior.settings.jpeg_cleanup()
    doing_nothing = "the JPEG", decoded
    return Task("jpeg", "astronaut", truth, decoded, decoded, settings, 2400, doing_nothing, whole, keep="prior-jpeg")


def hole(skips: bool) -> Task:
    """A hole of 40×40; measured inside of it. Skips are what the paper advises against here."""
    truth = part("coffee", (50, 20), 160)
    left, top, width, height = HOLE
    mask = torch.ones(1, 1, 160, 160)
    mask[..., top : top + height, left : left + width] = 0
    observed, settings, keep, note = truth * mask, prior.settings.large_hole(), "prior-hole", ""
    if skips:
        settings = replace(settings, shape={**settings.shape, "skip": 4})
        keep, note = "prior-hole-skips", "with skips of 4"
    baseline = "biharmonic", biharmonic(observed, mask)
    known = {"mask": mask}
    return Task("hole", "coffee", truth, observed, observed, settings, 700, baseline, in_hole, known, keep, note)


def tasks() -> Iterator[Task]:
    """All of them, in turn."""
    yield text()
    yield enlargement("astronaut", (50, 4))
    yield enlargement("chelsea", (30, 12))
    yield hole(skips=False)
    yield hole(skips=True)
    yield jpeg()
    barbara = (data_root() or Path()) / "DIP" / "restoration" / "barbara.png"
    if barbara.is_file():
        yield half(images.read(barbara))


def run(task: Task) -> dict:
    """Optimise, keep the answer, measure."""
    decibels = []
    start = time.process_time()
    for state in prior.iterate(task.observed, task.settings, autocast=True, **task.how):
        del decibels[state.iteration - 1 :]
        decibels.append(task.measure(state.average, task.truth))
        if state.iteration >= task.iterations:
            break
    answer = state.average.clamp(0, 1)
    if task.keep:
        kept = images.crop(answer, AROUND) if task.name == "hole" else answer
        images.write(experiments.FOLDERS[-1] / f"{task.keep}.png", kept)
    best = max(range(task.iterations), key=decibels.__getitem__)
    mask = task.how.get("mask")
    together = answer if mask is None else torch.where(mask > 0, task.observed, answer)
    levels = [level for level in task.settings.network().modules() if isinstance(level, Level)]
    width = max(level.down[0].out_channels for level in levels)
    skip = max(level.skip[0].out_channels if level.skip else 0 for level in levels)
    row = {"task": task.name, "picture": task.picture, "side": task.truth.shape[-1], "width": width}
    row |= {"skip": skip, "rate": task.settings.rate, "iterations": task.iterations}
    row |= {"input_psnr": f"{task.measure(task.shown, task.truth):.2f}", "baseline": task.baseline[0]}
    row |= {"baseline_psnr": f"{task.measure(task.baseline[1], task.truth):.2f}", "psnr": f"{decibels[-1]:.2f}"}
    # What is known need not be taken from the network: its pixels put back.
    row |= {"psnr_known_kept": f"{task.measure(together, task.truth):.2f}"}
    row |= {"best": f"{decibels[best]:.2f}", "best_iteration": best + 1, "measured_on": task.measure.__name__}
    row |= {"note": task.note, "collapses": state.collapses, "cpu_seconds": round(time.process_time() - start)}
    return row


def two_decimals(row: dict) -> dict:
    """A stored row as it was printed: decibels with two decimals."""
    decibels = ("input_psnr", "baseline_psnr", "psnr", "psnr_known_kept", "best")
    return row | {key: f"{row[key]:.2f}" for key in decibels}


def main() -> None:
    """Measure, write after each task."""
    chosen, rows = set(sys.argv[1:]), {}
    if unknown := chosen - {"text", "x4", "hole", "jpeg", "half"}:
        sys.exit(f"no task is called {' '.join(sorted(unknown))}: text x4 hole jpeg half")
    if chosen:
        stored = experiments.rows("prior-tasks")
        rows = {(row["task"], row["picture"], row["note"]): two_decimals(row) for row in stored}
    for task in tasks():
        if not chosen or task.name in chosen:
            rows[task.name, task.picture, task.note] = row = run(task)
            experiments.write("prior-tasks", list(rows.values()))
            print(row, flush=True)


if __name__ == "__main__":
    main()
