"""Lecture 2: the page's pictures and charts, from results/, the shipped weights and a bundled photograph.

Writes book/static/figures/perceptual-*, one of them from the sheets of `style_sheet`. Needs neither data nor network;
what needs weights that are not there yet is left as it is. Some seconds.
"""

from pathlib import Path

import torch
from style_sheet import CONTENTS, SIDE, STYLES, content
from torch import Tensor

from imtrans import experiments, figures, images, zoo
from imtrans.data import photos, styles
from imtrans.stylize import johnson, johnson_styles

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
GROUND = torch.tensor([int(figures.GROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]).view(1, 3, 1, 1)
TEMPLE = (20, 6, 420, 420)  # left, top, width, height of the photograph
FACE = (60, 0, 420, 420)  # of the astronaut's
INSET = 110  # side in pixels of the style in a corner
SPACES = ("pixels", "relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
REPORTED = {"pixels": 2.13, "pixels + LPIPS": 0.72, "pixels + DINO": 0.30}  # Na-VAE/dino_perceptual#1


def row(pictures: list[Tensor], gap: int = 8, dim: int = -1) -> Tensor:
    """Pictures of one size side by side, or with ``dim=-2`` above one another, with ground between them."""
    shape = list(pictures[0].shape)
    shape[dim] = gap
    ground = GROUND.expand(shape)
    return torch.cat([x for picture in pictures for x in (picture, ground)][:-1], dim=dim)


def enlarged(picture: Tensor, zoom: int) -> Tensor:
    """Each pixel a square."""
    return picture.clamp(0, 1).repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)


def kept(name: str) -> Tensor:
    """A picture that an experiment kept."""
    return experiments.picture(f"perceptual-{name}.png")


def by_styles() -> None:
    """A photograph, then the photograph by each network, with the drawn style in its corner."""
    trained = [style for style in johnson_styles() if f"johnson-{style}" in zoo.names()]
    if not trained:
        return
    photo = images.crop(photos.photo("china").picture, TEMPLE)
    panels = [photo]
    for style in trained:
        painted = johnson(photo, style)
        if style in styles.STYLES:
            painted[..., -INSET - 4 :, -INSET - 4 :] = GROUND
            painted[..., -INSET:, -INSET:] = styles.STYLES[style](size=INSET)
        panels.append(painted)
    if len(panels) == 5:  # two rows of three: the last is another photograph, by the first network
        panels.append(johnson(images.crop(photos.photo("astronaut").picture, FACE), trained[0]))
    rows = [panels] if len(panels) < 4 else [panels[:3], panels[3:]]
    images.write(FIGURES / "perceptual-styles.jpg", row([row(r) for r in rows], dim=-2))


def copies() -> None:
    """Three copies of equal error, and their distances by layer."""
    names = ("original", "shift", "blur", "noise")
    figure, _ = figures.canvas(width=7.2, height=4.6)
    figure.clear()
    grid = figure.add_gridspec(2, 4, height_ratios=(1, 1.25))
    for i, name in enumerate(names):
        ax = figure.add_subplot(grid[0, i])
        ax.imshow(kept(f"copies-{name}")[0].permute(1, 2, 0).numpy(), interpolation="lanczos")
        ax.set_title(name, fontsize=10, color=figures.INK)
        ax.axis("off")
    ax = figure.add_subplot(grid[1, :], facecolor=figures.GROUND)
    rows = experiments.rows("perceptual-copies")
    for i, copy in enumerate(names[1:]):
        values = [next(r["share"] for r in rows if (r["copy"], r["space"]) == (copy, space)) for space in SPACES]
        places = [place + 0.27 * (i - 1) for place in range(len(SPACES))]
        ax.bar(places, values, width=0.25, color=figures.COLORS[i], label=copy)
    ax.set_xticks(range(len(SPACES)), SPACES)
    ax.set_ylabel("% of the distance to\nanother photograph", fontsize=9)
    ax.grid(axis="y", color=figures.GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(colors=figures.INK, labelsize=9)
    ax.legend(frameon=False, fontsize=9)
    (FIGURES / "perceptual-copies.png").write_bytes(figures.png(figure))


def shift() -> None:
    """Distance against the shift, for pixels and five layers, the deeper the darker."""
    from matplotlib import colormaps

    figure, ax = figures.canvas(height=3.4)
    rows = experiments.rows("perceptual-shift")
    shades = dict(zip(SPACES[1:], colormaps["viridis"]([0.72, 0.54, 0.36, 0.18, 0.0]), strict=True))
    for space in SPACES:
        points = [(r["shift"], r["share"]) for r in rows if r["space"] == space]
        style = {"color": figures.INK, "linestyle": "--"} if space == "pixels" else {"color": shades[space]}
        ax.plot(*zip(*points, strict=True), linewidth=2, label=space, **style)
    ax.set(xlabel="shift in pixels", ylabel="% of the distance\nto another photograph", ylim=(0, 75), xlim=(0, 8))
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    (FIGURES / "perceptual-shift.png").write_bytes(figures.png(figure))


def mean() -> None:
    """One right answer, the best in pixels, the best in features."""
    pictures = [enlarged(kept(f"mean-{name}"), 3) for name in ("one", "pixels", "features")]
    images.write(FIGURES / "perceptual-mean.png", row(pictures))


def weights() -> None:
    """The photograph, and the optimised picture for a growing weight of the style."""
    try:
        pictures = [kept(f"weights-{name}") for name in ("content", "0.3", "3", "30", "300")]
    except FileNotFoundError:
        return
    images.write(FIGURES / "perceptual-weights.png", row([enlarged(p, 2) for p in pictures]))


def search() -> None:
    """A photograph, one pass, and the optimised picture, the last two cut out of the sheets of styles."""
    place = (SIDE * list(STYLES).index("strokes"), SIDE * list(CONTENTS).index("chelsea"), SIDE, SIDE)
    sheets = [images.read(FIGURES / f"style-sheet-{method}.jpg") for method in ("johnson", "gatys")]
    pictures = [content("chelsea"), *(images.crop(sheet, place) for sheet in sheets)]
    images.write(FIGURES / "perceptual-search.jpg", row(pictures))


def norm() -> None:
    """Input, own and stored statistics, for a photograph and for the same darkened."""
    try:
        rows = [
            [kept(f"norm-{name}-{light}") for name in ("input", "instance", "stored")] for light in ("bright", "dark")
        ]
    except FileNotFoundError:
        return
    images.write(FIGURES / "perceptual-norm.png", row([row([enlarged(p, 2) for p in r]) for r in rows], dim=-2))


def super_resolution() -> None:
    """Bicubic, pixel loss, feature loss, original."""
    try:
        pictures = [kept(f"sr-{name}") for name in ("bicubic", "pixel", "feature", "original")]
    except FileNotFoundError:
        return
    images.write(FIGURES / "perceptual-sr.png", row([enlarged(p, 3) for p in pictures]))


def lives_on() -> None:
    """The reported error of an autoencoder, by its loss."""
    figure, ax = figures.canvas(height=1.8)
    ax.barh(list(REPORTED)[::-1], list(REPORTED.values())[::-1], color=figures.COLORS[0], height=0.6)
    for place, value in enumerate(list(REPORTED.values())[::-1]):
        ax.annotate(f"{value:.2f}", (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="rFID, lower is better")
    (FIGURES / "perceptual-lives-on.png").write_bytes(figures.png(figure))


def main() -> None:
    """Draw all."""
    for draw in (by_styles, copies, shift, mean, weights, search, norm, super_resolution, lives_on):
        draw()


if __name__ == "__main__":
    main()
