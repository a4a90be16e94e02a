"""Lecture 1: the page's pictures and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/srcnn-*.png. Needs neither data nor network; the same bytes each time.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imtrans import experiments, figures, images, published, zoo
from imtrans.data import photos
from imtrans.degrade import bicubic_down
from imtrans.resize import imresize
from imtrans.restore import super_resolve

SCALE = 3
FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
FACE = (174, 10, 120, 120)  # left, top, width, height in the astronaut
BADGE = (270, 330, 60, 50)
EYE = (82, 33)  # column and row of a low-resolution pixel in her left eye
HEADER, GAP = 26, 6  # pixels above a panel for its label, and between panels


def answers() -> dict[str, Tensor]:
    """The astronaut: enlarged from a third of its size by bicubic and by SRCNN, and the original, (1, 3, H, W)."""
    original = images.modcrop(photos.photo("astronaut").picture, SCALE)
    low_res = images.to_float(images.to_uint8(bicubic_down(original, SCALE)))
    return {
        "bicubic": imresize(low_res, SCALE).clamp(0, 1),
        "SRCNN": super_resolve(zoo.load("srcnn-x3"), low_res, SCALE).clamp(0, 1),
        "original": original,
    }


def side_by_side(panels: dict[str, Tensor], box: tuple[int, int, int, int], zoom: int, name: str) -> None:
    """Write the same box of several pictures in a row, each below its label, each pixel a square."""
    width, height = box[2] * zoom, box[3] * zoom
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + HEADER), figures.GROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(panels.items()):
        cut = figures.crop(picture, box).repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
        levels = images.to_uint8(cut)[0].permute(1, 2, 0).numpy()
        left = index * (width + GAP)
        sheet.paste(Image.fromarray(np.ascontiguousarray(levels)), (left, HEADER))
        draw.text((left + 4, 3), label, fill=figures.INK, font=ImageFont.load_default(17))
    sheet.save(FIGURES / name, optimize=True)


def window(low_res: Tensor) -> None:
    """How many low-resolution pixels the receptive fields of three networks cover."""
    column, row = EYE
    half = 8
    cut = low_res[0, :, row - half : row + half + 1, column - half : column + half + 1].permute(1, 2, 0)
    figure, ax = figures.canvas(width=4.4, height=4.8)
    side = half + 0.5
    ax.imshow(cut.clamp(0, 1).numpy(), extent=(-side, side, side, -side), interpolation="nearest")
    ax.set_xticks(np.arange(-side, side + 1), minor=True)
    ax.set_yticks(np.arange(-side, side + 1), minor=True)
    ax.grid(visible=False)
    ax.grid(visible=True, which="minor", color="#ffffff", linewidth=0.3, alpha=0.5)
    ax.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    ax.spines[:].set_visible(False)
    for text, field, color in (("9-1-5", 13, "#ffffff"), ("9-5-5", 17, "#ffd400"), ("VDSR", 41, "#00e5ff")):
        reach = field / SCALE / 2
        ax.add_patch(_square(reach, "#000000", 3.6))
        ax.add_patch(_square(reach, color, 1.8))
        ax.plot([], [], color=color, linewidth=3, label=f"{text}: {field / SCALE:.1f}")
    legend = figure.legend(loc="outside lower center", ncols=3, fontsize=9, facecolor="#8a8f98", edgecolor="none")
    for text in legend.get_texts():
        text.set_color("#000000")
    (FIGURES / "srcnn-window.png").write_bytes(figures.png(figure))


def _square(reach: float, color: str, width: float):
    from matplotlib.patches import Rectangle

    return Rectangle((-reach, -reach), 2 * reach, 2 * reach, fill=False, edgecolor=color, linewidth=width)


def curve() -> None:
    """The upper part of the paper's Fig. 1 from our own training."""
    rows = experiments.rows("srcnn-curve")
    figure, ax = figures.canvas(width=5.6, height=3.2)
    for seed in sorted({row["seed"] for row in rows}):
        points = [(row["patches"], row["psnr"]) for row in rows if row["seed"] == seed]
        ax.plot(*zip(*points, strict=True), color=figures.COLORS[0], linewidth=1.5)
    for model in ("Bicubic", "SC", "A+"):
        level = published.rows("srcnn", model=model, set="Set5", scale=SCALE)[0]["psnr"]
        ax.axhline(level, color=figures.INK, linewidth=1.2, linestyle="--")
        ax.annotate(model.lower() if model == "Bicubic" else model, (1, level), xycoords=("axes fraction", "data"),
                    ha="right", va="bottom", fontsize=9)  # fmt: skip
    ax.set(xlim=(0, 34_000), ylim=(28.8, 32.9), xlabel="training patches seen", ylabel="PSNR on Set5, ×3, in dB")
    ax.annotate("SRCNN, three starts", (16_500, 30.85), va="center", fontsize=9, color=figures.COLORS[0])
    ax.xaxis.set_major_formatter("{x:,.0f}")
    (FIGURES / "srcnn-curve.png").write_bytes(figures.png(figure))


def spectra() -> None:
    """Power by frequency of X, Y and F(Y), and the share of X's power that each gets wrong."""
    rows = experiments.rows("srcnn-spectra")
    x = [row["frequency"] for row in rows]
    figure, (left, right) = figures.canvas(width=6.4, columns=2)
    for name, label in (("X", "original X"), ("F", "SRCNN F(Y)"), ("Y", "bicubic Y")):
        left.plot(x, [10 * np.log10(row[name] / rows[0]["X"]) for row in rows], label=label)
    for name, label, color in (("F-X", "SRCNN", 1), ("Y-X", "bicubic", 2)):
        wrong = [100 * row[name] / row["X"] for row in rows]
        right.plot(x, wrong, label=label, color=figures.COLORS[color])
    left.set(xlabel="cycles per pixel", ylabel="power in dB")
    right.set(xlabel="cycles per pixel", ylabel="error in % of X's power", ylim=(0, 125))
    for ax in (left, right):
        ax.axvline(1 / (2 * SCALE), color=figures.INK, linewidth=1, linestyle=":")
        ax.legend(frameon=False, fontsize=9, loc="upper right" if ax is left else "lower right")
    (FIGURES / "srcnn-spectra.png").write_bytes(figures.png(figure))


def lives_on() -> None:
    """PSNR on Set5 ×4 as printed, over the years."""
    methods = (  # paper whose table is read, method, year of the method
        ("srcnn", "NE+LLE", 2004),
        ("srcnn", "ANR", 2013),
        ("srcnn", "A+", 2014),
        ("srcnn", "SRCNN 9-5-5", 2016),
        ("vdsr", "VDSR", 2016),
        ("edsr", "EDSR", 2017),
        ("rcan", "RCAN", 2018),
    )
    figure, ax = figures.canvas(width=5.6, height=3.0)
    for paper, model, year in methods:
        psnr = published.rows(paper, model=model, set="Set5", scale=4)[0]["psnr"]
        network = model.split()[0] in ("SRCNN", "VDSR", "EDSR", "RCAN")
        ax.plot(year, psnr, "o" if network else "s", color=figures.COLORS[0 if network else 1])
        place, side = ((-7, -3), "right") if model == "EDSR" else ((7, -3), "left")  # RCAN is to its right
        ax.annotate(model.split()[0], (year, psnr), xytext=place, textcoords="offset points", ha=side, fontsize=9)
    bicubic = published.rows("srcnn", model="Bicubic", set="Set5", scale=4)[0]["psnr"]
    ax.axhline(bicubic, color=figures.INK, linewidth=1.2, linestyle="--")
    ax.annotate("bicubic", (2004, bicubic), xytext=(0, 3), textcoords="offset points", fontsize=9)
    ax.set(xlim=(2003, 2020), ylim=(28, 33), xlabel="year", ylabel="PSNR on Set5, ×4, in dB")
    (FIGURES / "srcnn-lives-on.png").write_bytes(figures.png(figure))


def main() -> None:
    """Draw all of them."""
    with torch.inference_mode():
        panels = answers()
    side_by_side(panels, FACE, 2, "srcnn-face.png")
    side_by_side(panels, BADGE, 4, "srcnn-badge.png")
    sheet = figures.filter_sheet(zoo.load("srcnn-x3").patch_extraction.weight)
    sheet = sheet.repeat_interleave(4, -1).repeat_interleave(4, -2)
    images.write(FIGURES / "srcnn-filters.png", sheet)
    window(bicubic_down(panels["original"], SCALE))
    curve()
    spectra()
    lives_on()


if __name__ == "__main__":
    main()
