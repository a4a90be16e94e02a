"""Lecture 3: the figures of the page, from the pictures and tables that the other scripts of the lecture wrote.

Writes book/static/figures/gatys-*.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import gatys_paintings
import numpy as np
from gatys_measurements import TILES, shuffled
from gatys_studies import artwork, photograph
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imtrans import experiments, figures, images, stylize
from imtrans.data import styles
from imtrans.resize import imresize

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
GAP = 8


def kept(name: str) -> Tensor:
    """A picture of results/."""
    return experiments.picture(f"gatys-{name}.jpg")


def sheet(panels: Mapping[str, Tensor], name: str, columns: int, scale: int = 1) -> None:
    """Write pictures of one size in rows, each below its label, with larger letters on a sheet that a page shrinks."""
    pictures = [images.to_pil((imresize(x, scale) if scale != 1 else x).clamp(0, 1)) for x in panels.values()]
    width, height = pictures[0].size
    rows, across = -(-len(pictures) // columns), columns * (width + GAP) - GAP
    letters = 17 if across <= 700 else 17 * across // 520
    header = letters * 26 // 17
    drawn = Image.new("RGB", (across, rows * (height + header + GAP) - GAP), figures.GROUND)
    draw = ImageDraw.Draw(drawn)
    for index, (label, picture) in enumerate(zip(panels, pictures, strict=True)):
        left, top = index % columns * (width + GAP), index // columns * (height + header + GAP)
        drawn.paste(picture, (left, top + header))
        place = (left + 4, top + (header - letters) // 3)
        draw.text(place, label, fill=figures.INK, font=ImageFont.load_default(letters))
    drawn.save(FIGURES / name, quality=90, optimize=True)


def paintings() -> None:
    """A photograph, two styles drawn by code, and the photograph in four styles."""
    photo = gatys_paintings.photograph()
    height, width = photo.shape[-2:]
    both = np.full((height, width, 3), 251, dtype=np.uint8)
    side = (width - GAP) // 2
    for index, name in enumerate(styles.STYLES):
        small = images.to_pil(styles.STYLES[name]()).resize((side, side), Image.Resampling.LANCZOS)
        left = index * (side + GAP)
        both[(height - side) // 2 : (height - side) // 2 + side, left : left + side] = np.asarray(small)
    drawn = images.to_float(images.torch.from_numpy(both.transpose(2, 0, 1)[None].copy()))
    panels = {"the photograph": photo, "two pictures drawn by code": drawn}
    panels |= {"as brush strokes": kept("china-strokes"), "as leaded glass": kept("china-glass")}
    panels |= {
        "after The Starry Night": kept("china-starry_night"),
        "after The Wreck of a Transport Ship": kept("china-shipwreck"),
    }
    sheet(panels, "gatys-paintings.jpg", 2)


def tiles() -> None:
    """The brush strokes cut into tiles."""
    strokes = styles.strokes()
    panels = {"whole": strokes} | {f"tiles of {tile}": shuffled(strokes, tile) for tile in TILES}
    panels = {label: imresize(picture, 2 / 3) for label, picture in panels.items()}
    sheet(panels, "gatys-tiles.jpg", 2)


def content() -> None:
    """Reconstructions from single layers."""
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1")
    sheet({"photograph": photograph()} | {k: kept(f"content-{k}") for k in layers}, "gatys-content.jpg", 3, 2)


def texture() -> None:
    """Reconstructions from growing sets of layers."""
    names = ("relu1_1", "to relu2_1", "to relu3_1", "to relu4_1", "to relu5_1")
    panels = {"part of the style": artwork()[..., :128, :128]}
    panels |= {name: kept(f"texture-1-to-{k}") for k, name in enumerate(names, 1)}
    sheet(panels, "gatys-texture.jpg", 3, 2)


def ratio() -> None:
    """The transfer at several ratios."""
    panels = {"photograph": photograph()}
    panels |= {f"ratio {value}": kept(f"ratio-{value}") for value in ("1", "0.3", "0.1", "0.03", "0.01")}
    sheet(panels, "gatys-ratio.jpg", 3, 2)


def start() -> None:
    """The transfer from four starts."""
    names = {"content": "from the photograph", "style": "from the style picture"}
    names |= {"noise": "from noise", "noise-again": "from other noise"}
    sheet({label: kept(f"start-{name}") for name, label in names.items()}, "gatys-start.jpg", 2, 2)


def layer() -> None:
    """The content held at a low and at a high layer."""
    panels = {"content at relu2_2": kept("layer-relu2_2"), "content at relu4_2": kept("ratio-0.1")}
    sheet(panels, "gatys-layer.jpg", 2, 2)


def photo() -> None:
    """The light of one photograph on another."""
    height = 120
    panels = {"by day": kept("photo-day"), "at dusk": kept("photo-dusk"), "the day as dusk": kept("photo-both")}
    sheet({label: picture[..., :height, :] for label, picture in panels.items()}, "gatys-photo.jpg", 3, 2)


def random() -> None:
    """A texture by trained and by random weights."""
    panels = {"trained weights": kept("texture-1-to-5"), "random weights": kept("texture-random")}
    sheet(panels, "gatys-random.jpg", 2, 2)


def sizes() -> None:
    """One size and two."""
    panels = {"one size, 32 steps": kept("sizes-one"), "two sizes, 64 and 16 steps": kept("sizes-two")}
    sheet(panels, "gatys-sizes.jpg", 2, 2)


def optimizer() -> None:
    """The loss over the steps."""
    rows = experiments.rows("gatys-optimizer")
    figure, ax = figures.canvas(width=6.4, height=3.2)
    labels = {"lbfgs": "L-BFGS"} | {f"adam {rate}": f"Adam, rate {rate}" for rate in ("0.01", "0.05")}
    for name, label in labels.items():
        points = [row for row in rows if row["optimizer"] == name]
        ax.plot([row["step"] for row in points], [row["loss"] for row in points], linewidth=2, label=label)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="α content + β style")
    ax.set_xticks([1, 3, 10, 30], ["1", "3", "10", "30"])
    ax.set_yticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    ax.minorticks_off()
    ax.legend(frameon=False, fontsize=9)
    (FIGURES / "gatys-optimizer.png").write_bytes(figures.png(figure))


def algorithm() -> None:
    """The two targets, the network, and the picture whose pixels move."""
    figure, ax = figures.canvas(width=7.2, height=4.3)
    ax.set(xlim=(0, 72), ylim=(0, 43), aspect="equal")
    ax.axis("off")
    places = {
        "artwork a": (2, artwork()[..., :128, :128]),
        "picture x": (28.5, kept("ratio-0.1")),
        "photograph p": (55, photograph()),
    }
    for label, (left, picture) in places.items():
        ax.imshow(picture[0].permute(1, 2, 0).clamp(0, 1), extent=(left, left + 15, 1, 16), interpolation="lanczos")
        ax.text(left + 7.5, -1.2, label, ha="center", va="top", fontsize=10, color=figures.INK)
    rows = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
    for k, name in enumerate(rows):
        y = 18.5 + 4 * k
        for left, color in ((2, figures.COLORS[0]), (28.5, figures.INK), (55, figures.COLORS[1])):
            used = left == 28.5 or (name == "relu4_2") == (left == 55)
            ax.add_patch(_box(left + 2.5, y, 10, 3, color if used else figures.GRID))
            ax.text(left + 7.5, y + 1.4, name if used else "", ha="center", va="center", fontsize=8, color=figures.INK)
        if name in stylize.STYLE:
            _arrow(ax, (14.7, y + 1.5), (30.8, y + 1.5), figures.COLORS[0])
        else:
            _arrow(ax, (57.3, y + 1.5), (41.2, y + 1.5), figures.COLORS[1])
    ax.text(22.7, 41, "Gram matrices: $E_l$", ha="center", fontsize=9, color=figures.COLORS[0])
    ax.text(49.3, 41, "features: $\\mathcal{L}_{content}$", ha="center", fontsize=9, color=figures.COLORS[1])
    bend = {"connectionstyle": "arc3,rad=-0.2", "linestyle": "--", "linewidth": 2}
    ax.annotate("", (43.7, 9), (41.4, 40), arrowprops={"arrowstyle": "-|>", "color": figures.INK, **bend})
    ax.text(47, 20, "gradient with\nrespect to\nthe pixels", fontsize=9, va="center", color=figures.INK)
    ax.set_ylim(-4, 44)
    (FIGURES / "gatys-algorithm.png").write_bytes(figures.png(figure))


def _box(left: float, bottom: float, width: float, height: float, color: str):
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (left, bottom),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.6",
        facecolor="none",
        edgecolor=color,
        linewidth=1.6,
    )


def _arrow(ax, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "<|-|>", "color": color, "linewidth": 1.1})


def lives_on() -> None:
    """Two measures of the same style."""
    panels = {"Gram matrices": kept("ratio-0.1"), "means and deviations": kept("statistic-means")}
    sheet(panels, "gatys-lives-on.jpg", 2, 2)


DRAWN = (paintings, tiles, content, texture, ratio, start, layer, photo, random, sizes, optimizer, algorithm, lives_on)


def main(names: Sequence[str]) -> None:
    """Draw all of them, or those named."""
    for draw in DRAWN:
        if not names or draw.__name__ in names:
            draw()


if __name__ == "__main__":
    main(sys.argv[1:])
