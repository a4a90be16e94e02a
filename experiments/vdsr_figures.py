"""Lecture 5: the page's picture and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/vdsr-*.png. Needs neither data nor network; the same bytes each time. Some seconds.
"""

from pathlib import Path

import torch
from torch import Tensor

from imtrans import experiments, figures, images, published, zoo
from imtrans.data import photos
from imtrans.degrade import bicubic_down_up

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
MAN = (180, 60, 150, 150)  # left, top, width, height: head, camera and the top of the tripod
GROUND = torch.tensor([int(figures.GROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]).view(1, 3, 1, 1)
INK = 0.13
MACS = {"SRCNN": 8_032, "SRCNN 9-5-5": 57_184, "VDSR": 664_704}  # multiplications per output pixel
OURS = {"SRCNN": "srcnn-x3", "SRCNN 9-5-5": "srcnn-955-x3", "VDSR": "vdsr"}
LEGEND = {"facecolor": figures.GROUND, "framealpha": 1, "edgecolor": "none"}  # hides the grid behind it
LABEL = {"facecolor": figures.GROUND, "edgecolor": "none", "pad": 1}


def enlarged(picture: Tensor, zoom: int = 2) -> Tensor:
    """(1, 1 or 3, H, W) in RGB, each pixel a square."""
    picture = picture.clamp(0, 1).expand(-1, 3, -1, -1)
    return picture.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)


def gap(height: int, sign: str) -> Tensor:
    """Ground between two panels, with a plus, an equals sign, or nothing on it."""
    piece = GROUND.expand(1, 3, height, 32).clone()
    for bar in {"+": (0,), "=": (-6, 6), "": ()}[sign]:
        piece[..., height // 2 + bar - 2 : height // 2 + bar + 2, 6:-6] = INK
    if sign == "+":
        piece[..., height // 2 - 10 : height // 2 + 10, 14:18] = INK
    return piece


def residual() -> None:
    """x + f(x) = ŷ, beside y, for the cameraman at ×3; f(x) on middle grey, its contrast doubled."""
    y = images.modcrop(photos.photo("camera").picture, 3)
    x = bicubic_down_up(y, 3)
    with torch.inference_mode():
        added = zoo.load("vdsr")(x) - x
    row, signs = [], ("+", "=", "", None)
    for picture, sign in zip((x, 0.5 + 2 * added, x + added, y), signs, strict=True):
        panel = enlarged(figures.crop(picture, MAN))
        row += [panel] if sign is None else [panel, gap(panel.shape[-2], sign)]
    images.write(FIGURES / "vdsr-residual.png", torch.cat(row, dim=-1))


def depth() -> None:
    """PSNR over depth, and the gain during training, with the skip and without."""
    figure, (left, right) = figures.canvas(width=7.2, height=3.2, columns=2)
    styles, curves = {5: ":", 10: "--", 20: "-"}, experiments.rows("vdsr-depth-curves")
    for color, name in zip(figures.COLORS, ("residual", "plain"), strict=False):
        rows = [row for row in experiments.rows("vdsr-depth") if row["network"] == name]
        left.plot([row["depth"] for row in rows], [row["psnr"] for row in rows], "o-", color=color, label=name)
        for layers, style in styles.items():
            curve = [row for row in curves if (row["network"], row["depth"]) == (name, layers)]
            right.plot([row["step"] for row in curve], [row["gain"] for row in curve], style, color=color,
                       label=f"{name}, {layers} layers")  # fmt: skip
    bicubic = published.rows("vdsr", model="Bicubic", set="Set5", scale=2)[0]["psnr"]
    left.axhline(bicubic, color=figures.INK, linewidth=1.2, linestyle="--")
    below = {"xytext": (0, -4), "textcoords": "offset points", "ha": "right", "va": "top", "fontsize": 9}
    left.annotate("bicubic", (20, bicubic), **below, bbox=LABEL)
    left.set(xlabel="layers", ylabel="PSNR on Set5, ×2, in dB", xticks=list(styles))
    right.axhline(0, color=figures.INK, linewidth=1.2, linestyle="--")
    right.set(xlabel="step", ylabel="gain over bicubic in dB", ylim=(-30, 4))
    left.legend(**LEGEND, fontsize=9)
    right.legend(**LEGEND, fontsize=8)
    (FIGURES / "vdsr-depth.png").write_bytes(figures.png(figure))


def clipping() -> None:
    """The gain during training, by the clip."""
    lines = {  # θ and first rate, as in the table → words
        (1e-2, 0.1): "θ = 0.01",
        (1e-3, 0.1): "θ = 0.001",
        (1e-4, 0.1): "θ = 0.0001",
        (1e-5, 0.1): "θ = 0.00001",
        ("none", 1e-5): "no clip,\nrate 0.00001",
    }
    rows = experiments.rows("vdsr-clipping-curves")
    figure, ax = figures.canvas(height=3.2)
    for (theta, rate), label in lines.items():
        points = [(row["step"], row["gain"]) for row in rows if (row["theta"], row["rate"]) == (theta, rate)]
        ax.plot(*zip(*points, strict=True), linewidth=2, linestyle="--" if theta == "none" else "-", label=label)
    ax.axhline(0, color=figures.INK, linewidth=1.2, linestyle="--")
    ax.set(xlabel="step", ylabel="gain over bicubic in dB", ylim=(-4, 1.5))
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    (FIGURES / "vdsr-clipping.png").write_bytes(figures.png(figure))


def factors() -> None:
    """Gain over bicubic against the factor of the enlargement."""
    figure, ax = figures.canvas(height=3.4)
    for scale in (2, 3, 4):
        ax.axvline(scale, color=figures.GRID, linewidth=3)
    for name in ("vdsr", "srcnn-x2", "srcnn-x3", "srcnn-x4"):
        rows = [row for row in experiments.rows("vdsr-factors") if row["network"] == name and row["factor"] != 1]
        points = [(row["factor"], row["gain"]) for row in rows]
        ax.plot(*zip(*points, strict=True), "o-", linewidth=2.5 if name == "vdsr" else 1.2, markersize=4, label=name)
    ax.axhline(0, color=figures.INK, linewidth=1.2, linestyle="--")
    ax.set(xlabel="factor", ylabel="gain over bicubic in dB", ylim=(-9, 5.5), xlim=(1.1, 5.1))
    ax.legend(**LEGEND, fontsize=9, loc="lower right")
    (FIGURES / "vdsr-factors.png").write_bytes(figures.png(figure))


def cost() -> None:
    """PSNR against multiplications per output pixel: the paper's Fig. 1 without its clock."""
    figure, ax = figures.canvas(width=5.6, height=3.2)
    for model, macs in MACS.items():
        printed = published.rows("srcnn" if model == "SRCNN" else "vdsr", model=model, set="Set5", scale=3)[0]["psnr"]
        scores = zoo.card(OURS[model])["scores"]
        ours = next(s["psnr"] for s in scores if (s["set"], s["scale"]) == ("Set5", 3))
        labels = ("as printed", "our weights") if model == "VDSR" else (None, None)
        ax.semilogx(macs, printed, "o", color=figures.COLORS[0], label=labels[0])
        ax.semilogx(macs, ours, "o", color=figures.COLORS[0], fillstyle="none", label=labels[1])
        name, place = "SRCNN 9-1-5" if model == "SRCNN" else model, (macs, max(printed, ours))
        ax.annotate(name, place, xytext=(0, 8), textcoords="offset points", ha="center", fontsize=9, bbox=LABEL)
    bicubic = published.rows("vdsr", model="Bicubic", set="Set5", scale=3)[0]["psnr"]
    ax.axhline(bicubic, color=figures.INK, linewidth=1.2, linestyle="--")
    ax.annotate("bicubic", (3e3, bicubic), xytext=(4, 5), textcoords="offset points", fontsize=9, bbox=LABEL)
    ax.set(xlim=(3e3, 2e6), ylim=(30, 34.3))
    ax.set(xlabel="multiplications per output pixel", ylabel="PSNR on Set5, ×3, in dB")
    ax.legend(**LEGEND, fontsize=9, loc="center right")
    (FIGURES / "vdsr-cost.png").write_bytes(figures.png(figure))


def main() -> None:
    """Draw all of them."""
    residual()
    depth()
    clipping()
    factors()
    cost()


if __name__ == "__main__":
    main()
