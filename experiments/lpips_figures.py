"""Lecture 12: the page's charts, from measured and published tables, and the gallery of distortions.

Writes book/static/figures/lpips-{bars,shift,families,lives-on}.png and results/lpips-human.csv. Needs neither data nor
trunks; the same bytes each time.
"""

from pathlib import Path

import numpy as np
import torch
from lpips_triplets import denoised, enlarged

from imtrans import experiments, figures, images, published
from imtrans.data import distortions
from imtrans.data.photos import photo
from imtrans.judgements import against_itself

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
VOTES = 5  # per triplet of the sets that score
SETS = (
    "traditional", "CNN", "distortions",
    "superresolution", "deblurring", "colorization", "interpolation", "real algorithms", "all",
)  # fmt: skip

GROUPS = {  # as in the paper's Fig. 4
    "formulas": ("L2", "SSIM", "FSIMc", "HDR-VDP"),
    "no training": ("Gaussian",),
    "no labels": ("K-means", "Watching", "Split-Brain", "Puzzle", "BiGAN"),
    "labels of ImageNet": ("SqueezeNet", "AlexNet", "VGG"),
    "weights from votes": ("Squeeze-lin", "Alex-lin", "VGG-lin"),
    "network from votes": ("Squeeze-scratch", "Alex-scratch", "VGG-scratch", "Squeeze-tune", "Alex-tune", "VGG-tune"),
}


def agreement(model: str, kind: str) -> float:
    return published.rows("lpips", model=model, set=kind)[0]["agreement"]


def human() -> None:
    """The printed human score, and what it means between two different judges."""
    rows = []
    for kind in SETS:
        printed = agreement("Human", kind)
        judges = 100 * against_itself(printed / 100, VOTES)
        rows.append({"set": kind, "printed": printed, "two_judges": f"{judges:.1f}"})
    experiments.write("lpips-human", rows)


def bars() -> None:
    """2AFC of all methods, distortions left and real algorithms right."""
    figure, axes = figures.canvas(width=7.2, height=5.2, columns=2)
    names = [name for group in GROUPS.values() for name in group]
    colors = {name: figures.COLORS[i] for i, group in enumerate(GROUPS.values()) for name in group}
    places = np.arange(len(names))[::-1]
    for ax, kind in zip(axes, ("distortions", "real algorithms"), strict=True):
        ax.barh(places, [agreement(name, kind) for name in names], color=[colors[name] for name in names])
        line = agreement("Human", kind)
        judges = next(r["two_judges"] for r in experiments.rows("lpips-human") if r["set"] == kind)
        for value, style, words in ((line, "-", "human, as printed"), (judges, "--", "two judges")):
            ax.axvline(value, color=figures.INK, linewidth=1.4, linestyle=style)
            place = {"xytext": (-3, 0), "textcoords": "offset points", "ha": "right", "va": "top"}
            ax.annotate(words, (value, len(names) - 0.3), **place, rotation=90, fontsize=8)
        ax.set(
            xlim=(50, line + 2),
            title=kind,
            xlabel="agreement with people, %",
            yticks=places,
            ylim=(-0.7, len(names) - 0.2),
        )
        ax.grid(axis="y", visible=False)
        ax.title.set_fontsize(10)
    axes[0].set_yticklabels(names, fontsize=8)
    axes[1].set_yticklabels([])
    for ax in axes:
        ax.xaxis.label.set_fontsize(9)
    handles = [axes[0].barh(0, 0, color=figures.COLORS[i], label=name) for i, name in enumerate(GROUPS)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    (FIGURES / "lpips-bars.png").write_bytes(figures.png(figure))


def shift() -> None:
    """How far a shift is, in units of a visible blur."""
    rows = experiments.rows("lpips-shift")
    figure, ax = figures.canvas(width=6.4, height=3.4)
    lines = {
        "L2": "L2",
        "SSIM": "SSIM",
        "random AlexNet": "AlexNet, random weights",
        "hybrid": "hybrid VGG",
        "squeezenet-caffe": "SqueezeNet",
    }
    for key, name in lines.items():
        style = "--" if key in ("L2", "SSIM") else "-"
        ax.plot([r["pixels"] for r in rows], [r[key] for r in rows], style, marker="o", markersize=4, label=name)
    ax.axhline(1, color=figures.INK, linewidth=1)
    ax.annotate("a blur of σ = 1", (2.9, 1), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=9)
    ax.set(xlabel="shift in pixels", ylabel="distance, blur of σ = 1 is 1", ylim=(0, 5), xlim=(0, 4.05))
    ax.legend(frameon=False, fontsize=9)
    (FIGURES / "lpips-shift.png").write_bytes(figures.png(figure))


def families() -> None:
    """One patch under ten distortions: (a) by formulas, two rows; (b) by networks, the last two."""
    x = images.crop(photo("chelsea").picture, (110, 80, 64, 64))
    chosen = (
        distortions.white_noise,
        distortions.colored_noise,
        distortions.checkerboard,
        distortions.blur,
        distortions.compression,
        distortions.tone,
        distortions.color_shift,
        distortions.warp,
        distortions.ghost,
        enlarged,
        denoised,
    )
    made = [x, *(d(x, np.random.default_rng(5)) for d in chosen)]
    gap = torch.ones(1, 3, 64, 3)
    rows = []
    for start in (0, 6):
        pieces = [piece for picture in made[start : start + 6] for piece in (picture, gap)][:-1]
        rows.append(torch.cat(pieces, dim=-1))
    sheet = torch.cat([rows[0], torch.ones(1, 3, 3, rows[0].shape[-1]), rows[1]], dim=-2)
    images.write(FIGURES / "lpips-families.png", sheet.repeat_interleave(2, -1).repeat_interleave(2, -2))


EVENTS = (  # year, row, words; sources are on the page
    (2018, 0, "LPIPS"), (2018, 1, "PieAPP"), (2020, 0, "DISTS"), (2022, 1, "722 networks"), (2023, 0, "DreamSim"),
    (2021, 2, "VQGAN"), (2022, 2, "latent diffusion"), (2024, 2, "E-LatentLPIPS"),
    (2019, 3, "attacks: E-LPIPS"), (2022, 3, "shifts"), (2023, 3, "consistency models\ndrop it"),
)  # fmt: skip


def lives_on() -> None:
    """A time line in four rows: metrics, rivals, losses, doubts."""
    figure, ax = figures.canvas(width=7.2, height=2.9)
    names = ("metrics", "studies, rivals", "used as a loss", "doubts")
    for year, row, words in EVENTS:
        ax.plot(year, -row, "o", color=figures.COLORS[row])
        ax.annotate(words, (year, -row), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)
    ax.set(yticks=[-i for i in range(4)], yticklabels=names, ylim=(-3.4, 0.8), xlim=(2017.4, 2024.8))
    ax.set_xticks(range(2018, 2025))
    (FIGURES / "lpips-lives-on.png").write_bytes(figures.png(figure))


def main() -> None:
    human()
    bars()
    shift()
    families()
    lives_on()


if __name__ == "__main__":
    main()
