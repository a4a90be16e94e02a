"""Lecture 9: the figures of its page, from results/ and the bundled photographs. Seconds; run after the other scripts.

Writes book/static/figures/prior-*.svg (charts) and prior-*.png (photographs, each pixel a square).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.figure
import numpy as np
import torch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from prior_stopping import CORNERS, SIGMA, part
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from imtrans import degrade, experiments, images, zoo
from imtrans.figures import COLORS, GROUND, INK, canvas
from imtrans.images import crop
from imtrans.resize import imresize
from imtrans.restore import super_resolve

FOLDER = Path(__file__).parents[1] / "book" / "static" / "figures"
matplotlib.rcParams |= {"svg.hashsalt": "imtrans", "font.size": 11}
DASHED = {"color": INK, "linewidth": 1.2, "linestyle": "--"}


def chart(name: str, figure: matplotlib.figure.Figure) -> None:
    """Write a chart, the same bytes each time."""
    figure.savefig(FOLDER / f"{name}.svg", facecolor=GROUND, metadata={"Date": None, "Creator": None})


def enlarged(picture: Tensor, factor: int) -> Tensor:
    """Each pixel as a square; gray becomes colour."""
    picture = picture.clamp(0, 1).expand(1, 3, -1, -1)
    return picture.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def sheet(name: str, rows: Sequence[Sequence[Tensor]], gap: int = 8) -> None:
    """Write pictures of one size in rows, with a gap between them."""
    height, width = rows[0][0].shape[-2:]
    ground = torch.tensor([int(GROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]).view(1, 3, 1, 1)
    columns = len(rows[0])
    page = ground.expand(1, 3, len(rows) * (height + gap) - gap, columns * (width + gap) - gap).clone()
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            page[..., top : top + height, left : left + width] = picture
    images.write(FOLDER / f"{name}.png", page)


def labelled(name: str, pictures: dict[str, Tensor]) -> None:
    """Write a row of pictures of one size, each under its label."""
    height, width = next(iter(pictures.values())).shape[-2:]
    figure, axes = canvas(width=2.0 * len(pictures), height=1.93 * height / width + 0.35, columns=len(pictures))
    figure.set_layout_engine("constrained", h_pad=0.1)
    for ax, (label, picture) in zip(axes, pictures.items(), strict=True):
        show(ax, picture, label)
    figure.savefig(FOLDER / f"{name}.png", dpi=150, facecolor=GROUND, metadata={"Software": None})


def show(ax: matplotlib.axes.Axes, picture: Tensor, label: str) -> None:
    """A picture in a chart, each pixel a square."""
    ax.imshow(picture.clamp(0, 1)[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    ax.set_title(label, fontsize=10, color=INK)
    ax.set_axis_off()


def before_after() -> None:
    """Three damaged photographs and what the prior made of them."""
    astronaut, cat = part("astronaut", (50, 4), 128), part("chelsea", (30, 12), 128)
    cup = crop(part("coffee", (50, 20), 160), (48, 43, 64, 64))
    holed = cup.clone()
    holed[..., 12:52, 12:52] = 0
    before = [
        enlarged(astronaut * experiments.picture("prior-text-mask.png"), 2),
        enlarged(holed, 4),
        enlarged(degrade.gaussian_noise(cat, SIGMA, seed=0), 2),
    ]
    after = [
        enlarged(experiments.picture("prior-text.png"), 2),
        enlarged(crop(experiments.picture("prior-hole.png"), (16, 16, 64, 64)), 4),
        enlarged(experiments.picture("prior-frame-500.png"), 2),
    ]
    sheet("prior-before-after", [before, after])


def frames() -> None:
    """One fit: four outputs, its two errors against the iteration, and against each other."""
    rows = experiments.rows("prior-frames")
    to_truth, to_observation = ([row[f"output_to_{which}"] for row in rows] for which in ("truth", "observation"))
    iterations, noise = [row["iteration"] for row in rows], (SIGMA / 255) ** 2
    figure = matplotlib.figure.Figure(figsize=(8.0, 5.0), layout="constrained", facecolor=GROUND)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.35))
    for ax, iteration in zip(above.subplots(1, 4), (5, 50, 500, 2000), strict=True):
        show(ax, experiments.picture(f"prior-frame-{iteration}.png"), f"iteration {iteration:,}")
    left, right = below.subplots(1, 2)

    left.loglog(iterations[1:], to_observation[1:], label="to the observation: the loss", color=COLORS[0])
    left.loglog(iterations[1:], to_truth[1:], label="to the truth", color=COLORS[1])
    left.axhline(noise, **DASHED)
    left.annotate("σ²", (10, noise), va="bottom", color=INK)
    left.set(xlabel="iteration", ylabel="mean squared error")

    # Descent on pixels: f + g (x0 − f) with g from 0 to 1, f the first output; its errors follow from those of f.
    g = np.linspace(0, 0.75, 200)
    cross = (to_truth[0] + noise - to_observation[0]) / 2
    straight = (1 - g) ** 2 * to_truth[0] + g**2 * noise + 2 * g * (1 - g) * cross
    right.loglog(to_observation, to_truth, color=COLORS[1], label="the network")
    right.loglog((1 - g) ** 2 * to_observation[0], straight, **DASHED, label="descent on pixels")
    marks = [i for i, n in enumerate(iterations) if n in (50, 500, 2000)]
    for i in marks:
        right.plot(to_observation[i], to_truth[i], "o", color=COLORS[1], markersize=5)
        offset = (-4, 8) if iterations[i] == 2000 else (8, -4)  # beside the path
        right.annotate(f"{iterations[i]:,}", (to_observation[i], to_truth[i]), offset, textcoords="offset points")
    right.set(xlabel="error to the observation", ylabel="error to the truth")
    for ax in (left, right):
        style(ax)
        ax.legend(frameon=False, fontsize=9)
    left.set_xticks((10, 50, 200, 500, 2000))
    figure.savefig(FOLDER / "prior-frames.png", dpi=150, facecolor=GROUND, metadata={"Software": None})


def style(ax: matplotlib.axes.Axes) -> None:
    """The course's style for axes that `canvas` did not make, with plain numbers on logarithmic scales."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_facecolor(GROUND)
    ax.grid(color="#d9d6cc", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)


def curves() -> None:
    """The losses of four targets."""
    losses: dict[str, dict[int, float]] = {}
    for row in experiments.rows("prior-curves"):
        losses.setdefault(row["target"], {})[row["iteration"]] = row["loss"]
    figure, ax = canvas(height=3.4)
    for name, curve in losses.items():
        ax.semilogy(list(curve), list(curve.values()), linewidth=2, label=name)
    ax.axhline((SIGMA / 255) ** 2, **DASHED)
    ax.annotate("σ²", (250, (SIGMA / 255) ** 2), ha="right", va="bottom", color=INK)
    ax.set(xlabel="iteration", ylabel="mean squared error")
    ax.legend(frameon=False, fontsize=10)
    chart("prior-curves", figure)


def stopping() -> None:
    """PSNR of the mean of outputs, three photographs and three seeds, and where two rules stop."""
    points, ends = experiments.rows("prior-stopping-curves"), experiments.rows("prior-stopping")
    figure, axes = canvas(width=8.0, height=3.0, columns=3)
    for ax, name in zip(axes, CORNERS, strict=True):
        for seed in (0, 1, 2):
            curve = [(p["iteration"], p["average"]) for p in points if (p["picture"], p["seed"]) == (name, seed)]
            end = next(row for row in ends if (row["picture"], row["seed"]) == (name, seed))
            ax.plot(*zip(*curve, strict=True), color=COLORS[seed], linewidth=1.5)
            for rule, mark in (("variance", "o"), ("discrepancy", "^")):
                ax.plot(
                    end[f"{rule}_iteration"], end[rule], mark, color=COLORS[seed], markersize=8, markeredgecolor=INK
                )
        ax.set(title=name, xlabel="iteration", xticks=(0, 500, 1000), ylim=(22, 28.5))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes[0].set_ylabel("PSNR in dB")
    chart("prior-stopping", figure)


def without_noise() -> None:
    """PSNR against the iteration where there is no noise to fit."""
    rows = experiments.rows("prior-without-noise")
    figure, axes = canvas(width=8.0, height=3.0, columns=2)
    for ax, (task, title) in zip(axes, {"half": "half of the pixels", "x4": "×4"}.items(), strict=True):
        curve = [(row["iteration"], row["psnr"]) for row in rows if row["task"] == task]
        ax.plot(*zip(*curve, strict=True), linewidth=2)
        ax.set(title=title, xlabel="iteration", xticks=(0, 500, 1000, 1500), ylabel="PSNR in dB")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    chart("prior-without-noise", figure)


def rows_of_the_slides() -> None:
    """The two rows of the slides with our pictures: letters removed, and ×4."""
    truth = part("astronaut", (50, 4), 128)
    letters = experiments.picture("prior-text-mask.png")
    pixels, hidden = (truth * letters)[0].permute(1, 2, 0).numpy(), letters[0, 0].numpy() == 0
    smooth = torch.from_numpy(inpaint_biharmonic(pixels, hidden, channel_axis=-1)).float().permute(2, 0, 1)[None]
    text = {
        "original": truth,
        "corrupted": truth * letters,
        "biharmonic": smooth,
        "deep image prior": experiments.picture("prior-text.png"),
    }
    labelled("prior-row-text", {label: crop(x, (34, 30, 44, 40)) for label, x in text.items()})
    cat = part("chelsea", (30, 12), 128)
    small = images.to_float(images.to_uint8(degrade.bicubic_down(cat, 4)))
    enlargements = {
        "ground truth": cat,
        "VDSR, trained": super_resolve(zoo.load("vdsr"), small, 4),
        "bicubic, not trained": imresize(small, 4),
        "deep prior, not trained": experiments.picture("prior-x4-chelsea.png"),
    }
    labelled("prior-row-x4", {label: crop(x, (22, 22, 60, 56)) for label, x in enlargements.items()})


def coordinates() -> None:
    """Half of the pixels, fitted by three untrained networks."""
    truth = part("chelsea", (30, 12), 128)
    psnr = {row["network"]: row["psnr"] for row in experiments.rows("prior-coordinates")}
    fits = {"plain": "coordinates", "fourier": "Fourier features", "hourglass": "hourglass"}
    pictures = {"half of the pixels": truth * degrade.pixel_mask(128, 128, keep=0.5, seed=0)}
    for name, label in fits.items():
        pictures[f"{label}, {psnr[name]:.1f} dB"] = experiments.picture(f"prior-coordinates-{name}.png")
    labelled("prior-coordinates", pictures | {"truth": truth})


FIGURES: tuple[Callable[[], None], ...] = (
    before_after,
    frames,
    curves,
    stopping,
    without_noise,
    rows_of_the_slides,
    coordinates,
)

if __name__ == "__main__":
    for draw in FIGURES:
        draw()
