"""Lecture 8: the page's pictures and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/edsr-*.png. Needs neither data nor network; the same bytes each time. Half a minute.
"""

from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from imtrans import experiments, figures, images, published, zoo
from imtrans.data import photos
from imtrans.degrade import Downscale, bicubic_down
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic
from imtrans.protocols import PROTOCOLS
from imtrans.resize import imresize
from imtrans.restore import super_resolve

SCALE = 2
FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
PATCH = (132, 346, 82, 82)  # left, top, width, height of the mission patch on the astronaut's suit
FACE = (176, 56, 100, 100)  # the astronaut's
GAP, ZOOM = 6, 3
PLAIN, OWN = "#cfe3f1", "#f6d3b8"
ABLATION = {
    "plain": "plain\n4 blocks, L1",
    "L2": "L2",
    "batch norm": "batch norm",
    "plain, same time": "plain,\nsame time",
    "plain, same memory": "plain,\nsame memory",
}


def save(figure, name: str) -> None:
    """Write a chart."""
    (FIGURES / f"edsr-{name}.png").write_bytes(figures.png(figure))


def photograph() -> None:
    """The mission patch: bicubic, EDSR baseline, its mean over eight views, original, each pixel a square."""
    original = images.modcrop(photos.photo("astronaut").picture, SCALE)
    low_res = images.to_float(images.to_uint8(bicubic_down(original, SCALE)))
    network = zoo.load("edsr-baseline-x2")
    panels = {
        "bicubic": imresize(low_res, SCALE),
        "EDSR baseline": super_resolve(network, low_res, SCALE),
        "EDSR baseline+": super_resolve(network, low_res, SCALE, self_ensemble=True),
        "original": original,
    }
    side_by_side({label: figures.crop(picture, PATCH) for label, picture in panels.items()}, ZOOM, "photo")


def fourfold() -> None:
    """A face at ×4, as in the paper's first figure, with the PSNR of the whole photograph by EDSR's own protocol."""
    original, degradation = images.modcrop(photos.photo("astronaut").picture, 4), Downscale(4)
    low_res = PROTOCOLS["rgb-y8"].observe(original, degradation, 0)
    networks = {"bicubic": Bicubic(), "VDSR": zoo.load("vdsr"), "EDSR baseline": zoo.load("edsr-baseline-x4")}
    panels = {"original": original}
    for name, network in (networks | {"EDSR baseline+": networks["EDSR baseline"]}).items():
        ensemble = name.endswith("+")
        score = evaluate(network, [("", original)], degradation, protocol="rgb-y8", self_ensemble=ensemble).psnr
        panels[f"{name}, {score:.2f}"] = super_resolve(network, low_res, 4, self_ensemble=ensemble)
    side_by_side({label: figures.crop(picture, FACE) for label, picture in panels.items()}, 2, "fourfold")


def fog() -> None:
    """A photograph at two contrasts, and a channel of either behind a normalised convolution of random weights."""
    head = figures.crop(photos.photo("astronaut").picture, (150, 0, 160, 160))
    foggy = 0.5 * head + 0.4
    torch.manual_seed(2)
    layer = torch.nn.Sequential(
        torch.nn.Conv2d(3, 1, 3, padding=1, padding_mode="replicate"), torch.nn.BatchNorm2d(1, eps=1e-12)
    )
    panels = {"photograph": head, "in fog": foggy}
    panels |= {f"{name}, normalised": 0.5 + layer(picture) / 6 for name, picture in tuple(panels.items())}
    side_by_side(panels, 2, "fog")


def side_by_side(panels: dict[str, torch.Tensor], zoom: int, name: str) -> None:
    """Write pictures of one size in a row, each below its label, each pixel a square."""
    height, width = (zoom * side for side in next(iter(panels.values())).shape[-2:])
    letters = max(17, width // 14)
    header = letters + 9
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + header), figures.GROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(panels.items()):
        large = picture.clamp(0, 1).expand(-1, 3, -1, -1).repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
        levels = images.to_uint8(large)[0].permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(np.ascontiguousarray(levels)), (index * (width + GAP), header))
        draw.text((index * (width + GAP) + 4, 3), label, fill=figures.INK, font=ImageFont.load_default(letters))
    sheet.save(FIGURES / f"edsr-{name}.png", optimize=True)


def box(ax, x: float, y: float, text: str, color: str = PLAIN, width: float = 1.7, height: float = 0.62) -> None:
    """A box with its middle at (x, y)."""
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - height / 2)
    shape = FancyBboxPatch(
        corner, width, height, boxstyle="round,pad=0,rounding_size=0.1", facecolor=color, edgecolor=figures.INK
    )
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", fontsize=9, color=figures.INK)


def arrow(ax, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    """An arrow, bent to one side for a skip connection."""
    style = f"arc3,rad={bend}"
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": figures.INK, "connectionstyle": style})


def drawing(width: float, height: float, limits: tuple[float, float]):
    """An empty canvas in units of boxes."""
    figure, ax = figures.canvas(width=width, height=height)
    ax.set(xlim=(0, limits[0]), ylim=(0, limits[1]), aspect="equal")
    ax.axis("off")
    return figure, ax


def blocks() -> None:
    """The residual blocks of ResNet, SRResNet and EDSR."""
    figure, ax = drawing(6.4, 4.9, (12, 9.2))
    columns = {
        "ResNet": ["conv", "batch norm", "ReLU", "conv", "batch norm", "+", "ReLU"],
        "SRResNet": ["conv", "batch norm", "ReLU", "conv", "batch norm", "+", None],
        "EDSR": ["conv", None, "ReLU", "conv", "× ρ", "+", None],
    }
    for index, (name, layers) in enumerate(columns.items()):
        x, rows = 1.8 + 4.1 * index, [7.7 - 1.05 * row for row in range(7)]
        ax.text(x, 8.9, name, ha="center", va="center", fontsize=11, fontweight="bold", color=figures.INK)
        places = [(y, layer) for y, layer in zip(rows, layers, strict=True) if layer]
        for y, layer in places:
            color = OWN if layer == "× ρ" else "#ffffff" if layer == "+" else PLAIN
            box(ax, x, y, layer, color, width=0.62 if layer == "+" else 1.7)
        for (above, _), (below, _) in pairwise(places):
            arrow(ax, (x, above - 0.31), (x, below + 0.31))
        arrow(ax, (x, 8.6), (x, rows[0] + 0.31))
        arrow(ax, (x, places[-1][0] - 0.31), (x, places[-1][0] - 1.0))
        plus = rows[5]
        ax.plot([x, x + 1.45, x + 1.45], [8.35, 8.35, plus], color=figures.INK, linewidth=1.2)
        arrow(ax, (x + 1.45, plus), (x + 0.31, plus))
    save(figure, "blocks")


def network() -> None:
    """EDSR and MDSR as rows of boxes."""
    figure, ax = drawing(7.2, 5.7, (18.4, 14.4))

    def row(y: float, parts: list[tuple[float, str, str]], skip: tuple[float, float]) -> None:
        for (x, text, color), following in zip(parts, [*parts[1:], None], strict=True):
            width = 0.62 if text == "+" else 2.3 if "\n" in text else 1.5
            box(ax, x, y, text, color, width=width, height=0.62 if text == "+" else 1.0)
            if following:
                next_width = 0.62 if following[1] == "+" else 2.3 if "\n" in following[1] else 1.5
                arrow(ax, (x + width / 2, y), (following[0] - next_width / 2, y))
        start, end = skip
        ax.plot([start, start, end, end], [y, y + 0.95, y + 0.95, y + 0.31], color=figures.INK, linewidth=1.2)

    ax.text(0.2, 13.9, "EDSR", fontsize=11, fontweight="bold", color=figures.INK, va="center")
    parts = [(1.5, "conv", PLAIN), (4.6, "B residual\nblocks", PLAIN), (7.4, "conv", PLAIN), (9.3, "+", "#ffffff")]
    row(12.1, [*parts, (11.6, "upsample\n×s", PLAIN), (14.6, "conv", PLAIN)], (2.8, 9.3))
    arrow(ax, (0.0, 12.1), (0.75, 12.1))
    arrow(ax, (15.35, 12.1), (16.3, 12.1))
    corners = [(10.45, 11.6), (7.4, 10.9), (7.4, 7.5), (18.2, 7.5), (18.2, 10.9), (12.75, 11.6)]
    ax.plot(*zip(*corners, strict=True), color=figures.INK, linewidth=0.8, linestyle=":")
    for y, scale, steps in ((10.3, 2, (2,)), (9.2, 3, (3,)), (8.1, 4, (2, 2))):
        ax.text(7.9, y, f"×{scale}", fontsize=9, color=figures.INK, ha="center", va="center")
        for index, factor in enumerate(steps):
            x = 9.3 + 4.7 * index
            box(ax, x, y, "conv", PLAIN, width=1.5, height=0.8)
            arrow(ax, (x + 0.75, y), (x + 1.25, y))
            box(ax, x + 2.3, y, f"shuffle {factor}", PLAIN, width=2.1, height=0.8)
            if index:
                arrow(ax, (x - 1.35, y), (x - 0.75, y))

    ax.text(0.2, 7.5, "MDSR", fontsize=11, fontweight="bold", color=figures.INK, va="center")
    parts = [(7.7, "B residual\nblocks", PLAIN), (10.1, "conv", PLAIN), (11.7, "+", "#ffffff")]
    row(3.4, parts, (6.0, 11.7))
    arrow(ax, (5.9, 3.4), (6.55, 3.4))
    arrow(ax, (0.0, 3.4), (0.45, 3.4))
    box(ax, 1.2, 3.4, "conv", PLAIN, width=1.5, height=1.0)
    for y, scale in ((5.6, 2), (3.4, 3), (1.2, 4)):
        box(ax, 4.0, y, f"2 blocks\n5×5, ×{scale}", OWN, width=2.3, height=1.0)
        arrow(ax, (1.95, 3.4), (2.85, y))
        arrow(ax, (5.15, y), (5.9, 3.4))
        box(ax, 14.0, y, f"upsample\n×{scale}", OWN, width=2.3, height=1.0)
        box(ax, 16.6, y, "conv", OWN, width=1.5, height=1.0)
        arrow(ax, (12.01, 3.4), (12.85, y))
        arrow(ax, (15.15, y), (15.85, y))
        arrow(ax, (17.35, y), (18.2, y))
    save(figure, "network")


def ablation() -> None:
    """PSNR of the variants, one dot per start."""
    rows = experiments.rows("edsr-ablation")
    figure, ax = figures.canvas(width=6.4, height=3.0)
    for index, name in enumerate(ABLATION):
        each = [row["psnr"] for row in rows if row["network"] == name and row["seed"] != "mean"]
        ax.plot([index] * len(each), each, "o", color=figures.COLORS[0], alpha=0.7)
        ax.plot([index - 0.25, index + 0.25], [fmean(each)] * 2, color=figures.COLORS[1], linewidth=2)
    ax.set_xticks(range(len(ABLATION)), list(ABLATION.values()))
    ax.set(ylabel="PSNR in dB")
    save(figure, "ablation")


def width() -> None:
    """How far a step goes by width, and the first losses of the large network."""
    figure, (left, right) = figures.canvas(width=6.8, height=3.0, columns=2)
    steps = experiments.rows("edsr-steps")
    names = [f"{row['features']}" + (f"\nρ = {row['rho']:g}" if row["rho"] != 1 else "") for row in steps]
    colors = [figures.COLORS[0] if row["rho"] != 1 else figures.COLORS[1] for row in steps]
    left.bar(range(len(steps)), [row["levels"] for row in steps], color=colors, width=0.6)
    left.set_xticks(range(len(steps)), names)
    left.set(xlabel="features", ylabel="movement in grey levels")
    rows = experiments.rows("edsr-wide")
    for rho, color in ((1, figures.COLORS[1]), (0.1, figures.COLORS[0])):
        found = [row for row in rows if row["rho"] == rho]
        right.plot([r["step"] for r in found], [r["levels"] for r in found], color=color, label=f"ρ = {rho:g}")
    right.set(xlabel="step", ylabel="loss in grey levels", ylim=(0, None))
    right.legend(frameon=False, fontsize=9)
    save(figure, "width")


def pretraining() -> None:
    """×4 from scratch and from ×2."""
    rows = experiments.rows("edsr-pretraining")
    figure, ax = figures.canvas(width=5.6, height=2.8)
    for start, label in (("×2", "from ×2"), ("scratch", "from scratch")):
        points = [(row["step"], row["psnr"]) for row in rows if row["start"] == start]
        ax.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label)
    ax.set(xlabel="step", ylabel="PSNR at ×4 in dB")
    ax.legend(framealpha=1, edgecolor="none", facecolor=figures.GROUND, fontsize=9)  # no grid behind letters
    save(figure, "pretraining")


def ensemble() -> None:
    """The gain of the self-ensemble, measured and computed from the spread."""
    rows = [row for row in experiments.rows("edsr-ensemble") if row["picture"] != "mean"]
    figure, ax = figures.canvas(width=5.6, height=2.8)
    place = np.arange(len(rows))
    computed = [10 * np.log10((row["mse_of_mean"] + row["spread"]) / row["mse_of_mean"]) for row in rows]
    ax.bar(place - 0.2, [row["gain"] for row in rows], 0.38, label="measured")
    ax.bar(place + 0.2, computed, 0.38, label="from the spread")
    ax.set_xticks(place, [row["picture"] for row in rows])
    ax.set(ylabel="gain in dB")
    ax.legend(frameon=False, fontsize=9)
    save(figure, "ensemble")


def gains() -> None:
    """What each step of the paper's ablation gains."""
    steps = {
        "L1 for L2": ("SRResNet L2", "SRResNet L1"),
        "block": ("SRResNet L1", "EDSR baseline"),
        "size": ("EDSR baseline", "EDSR"),
        "ensemble": ("EDSR", "EDSR+"),
    }

    def psnr(model: str, scale: int) -> float:
        rows = published.rows("edsr", model=model, set="DIV2K", scale=scale)
        return next(row["psnr"] for row in rows if row["source"].startswith("CVPRW"))

    figure, ax = figures.canvas(width=5.6, height=2.8)
    for index, scale in enumerate((2, 3, 4)):
        found = [psnr(after, scale) - psnr(before, scale) for before, after in steps.values()]
        ax.bar(np.arange(len(steps)) + 0.26 * (index - 1), found, 0.24, label=f"×{scale}")
    ax.set_xticks(range(len(steps)), list(steps))
    ax.set(ylabel="gain in dB")
    ax.legend(frameon=False, fontsize=9)
    save(figure, "gains")


def lives_on() -> None:
    """Size against score on Set5 ×2, as printed."""
    points = (  # paper, model, parameters at ×2, name
        ("srcnn", "SRCNN 9-5-5", 57_281, "SRCNN"),
        ("vdsr", "VDSR", 665_921, "VDSR"),
        ("edsr", "EDSR baseline", 1_369_859, "EDSR baseline"),
        ("edsr", "EDSR", 40_729_603, "EDSR"),
        ("rcan", "RCAN", 15_444_643, "RCAN"),
    )
    figure, ax = figures.canvas(width=5.6, height=3.0)
    for paper, model, parameters, name in points:
        psnr = published.rows(paper, model=model, set="Set5", scale=2)[0]["psnr"]
        ax.semilogx(parameters, psnr, "o", color=figures.COLORS[0 if paper in ("edsr", "rcan") else 1])
        ground = {"facecolor": figures.GROUND, "edgecolor": "none", "pad": 0.5}  # no grid behind letters
        ax.annotate(name, (parameters, psnr), xytext=(7, -4), textcoords="offset points", fontsize=9, bbox=ground)
    ax.set(xlim=(3e4, 2e8), xlabel="parameters", ylabel="PSNR on Set5, ×2, in dB")
    save(figure, "lives-on")


def main() -> None:
    """Draw all of them."""
    with torch.inference_mode():
        photograph()
        fourfold()
        fog()
    blocks()
    network()
    ablation()
    width()
    pretraining()
    ensemble()
    gains()
    lives_on()


if __name__ == "__main__":
    main()
