"""Lecture 7: the page's pictures and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/dncnn-*.png. Needs neither data nor network; the same bytes each time. Half a minute.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from imtrans import experiments, figures, images, published, zoo
from imtrans.data import photos
from imtrans.degrade import Downscale, GaussianNoise, Jpeg, bicubic_down_up
from imtrans.restore import denoise

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
CAT = (112, 56, 112, 112)  # left, top, width, height: an eye and fur
LAWN = (330, 400, 92, 92)
SIX = (200, 100, 288, 192)
GROUND = torch.tensor([int(figures.GROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]).view(1, 3, 1, 1)
INK = 0.13


def enlarged(picture: Tensor, zoom: int = 2) -> Tensor:
    """(1, 1 or 3, H, W) in RGB, each pixel a square."""
    picture = picture.clamp(0, 1).expand(-1, 3, -1, -1)
    return picture.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)


def gap(height: int, width: int, bars: tuple[int, ...] = ()) -> Tensor:
    """Ground between two panels, with horizontal bars at these distances from the middle: a minus, an equals sign."""
    piece = GROUND.expand(1, 3, height, width).clone()
    for bar in bars:
        middle = height // 2 + bar
        piece[..., middle - 2 : middle + 2, 6:-6] = INK
    return piece


def photograph() -> None:
    """y − R(y) = x̂ for a photograph in colour."""
    cat = photos.photo("chelsea").picture
    noisy = GaussianNoise(50)(cat, seed=0)
    noise = noisy - denoise(zoo.load("cdncnn-blind"), noisy)
    panels = [enlarged(figures.crop(p, CAT)) for p in (noisy, 0.5 + noise, noisy - noise)]
    height = panels[0].shape[-2]
    row = [panels[0], gap(height, 32, (0,)), panels[1], gap(height, 32, (-6, 6)), panels[2]]
    images.write(FIGURES / "dncnn-photo.png", torch.cat(row, dim=-1))


def left_over() -> None:
    """A lawn: clean, noisy, denoised, and the error."""
    clean = photos.photo("camera").picture
    noisy = GaussianNoise(25)(clean, seed=0)
    result = denoise(zoo.load("dncnn-25"), noisy)
    panels = [enlarged(figures.crop(p, LAWN)) for p in (clean, noisy, result, 0.5 + 2 * (result - clean))]
    row = [panels[0]]
    for panel in panels[1:]:
        row += [gap(panel.shape[-2], 6), panel]
    images.write(FIGURES / "dncnn-left.png", torch.cat(row, dim=-1))


def six_regions(clean: Tensor) -> Tensor:
    """One picture (1, 1, 2h, 3w), each of its six regions damaged in its own way, as on the slide."""
    damages = (GaussianNoise(15), Downscale(2), Jpeg(30), GaussianNoise(25), Downscale(3), Jpeg(10))
    height, width = clean.shape[-2] // 2, clean.shape[-1] // 3
    damaged = clean.clone()
    for i, damage in enumerate(damages):
        if isinstance(damage, Downscale):
            whole = bicubic_down_up(clean, damage.scale)
        else:
            whole = damage(clean, seed=i)
        row, column = height * (i // 3), width * (i % 3)
        box = (..., slice(row, row + height), slice(column, column + width))
        damaged[box] = whole[box]
    return damaged


def three_tasks() -> None:
    """The slide's picture, damaged above and restored below."""
    damaged = six_regions(figures.crop(photos.photo("camera").picture, SIX))
    restored = denoise(zoo.load("dncnn-3"), damaged)
    parts = [enlarged(damaged), gap(8, 2 * SIX[2]), enlarged(restored)]
    images.write(FIGURES / "dncnn-three.png", torch.cat(parts, dim=-2))


def deblurring() -> None:
    """The detail that `dncnn_deblurring.py` kept: blurred, by Wiener's filter, by RED, the truth."""
    strip = experiments.picture("dncnn-deblurring.png")
    panels = [enlarged(part) for part in strip.chunk(4, dim=-1)]
    row = [panels[0]]
    for panel in panels[1:]:
        row += [gap(panel.shape[-2], 6), panel]
    images.write(FIGURES / "dncnn-deblurring.png", torch.cat(row, dim=-1))


def mismatch() -> None:
    """PSNR against the noise level of the picture."""
    figure, ax = figures.canvas(height=3.2)
    by_model: dict[str, dict[int, float]] = {}
    for row in experiments.rows("dncnn-mismatch"):
        by_model.setdefault(row["model"], {})[row["sigma"]] = row["psnr"]
    for name, scores in by_model.items():
        ax.plot(list(scores), list(scores.values()), linewidth=2, marker="o", markersize=4, label=name)
    levels = list(by_model["dncnn-25"])
    untouched = [20 * math.log10(255 / level) for level in levels]
    ax.plot(levels, untouched, linewidth=1.2, linestyle="--", color=figures.INK, label="untouched")
    ax.axvspan(0, 55, color=figures.COLORS[1], alpha=0.07, linewidth=0)
    ax.set(xlabel="noise level σ of the picture", ylabel="PSNR on Set12 in dB", xlim=(0, 78))
    ax.legend(framealpha=1, edgecolor="none", facecolor=figures.GROUND, fontsize=9)  # no grid behind letters
    (FIGURES / "dncnn-mismatch.png").write_bytes(figures.png(figure))


def ablation() -> None:
    """The slide's two diagrams, SGD and Adam."""
    curves: dict[tuple[str, int, int], dict[int, float]] = {}
    for row in experiments.rows("dncnn-ablation"):
        curves.setdefault((row["optimizer"], row["residual"], row["batch_norm"]), {})[row["step"]] = row["psnr"]
    figure, axes = figures.canvas(width=7.2, height=3.2, columns=2)
    for ax, optimizer in zip(axes, ("SGD", "Adam"), strict=True):
        for residual, batch_norm, label in (
            (1, 1, "residual, BN"),
            (1, 0, "residual"),
            (0, 1, "direct, BN"),
            (0, 0, "direct"),
        ):
            curve = curves[optimizer, residual, batch_norm]
            ax.plot(list(curve), list(curve.values()), linewidth=1.8, label=label)
        ax.set(title=optimizer, xlabel="step", ylim=(15.5, 28.8))
    axes[0].set(ylabel="PSNR in dB, validation")
    axes[1].legend(frameon=False, fontsize=9, loc="lower right")
    (FIGURES / "dncnn-ablation.png").write_bytes(figures.png(figure))


def lives_on() -> None:
    """PSNR on BSD68 at σ = 25 as the authors of DnCNN print it, over the years."""
    years = {"BM3D": 2007, "EPLL": 2011, "MLP": 2012, "WNNM": 2014, "TNRD": 2015, "DnCNN-S": 2016, "DRUNet": 2021}
    figure, ax = figures.canvas(height=3.0)
    for model, year in years.items():
        psnr = published.rows("dncnn", model=model, set="BSD68", sigma=25)[0]["psnr"]
        network = model in ("DnCNN-S", "DRUNet")
        ax.plot(year, psnr, "o" if network else "s", color=figures.COLORS[0 if network else 1])
        ground = {"facecolor": figures.GROUND, "edgecolor": "none", "pad": 0.5}  # no grid behind letters
        ax.annotate(model, (year, psnr), xytext=(7, -3), textcoords="offset points", fontsize=9, bbox=ground)
    ax.set(xlim=(2006, 2023), ylim=(28.4, 29.7), xlabel="year", ylabel="PSNR on BSD68, σ = 25, in dB")
    (FIGURES / "dncnn-lives-on.png").write_bytes(figures.png(figure))


def main() -> None:
    """Draw all of them."""
    photograph()
    left_over()
    three_tasks()
    deblurring()
    mismatch()
    ablation()
    lives_on()


if __name__ == "__main__":
    main()
