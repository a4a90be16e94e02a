"""Lecture 6: the page's pictures and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/espcn-*.png and espcn-network.svg. Needs neither data nor network; the same bytes each time.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imtrans import experiments, figures, images, metrics, zoo
from imtrans.data import photos
from imtrans.degrade import bicubic_down
from imtrans.models.espcn import ESPCN, as_transposed, periodic_shuffle
from imtrans.recipes.starts import icnr
from imtrans.resize import imresize

SCALE = 3
FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
FACE = (108, 36, 252, 228)  # left, top, width, height in the cat, multiples of the scale
EYE = (162, 93, 60, 60)
# Nine colours, one per sub-pixel, all light enough for black numbers.
PHASES = ("#e69f00", "#56b4e9", "#f0e442", "#5bc8a0", "#d9d9d9", "#f29ac0", "#ff9d6c", "#b7a6ec", "#a8d46f")
HEADER, GAP = 26, 6  # pixels above a panel for its label, and between panels
NETWORK = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1018 336" width="1018" height="336" role="img">
<title>The network ESPCN</title>
<style>
  text { font-family: "Source Sans 3", "Segoe UI", Helvetica, Arial, sans-serif; font-size: 17px; fill: #1f2933; }
  text { text-anchor: middle; }
  .lines { stroke: #1f2933; stroke-width: 0.6; fill: none; }
  .one { stroke: #1f2933; stroke-width: 3; fill: none; }
  .arrow { stroke: #1f2933; stroke-width: 2; marker-end: url(#head); }
</style>
<defs>
  <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
    <path d="M0 0 L10 5 L0 10 z" fill="#1f2933"/>
  </marker>
</defs>
<rect width="1018" height="336" rx="10" fill="#faf9f6"/>"""


def gray(picture: Tensor, zoom: int = 1) -> Image.Image:
    """A picture (1, 1, H, W), each pixel as a square."""
    large = picture.clamp(0, 1).repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    levels = images.to_uint8(large)[0].permute(1, 2, 0).expand(-1, -1, 3)
    return Image.fromarray(np.ascontiguousarray(levels.numpy()))


def side_by_side(panels: dict[str, Tensor], box: tuple[int, int, int, int], zoom: int, name: str) -> None:
    """Write the same box of several pictures in a row, each below its label, each pixel a square."""
    width, height = box[2] * zoom, box[3] * zoom
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + HEADER), figures.GROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(panels.items()):
        left = index * (width + GAP)
        sheet.paste(gray(figures.crop(picture, box), zoom), (left, HEADER))
        draw.text((left + 4, 3), label, fill=figures.INK, font=ImageFont.load_default(17))
    sheet.save(FIGURES / name, optimize=True)


def mosaic(network: ESPCN, low_res: Tensor) -> None:
    """The low resolution, the nine maps of the last convolution, each in its colour, and the picture they weave."""
    left, top, width, height = (side // SCALE for side in FACE)
    cut = (..., slice(top, top + height), slice(left, left + width))
    maps = network.layers(low_res)[cut]  # (1, 9, h, w)
    frame, space = 3, 44
    tile_w, tile_h = width + 2 * frame + 2, height + 2 * frame + 2
    total_h = 3 * tile_h
    sheet = Image.new("RGB", (width + 2 * space + 3 * tile_w + 3 * width, total_h), figures.GROUND)
    draw = ImageDraw.Draw(sheet)
    middle = total_h // 2
    sheet.paste(gray(low_res[cut]), (0, middle - height // 2))
    for index in range(9):
        x, y = width + space + index % 3 * tile_w, index // 3 * tile_h
        draw.rectangle((x, y, x + width + 2 * frame - 1, y + height + 2 * frame - 1), fill=PHASES[index])
        sheet.paste(gray(maps[:, [index]]), (x + frame, y + frame))
    woven = network.shuffle(maps)
    sheet.paste(gray(woven), (width + 2 * space + 3 * tile_w, middle - 3 * height // 2))
    for x in (width + 8, width + space + 3 * tile_w + 6):
        draw.line((x, middle, x + 24, middle), fill=figures.INK, width=3)
        draw.polygon([(x + 22, middle - 7), (x + 34, middle), (x + 22, middle + 7)], fill=figures.INK)
    sheet.save(FIGURES / "espcn-mosaic.png", optimize=True)


def network_drawing() -> None:
    """The network after the paper's Fig. 1: grids of 5×5 pixels at the low resolution, and the 15×15 woven of nine."""
    cell, side, middle = 16, 5, 148  # pixels of the drawing per cell, cells per small grid, height of the middle line
    parts = [NETWORK]

    def grid(left: float, top: float, colors: list[list[str]], framed: int) -> None:
        """Draw squares, and a thick frame around ``framed`` by ``framed`` of them at the upper right."""
        size = cell * len(colors)
        for y, row in enumerate(colors):
            # Neighbours of one colour are one rectangle.
            runs = [(0, row[0], len(row))] if len(set(row)) == 1 else [(x, color, 1) for x, color in enumerate(row)]
            parts.extend(
                f'<rect x="{left + cell * x}" y="{top + cell * y}" width="{cell * n}" height="{cell}" fill="{color}"/>'
                for x, color, n in runs
            )
        across = "".join(f"M{left} {top + k}h{size}M{left + k} {top}v{size}" for k in range(0, size + 1, cell))
        parts.append(f'<path d="{across}" class="lines"/>')
        if frame := cell * framed:
            parts.append(f'<rect x="{left + size - frame}" y="{top}" width="{frame}" height="{frame}" class="one"/>')

    def stack(left: float, colors: Sequence[str], offset: int, framed: int = 0) -> None:
        """Draw sheets of small pixels, the first in front, with the middle of all of them on the middle line."""
        top = middle - cell * side / 2 + offset * (len(colors) - 1) / 2
        for k in reversed(range(len(colors))):
            grid(left + offset * k, top - offset * k, [[colors[k]] * side] * side, framed)

    def text(x: float, y: float, *lines: str) -> None:
        parts.extend(f'<text x="{x}" y="{y + 21 * i}">{line}</text>' for i, line in enumerate(lines))

    def arrow(left: int, right: int, *lines: str) -> None:
        text((left + right) / 2 - 2, middle + 9 - 21 * len(lines), *lines)
        parts.append(f'<path d="M{left} {middle}H{right}" class="arrow"/>')

    levels = (190, 160, 205, 140, 175, 120, 150, 95, 200, 130)
    grays = [[f"#{3 * f'{levels[(3 * y + 4 * x + y * x) % 10]:02x}'}" for x in range(side)] for y in range(side)]
    woven = [[PHASES[SCALE * (y % SCALE) + x % SCALE] for x in range(SCALE * side)] for y in range(SCALE * side)]
    grid(24, middle - cell * side / 2, grays, framed=1)
    arrow(112, 174, "5×5", "tanh")
    stack(180, ["#cfe3f1"] * 4, 7)
    arrow(289, 351, "3×3", "tanh")
    stack(357, ["#cfe3f1"] * 3, 7)
    arrow(459, 509, "3×3")
    stack(515, PHASES, 11, framed=1)
    arrow(691, 748, "shuffle")
    grid(754, middle - SCALE * cell * side / 2, woven, framed=SCALE)
    for x, *lines in (
        (64, "low resolution", "H × W"),
        (230, "64 maps", "H × W"),
        (404, "32 maps", "H × W"),
        (599, "r² = 9 maps", "H × W"),
        (874, "high resolution", "rH × rW"),
    ):
        text(x, 296, *lines)
    (FIGURES / "espcn-network.svg").write_text("\n".join((*parts, "</svg>\n")), encoding="utf-8")


def orders() -> None:
    """Where the nine channels of one low-resolution pixel go: PyTorch's order and the paper's."""
    channels = torch.arange(9.0).view(1, 9, 1, 1)
    blocks = {
        "T[h, w]: nine channels": channels.view(1, 9),
        "PyTorch, row by row": torch.pixel_shuffle(channels, 3)[0, 0],
        "the paper, column by column": periodic_shuffle(channels, 3)[0, 0],
    }
    figure, axes = figures.canvas(width=6.4, height=2.5, columns=3)
    for ax, (title, block) in zip(axes, blocks.items(), strict=True):
        rows = len(block)
        side = 1 if rows > 1 else 1 / 3  # the strip is shown as a column of small squares
        grid = block if rows > 1 else block.T
        for (y, x), channel in np.ndenumerate(grid.numpy().astype(int)):
            ax.add_patch(_square(x * side, y * side, side, PHASES[channel]))
            size = 15 if rows > 1 else 8
            ax.text((x + 0.5) * side, (y + 0.5) * side, str(channel), ha="center", va="center", fontsize=size)
        ax.set(xlim=(-0.05, 3.05) if rows > 1 else (-1.3, 1.8), ylim=(3.05, -0.05), aspect="equal")
        ax.set_title(title, fontsize=9, color=figures.INK)
        ax.axis("off")
    (FIGURES / "espcn-orders.png").write_bytes(figures.png(figure))


def _square(x: float, y: float, side: float, color: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), side, side, facecolor=color, edgecolor=figures.INK, linewidth=0.8)


def wide_kernel(network: ESPCN) -> None:
    """The nine kernels that read one feature, and the wide kernel of the transposed convolution that they weave."""
    weight = network.layers[-1].weight.detach()  # (9, 32, 3, 3)
    feature = int(weight.square().sum(dim=(0, 2, 3)).argmax())
    wide = as_transposed(weight, SCALE)[feature, 0]
    peak = weight[:, feature].abs().max()
    figure, (left, right) = figures.canvas(width=5.6, height=2.8, columns=2)
    left.set_title("nine kernels of 3×3, turned over", fontsize=9)
    for index in range(9):
        x, y = 3.6 * (index % 3), 3.6 * (index // 3)
        kernel = weight[index, feature].flip(-2, -1)
        left.imshow(kernel, cmap="gray", vmin=-peak, vmax=peak, extent=(x, x + 3, y + 3, y))
        left.add_patch(_frame(x - 0.12, y - 0.12, 3.24, PHASES[index]))
    left.set(xlim=(-0.4, 10.6), ylim=(10.6, -0.4))
    right.set_title("one kernel of 9×9, woven", fontsize=9)
    right.imshow(wide, cmap="gray", vmin=-peak, vmax=peak)
    for ax in (left, right):
        ax.axis("off")
    (FIGURES / "espcn-wide-kernel.png").write_bytes(figures.png(figure))


def _frame(x: float, y: float, side: float, color: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), side, side, facecolor="none", edgecolor=color, linewidth=2.4)


def speed() -> None:
    """Quality against the time of one frame."""
    cards = {"SRCNN 9-1-5": "srcnn-x3", "SRCNN 9-5-5": "srcnn-955-x3", "VDSR": "vdsr", "ESPCN": "espcn-x3"}
    figure, ax = figures.canvas(width=5.6, height=3.0)
    for row in experiments.rows("espcn-times"):
        if row["scale"] == SCALE and row["network"] in cards:
            scores = zoo.card(cards[row["network"]])["scores"]
            psnr = next(s["psnr"] for s in scores if s["set"] == "Set5" and s["scale"] == SCALE)
            ours = row["network"] == "ESPCN"
            ax.plot(row["seconds"], psnr, "o", markersize=9, color=figures.COLORS[1 if ours else 0])
            place = {"xytext": (0, 8), "ha": "center"}  # above: at the side the names of the SRCNNs would meet
            if row["network"] == "SRCNN 9-1-5":
                place["xytext"] = (0, -16)
            place["bbox"] = {"facecolor": figures.GROUND, "edgecolor": "none", "pad": 1}  # no grid behind a name
            ax.annotate(row["network"], (row["seconds"], psnr), textcoords="offset points", fontsize=9, **place)
    ax.set(xscale="log", xlim=(0.02, 200), ylim=(32.3, 33.8))
    ax.set(xlabel="seconds per frame of 1920×1080 (two CPU cores)", ylabel="PSNR on Set5, ×3, in dB")
    (FIGURES / "espcn-speed.png").write_bytes(figures.png(figure))


def training() -> None:
    """PSNR over the steps for tanh, ReLU and ICNR's start, and the pattern that all blocks share."""
    rows = [row for row in experiments.rows("espcn-training") if isinstance(row["seed"], int)]
    figure, (left, right) = figures.canvas(width=6.4, columns=2)
    names = {"tanh": "tanh", "relu": "ReLU", "icnr": "tanh, ICNR"}
    starts = {"tanh": "PyTorch's start", "icnr": "ICNR"}
    for color, (variant, label) in zip(figures.COLORS, names.items(), strict=False):
        for seed in range(3):
            points = [row for row in rows if row["variant"] == variant and row["seed"] == seed]
            steps = [row["step"] for row in points]
            text = None if seed else label
            left.plot(steps, [row["psnr"] for row in points], color=color, linewidth=1.3, label=text)
            if variant in starts:
                text = None if seed else starts[variant]
                right.plot(steps, [row["pattern"] for row in points], color=color, linewidth=1.3, label=text)
    left.set(xscale="log", ylim=(24, 30), xlabel="step", ylabel="PSNR in dB")
    right.set(xscale="log", yscale="log", xlabel="step", ylabel="fixed pattern, % of the variance")
    for ax in (left, right):
        ax.set_xticks([50, 200, 400, 1200], ["50", "200", "400", "1,200"])
        ax.minorticks_off()
        ax.legend(facecolor=figures.GROUND, framealpha=1, edgecolor="none", fontsize=9)
    (FIGURES / "espcn-training.png").write_bytes(figures.png(figure))


def lives_on() -> None:
    """Weights and multiplications per output pixel at ×3: on the diagonal, all layers work at the large size."""
    figure, ax = figures.canvas(width=5.6, height=3.4)
    ax.plot((3e3, 4e7), (3e3, 4e7), color=figures.INK, linewidth=1, linestyle="--")
    ax.plot((3e3, 4e7), (3e3 / 9, 4e7 / 9), color=figures.INK, linewidth=1, linestyle=":")
    ax.annotate("enlarge first", (4e4, 6e4), rotation=29, fontsize=9, ha="center")
    ax.annotate("enlarge last", (6e5, 2.2e4), rotation=29, fontsize=9, ha="center")
    places = {"VDSR": (8, -10), "SRCNN 9-5-5": (8, -10), "SRCNN 9-1-5": (8, -8), "RCAN": (-42, 4)}
    for row in experiments.rows("espcn-tails"):
        if row["scale"] == SCALE:
            late = row["per_pixel"] < row["weights"]
            ax.plot(row["weights"], row["per_pixel"], "o" if late else "s", color=figures.COLORS[1 if late else 0])
            place = places.get(row["network"], (8, -4))
            point = (row["weights"], row["per_pixel"])
            ax.annotate(row["network"], point, xytext=place, textcoords="offset points", fontsize=9)
    ax.set(xscale="log", yscale="log", xlim=(4e3, 3e7), ylim=(1e3, 2e7))
    ax.set(xlabel="weights", ylabel="multiplications per pixel, ×3")
    (FIGURES / "espcn-lives-on.png").write_bytes(figures.png(figure))


@torch.inference_mode()
def main() -> None:
    """Draw all of them."""
    network = zoo.load("espcn-x3")
    original = metrics.luma(images.modcrop(photos.photo("chelsea").picture, SCALE), rounded=True)
    low_res = images.to_float(images.to_uint8(bicubic_down(original, SCALE)))
    mosaic(network, low_res)
    network_drawing()
    panels = {
        "low resolution": low_res.repeat_interleave(SCALE, -2).repeat_interleave(SCALE, -1),
        "bicubic": imresize(low_res, SCALE).clamp(0, 1),
        "ESPCN": network(low_res),
        "original": original,
    }
    side_by_side(panels, EYE, 3, "espcn-eye.png")
    torch.manual_seed(0)
    plain = ESPCN(SCALE)
    torch.manual_seed(0)
    starts = {"PyTorch's start": plain(low_res), "ICNR": icnr(ESPCN(SCALE))(low_res)}
    starts = {label: (x - x.mean()) / (6 * x.std()) + 0.5 for label, x in starts.items()}
    side_by_side(starts | {"trained": panels["ESPCN"]}, EYE, 4, "espcn-checkerboard.png")
    orders()
    wide_kernel(network)
    speed()
    training()
    lives_on()


if __name__ == "__main__":
    main()
