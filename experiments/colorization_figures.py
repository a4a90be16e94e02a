"""Lecture 13: the page's pictures and charts, from the shipped weights, the bundled photographs and measured tables.

Writes book/static/figures/colorization-*.png and .jpg. Needs no data; the same bytes each time. Half a minute.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imtrans import colorize, experiments, figures, images, published, zoo
from imtrans.color import ab_bins
from imtrans.data import photos
from imtrans.models.colorization import annealed_mean, rebalancing_weights
from imtrans.recipes.colorization import SHOWN
from imtrans.resize import shrink

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
HEADER, GAP = 26, 6  # pixels above a panel for its label, and between panels
TEMPERATURES = (1.0, 0.75, 0.5, 0.38, 0.25, 0.1, 0.0)
PLAIN, OWN = "#cfe3f1", "#f6d3b8"


def save(figure, name: str) -> None:
    """Write a chart."""
    (FIGURES / f"colorization-{name}.png").write_bytes(figures.png(figure))


def levels(picture: Tensor, zoom: int = 1) -> Image.Image:
    """A picture (1, 3, H, W), each pixel as a square."""
    large = picture.clamp(0, 1).repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    return Image.fromarray(np.ascontiguousarray(images.to_uint8(large)[0].permute(1, 2, 0).numpy()))


def sheet(rows: list[list[Tensor]], labels: list[str], name: str, zoom: int = 1) -> None:
    """Write rows of pictures, those of a column equally wide, under the labels of the columns."""
    widths = [max(row[i].shape[-1] for row in rows) * zoom for i in range(len(labels))]
    heights = [row[0].shape[-2] * zoom for row in rows]
    size = (sum(widths) + GAP * (len(widths) - 1), HEADER + sum(heights) + GAP * (len(heights) - 1))
    page = Image.new("RGB", size, figures.GROUND)
    draw = ImageDraw.Draw(page)
    for i, label in enumerate(labels):
        left = sum(widths[:i]) + GAP * i
        draw.text((left + 3, 3), label, fill=figures.INK, font=ImageFont.load_default(17))
        for j, row in enumerate(rows):
            inner = left + (widths[i] - row[i].shape[-1] * zoom) // 2
            page.paste(levels(row[i], zoom), (inner, HEADER + sum(heights[:j]) + GAP * j))
    page.save(FIGURES / f"colorization-{name}.jpg", quality=90, subsampling=0)


def gray(picture: Tensor) -> Tensor:
    """The lightness of a picture without colours."""
    light = colorize.lightness(picture)
    return colorize.join(light, torch.zeros(1, 2, *light.shape[-2:]))


def photograph(name: str, shorter: int, box: tuple[int, int, int, int] | None = None) -> Tensor:
    """A bundled photograph, or a part of it, shrunk."""
    picture = photos.photo(name).picture
    return shrink(picture if box is None else figures.crop(picture, box), shorter).clamp(0, 1)


def hero(network) -> None:
    """Two photographs that no training saw: gray, ours, original."""
    chosen = [photograph("astronaut", 240, (0, 0, 480, 400)), photograph("coffee", 200, (20, 0, 480, 400))]
    side = [shrink(p, 200)[..., :200, :240] for p in chosen]
    rows = [[gray(p), colorize.colorize(network, p), p] for p in side]
    sheet(rows, ["gray", "colours of our network", "original"], "photo")


def world() -> None:
    """The world of shapes: lightness, truth, L2, classes."""
    panels = {
        "gray": "what is seen",
        "truth": "truth",
        "l2": "L2",
        "classes-1.0": "classes, T = 1",
        "classes-0.38": "T = 0.38",
        "classes-0.0": "T = 0",
    }
    row = [experiments.picture(f"colorization-world-{name}.png") for name in panels]
    sheet([row], list(panels.values()), "world", zoom=3)


def bins() -> None:
    """The 313 colours, how often they occur, and how often among dark, medium and light pixels."""
    from matplotlib.colors import LogNorm

    table, points = experiments.rows("colorization-prior"), ab_bins()
    figure, axes = figures.canvas(width=7.4, height=4.6, columns=1)
    figure.clear()
    axes = figure.subplots(2, 3)
    for ax in axes.flat:
        ax.set_facecolor(figures.GROUND)
        ax.set(xlim=(118, -108), ylim=(-118, 112), aspect="equal")
        ax.invert_xaxis()
        ax.tick_params(colors=figures.INK, labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    lab = torch.cat([torch.full((313, 1), 65.0), points], dim=1).T[None, :, :, None]
    rgb = colorize.join(lab[:, :1], lab[:, 1:])[0, :, :, 0].T.numpy()
    axes[0, 0].scatter(points[:, 0], points[:, 1], c=rgb, s=17, marker="s", linewidths=0)
    axes[0, 0].set_title("the 313 colours, at L = 65", fontsize=9, color=figures.INK)
    titles = {
        "smooth": "how often, p̃",
        "w": "weight w",
        "dark": "p̃ at L from 15 to 35",
        "medium": "at L from 40 to 60",
        "light": "at L from 65 to 85",
    }
    for ax, (key, title) in zip(list(axes.flat)[1:], titles.items(), strict=True):
        values = np.array([max(float(row[key]), 1e-7) for row in table])
        norm = LogNorm(0.08, 8) if key == "w" else LogNorm(1e-6, 0.3)
        drawn = ax.scatter(points[:, 0], points[:, 1], c=values, s=17, marker="s", linewidths=0, norm=norm)
        ax.set_title(title, fontsize=9, color=figures.INK)
        bar = figure.colorbar(drawn, ax=ax, shrink=0.8)
        bar.ax.tick_params(labelsize=7, colors=figures.INK)
    for ax in axes[1]:
        ax.set_xlabel("a", fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel("b", fontsize=8)
    save(figure, "bins")


def network_drawing() -> None:
    """The blocks of the network, as wide as they have channels and as high as their maps."""
    from matplotlib.patches import Rectangle

    blocks = [  # name, channels, side of the output for a picture of 256
        ("1", 64, 128),
        ("2", 128, 64),
        ("3", 256, 32),
        ("4", 512, 32),
        ("5 dilated", 512, 32),
        ("6 dilated", 512, 32),
        ("7", 512, 32),
        ("8 up", 256, 64),
        ("out", 313, 64),
    ]
    figure, ax = figures.canvas(width=7.4, height=2.7)
    x, gap = 0.0, 62.0
    places = []

    def slab(width: float, side: int, color: str, below: str, above: str) -> None:
        nonlocal x
        ax.add_patch(Rectangle((x, -side / 2), width, side, facecolor=color, edgecolor=figures.INK, linewidth=0.9))
        ax.text(x + width / 2, -side / 2 - 8, below, ha="center", va="top", fontsize=7.5, color=figures.INK)
        ax.text(x + width / 2, side / 2 + 5, above, ha="center", va="bottom", fontsize=7.5, color=figures.INK)
        places.append((x, x + width))
        x += width + gap

    slab(8, 256, "#ffffff", "L\n256²", "")
    for name, channels, side in blocks:
        slab(channels / 8, side, OWN if "dilated" in name or "up" in name else PLAIN, f"{channels}\n{side}²", name)
    slab(8, 64, "#ffffff", "a, b\n64²", "mean, T")
    slab(8, 256, "#ffffff", "a, b\n256²", "×4")
    for (_, right), (left, _) in pairwise(places):
        ax.annotate("", (left - 3, 0), (right + 3, 0), arrowprops={"arrowstyle": "-|>", "color": figures.INK})
    ax.set(xlim=(-12, x - gap + 12), ylim=(-185, 150))
    ax.axis("off")
    save(figure, "network")


def temperature(network) -> None:
    """One photograph over the temperature, with and without log w; first the colour of the prior alone."""
    picture = photograph("astronaut", 104, (0, 0, 480, 400))[..., :104, :124]
    light = colorize.lightness(picture)
    rows = []
    for mix in (None, 0.5):
        logits = colorize.logits(network, light, mix=mix)
        alone = network.log_prior.view(1, -1, 1, 1)
        alone = alone if mix is None else alone + rebalancing_weights(alone.exp().flatten()).log().view(1, -1, 1, 1)
        row = []
        for t in TEMPERATURES:
            ab = torch.nn.functional.interpolate(annealed_mean(logits, t), size=light.shape[-2:], mode="bilinear")
            swatch = colorize.join(
                torch.full((1, 1, 18, light.shape[-1]), 60.0),
                annealed_mean(alone, t).expand(-1, -1, 18, light.shape[-1]),
            )
            row.append(torch.cat([colorize.join(light, ab), torch.ones(1, 3, 4, light.shape[-1]), swatch], dim=-2))
        rows.append(row)
    sheet(rows, [f"T = {t:g}" for t in TEMPERATURES], "temperature")


def chroma() -> None:
    """Chroma and both AuC over the temperature, on the held-out pictures."""
    rows = experiments.rows("colorization-temperature")
    figure, axes = figures.canvas(width=7.4, height=2.8, columns=3)
    for ax, key, title in zip(
        axes, ("chroma", "auc", "rebalanced"), ("chroma", "AuC, %", "rebalanced AuC, %"), strict=True
    ):
        for words, label in (("no", "plain"), ("half", "with log w")):
            found = sorted((r["temperature"], r[key]) for r in rows if r["weighted"] == words)
            ax.plot(*zip(*found, strict=True), "o-", markersize=4, label=label)
        beside = {"fontsize": 8, "color": figures.INK, "xycoords": ("axes fraction", "data")}
        for label, line, side in (("L2", "--", "bottom"), ("truth" if key == "chroma" else "gray", ":", "top")):
            [value] = [r[key] for r in rows if r["weighted"] == label]
            ax.axhline(value, color=figures.INK, linewidth=1, linestyle=line)
            ax.annotate(label, (1.02, value), va=side, **beside)
        ax.set(xlabel="T")
        ax.set_title(title, fontsize=9, color=figures.INK)
    axes[0].legend(frameon=False, fontsize=8)
    save(figure, "chroma")


def eight() -> None:
    """The sheet: eight pictures of B100, chosen by name before the first training."""
    rows = []
    for left, right in zip(SHOWN[::2], SHOWN[1::2], strict=True):
        row = []
        for stem in (left, right):
            for what in ("gray", "ours", "original"):
                picture = experiments.picture(f"colorization-sheet-{stem}-{what}.png")
                row.append(images.middle(shrink(picture, 120), 160)[..., :120, :])
        rows.append(row)
    sheet(rows, ["gray", "ours", "original"] * 2, "sheet")


def failures(network) -> None:
    """Three photographs that go wrong."""
    chosen = {
        "tissue": photograph("tissue", 150, (0, 0, 400, 320)),
        "flower": photograph("flower", 150, (120, 60, 400, 320)),
        "rocket": photograph("rocket", 150, (120, 60, 400, 320)),
    }
    rows = [[gray(p), colorize.colorize(network, p), p] for p in chosen.values()]
    sheet(list(map(list, zip(*rows, strict=True))), ["stained tissue", "a flower", "a rocket at dusk"], "failures")


def probe() -> None:
    """Balanced accuracy of the linear probe."""
    rows = [row for row in experiments.rows("colorization-probe") if not row["features"].startswith("pictures of")]
    names = {
        "lightness, 8×8": "pixels",
        "random": "random\nweights",
        "colorizer-l2": "L2\ncolorizer",
        "colorizer": "colorizer",
        "features-small": "distilled\nfrom labels",
    }
    figure, ax = figures.canvas(width=5.6, height=2.7)
    for i, row in enumerate(rows):
        ax.bar(i, row["accuracy"], 0.6, color=figures.COLORS[0 if "colorizer" in row["features"] else 1])
    ax.axhline(25, color=figures.INK, linewidth=1, linestyle="--")
    ax.annotate("chance", (0.005, 25.5), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    ax.set_xticks(range(len(rows)), [names[row["features"]] for row in rows])
    ax.set(ylabel="balanced accuracy, %")
    save(figure, "probe")


def lives_on() -> None:
    """Pretext tasks, by the segmentation of PASCAL VOC after fine-tuning."""
    rows = {row["model"]: row for row in published.rows("colorization", task="segmentation")}
    names = {
        "Random (Gaussian)": "random",
        "Ours, colour input": "colorization",
        "Split-brain": "split-brain",
        "Rotation": "rotation",
        "DeepCluster": "DeepCluster",
        "ImageNet labels": "labels",
    }
    figure, ax = figures.canvas(width=6.0, height=2.8)
    for i, model in enumerate(names):
        ax.bar(i, rows[model]["value"], 0.6, color=figures.COLORS[0 if model.startswith("Ours") else 1])
        ax.text(i, rows[model]["value"], f"{rows[model]['value']:.1f}", ha="center", va="bottom", fontsize=8)
    ax.set_xticks(range(len(names)), list(names.values()))
    ax.set(ylabel="mean IU on VOC, %", ylim=(0, 55))
    save(figure, "lives-on")


def main() -> None:
    """Draw all of them."""
    world()
    bins()
    network_drawing()
    lives_on()
    if "colorizer" not in zoo.names():
        print("colorizer has no trained weights here yet: the photographs and the curves are left as they are")
        return
    network = zoo.load("colorizer")
    with torch.inference_mode():
        hero(network)
        temperature(network)
        failures(network)
    chroma()
    eight()
    probe()


if __name__ == "__main__":
    main()
