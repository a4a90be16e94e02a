"""Lecture 4: the page's pictures and charts, from results/, the shipped decoder and bundled photographs.

Writes book/static/figures/adain-*. The two paintings are wanted in ``IMTRANS_DATA``; of other files only the released
pair. What needs weights that are not there yet is left as it is. Twenty seconds.
"""

from pathlib import Path

import torch
from adain_pictures import contents, styles
from torch import Tensor

from imtrans import experiments, figures, images, zoo
from imtrans.models.adain import AdaIN, adain, mean_and_deviation, pair
from imtrans.stylize import adain as paint

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
GROUND = torch.tensor([int(figures.GROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]).view(1, 3, 1, 1)
SIDE = 256


def row(pictures: list[Tensor], gap: int = 6, dim: int = -1) -> Tensor:
    """Pictures of one size side by side, or with ``dim=-2`` above one another, with ground between them."""
    shape = list(pictures[0].shape)
    shape[dim] = gap
    return torch.cat([x for picture in pictures for x in (picture, GROUND.expand(shape))][:-1], dim=dim)


def save(picture: Tensor, name: str) -> None:
    """A picture of the page, as JPEG."""
    images.to_pil(picture.clamp(0, 1)).save(FIGURES / f"adain-{name}.jpg", quality=86)


def by_styles(network: AdaIN, photographs: dict[str, Tensor], artworks: dict[str, Tensor]) -> None:
    """Two photographs in four styles, the style pictures small above them."""
    small, empty = SIDE // 2, GROUND.expand(1, 3, SIDE // 2, SIDE)
    head = [empty]
    for artwork in artworks.values():
        panel = empty.clone()
        panel[..., :, small // 2 : small // 2 + small] = images.to_float(images.to_uint8(_half(artwork)))
        head.append(panel)
    rows = [row(head)]
    for photograph in (photographs["astronaut"], photographs["chelsea"]):
        rows.append(row([photograph, *(paint(photograph, style, network=network) for style in artworks.values())]))
    save(row(rows, dim=-2), "styles")


def _half(picture: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(picture, 2)


def alphas(network: AdaIN, photograph: Tensor, style: Tensor) -> None:
    """Five strengths."""
    strip = [paint(photograph, style, network=network, alpha=alpha) for alpha in (0, 0.25, 0.5, 0.75, 1)]
    save(row(strip), "alpha")


def square(network: AdaIN, photograph: Tensor, artworks: dict[str, Tensor], panels: int = 5) -> None:
    """Four styles in the corners, bilinear weights between them."""
    corners, rows = list(artworks.values())[:4], []
    for i in range(panels):
        down = i / (panels - 1)
        line = []
        for j in range(panels):
            right = j / (panels - 1)
            weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
            chosen = [(style, weight) for style, weight in zip(corners, weights, strict=False) if weight > 0]
            painted = paint(photograph, [s for s, _ in chosen], network=network, weights=[w for _, w in chosen])
            line.append(_half(painted))
        rows.append(row(line, gap=4))
    save(row(rows, gap=4, dim=-2), "square")


def control(network: AdaIN, photograph: Tensor, artworks: dict[str, Tensor]) -> None:
    """A mask, and the photograph's colours."""
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    inside = torch.sigmoid(10 - 60 * ((x - 0.42) ** 2 + (y - 0.55).clamp(max=0) ** 2)).view(1, 1, SIDE, SIDE)
    pair_of = [artworks["strokes"], artworks["glass"]]
    masked = paint(photograph, pair_of, network=network, masks=[inside, 1 - inside])
    plain, kept = (paint(photograph, pair_of[0], network=network, keep_colors=keep) for keep in (False, True))
    save(row([masked, plain, kept]), "control")


def decoders(network: AdaIN, photograph: Tensor, style: Tensor) -> None:
    """Colours alone; a decoder that reconstructs; ours."""
    released = pair()
    panels = [
        photograph,
        adain(photograph, style, epsilon=0),
        paint(photograph, style, network=released),
        paint(photograph, style, network=network),
    ]
    save(row(panels), "decoder")


def channel(network: AdaIN, photograph: Tensor, style: Tensor) -> None:
    """Histograms of a channel whose mean and deviation differ much."""
    x, y = network.encode(photograph), network.encode(style)
    (mean_x, deviation_x), (mean_y, deviation_y) = mean_and_deviation(x), mean_and_deviation(y)
    zeros = ((x == 0).float().mean(dim=(2, 3)) + (y == 0).float().mean(dim=(2, 3)))[0]
    stretched = (deviation_y / deviation_x)[0, :, 0, 0] + ((mean_y - mean_x) / deviation_x)[0, :, 0, 0].abs()
    chosen = int(stretched.where(zeros <= zeros.sort().values[len(zeros) // 8], 0).argmax())  # a channel in use
    parts = {"content x": x, "style y": y, "AdaIN(x, y)": adain(x, y)}
    parts = {name: values[0, chosen].flatten().numpy() for name, values in parts.items()}
    low, high = (f(f(values) for values in parts.values()) for f in (min, max))
    figure, _ = figures.canvas(width=6.4, height=3.6)
    figure.clear()
    axes = figure.subplots(3, 1, sharex=True)
    for ax, color, (name, values) in zip(axes, figures.COLORS, parts.items(), strict=False):
        ax.set_facecolor(figures.GROUND)
        ax.hist(values, bins=60, range=(low, high), color=color)
        ax.axvline(0, color=figures.INK, linewidth=0.8)
        ax.axvline(values.mean(), color=figures.INK, linewidth=1, linestyle="--")
        ax.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlabel("activation of one channel (dashed: mean)", fontsize=9)
    (FIGURES / "adain-channel.png").write_bytes(figures.png(figure))


def curve() -> None:
    """The optimisation's two losses, and those of the two fast ways as levels."""
    rows, levels = experiments.rows("adain-curve")[3:], experiments.rows("adain-level")  # the third overshoots
    figure, axes = figures.canvas(width=6.4, height=2.8, columns=2)
    steps = [r["step"] for r in rows]
    for ax, part in zip(axes, ("style", "content"), strict=True):
        ax.plot(steps, [r[part] for r in rows], linewidth=2)
        for level, color, dashes, offset in zip(levels, figures.COLORS[1:], ("--", ":"), (3, -11), strict=False):
            ax.axhline(level[part], color=color, linewidth=1.4, linestyle=dashes)
            place = {"xytext": (0, offset), "textcoords": "offset points", "ha": "right"}
            ax.annotate(level["way"], (100, level[part]), **place, fontsize=9)
        ax.set(xlabel="step of the optimisation", ylabel=f"{part} loss, relative", xlim=(0, 101))
    axes[0].set(yscale="log", ylim=(0.02, 1))
    axes[1].set_ylim(0, 1.1)  # with room for the label
    (FIGURES / "adain-curve.png").write_bytes(figures.png(figure))


def axes_of_norms() -> None:
    """Which activations share a mean and a deviation, in four layers."""
    from matplotlib.patches import Rectangle

    figure, axes = figures.canvas(width=6.4, height=2.3, columns=4)
    channels, places, pictures = 5, 3, 2
    sets = {
        "batch norm": lambda c, p, n: c == 1,
        "layer norm": lambda c, p, n: p == 1 and n == 0,
        "AdaIN, StyleGAN": lambda c, p, n: c == 1 and n == 0,
        "adaLN (DiT)": lambda c, p, n: p == 1 and n == 0,
    }
    for ax, (title, member) in zip(axes, sets.items(), strict=True):
        for n in range(pictures):
            for p in range(places):
                for c in range(channels):
                    top = n * (places + 0.5) + p
                    color = figures.COLORS[0] if member(c, p, n) else figures.GROUND
                    ax.add_patch(Rectangle((c, top), 1, 1, facecolor=color, edgecolor=figures.INK, linewidth=0.7))
        ax.set(xlim=(-0.6, channels + 0.2), ylim=(pictures * (places + 0.5), -0.3), aspect="equal")
        ax.set_title(title, fontsize=9, color=figures.INK)
        ax.axis("off")
    told = {2: "γ, β told\nby a style", 3: "γ, β told\nby a condition"}
    for index, words in told.items():
        axes[index].text(channels / 2, pictures * (places + 0.5) + 1.1, words, fontsize=8, ha="center", va="center")
        axes[index].set_ylim(pictures * (places + 0.5) + 2, -0.3)
    for index in (0, 1):
        axes[index].set_ylim(pictures * (places + 0.5) + 2, -0.3)
    axes[0].text(channels / 2, pictures * (places + 0.5) + 0.5, "channels →", fontsize=8, ha="center")
    axes[0].text(-0.3, 3.2, "positions of two pictures", fontsize=8, ha="right", va="center", rotation=90)
    (FIGURES / "adain-axes.png").write_bytes(figures.png(figure))


def diagram() -> None:
    """Encoder, AdaIN, decoder, and the encoder again for the losses."""
    from matplotlib.patches import FancyBboxPatch

    figure, ax = figures.canvas(width=6.8, height=3.3)
    ax.axis("off")
    ax.set(xlim=(-0.6, 14.2), ylim=(0, 6.6))

    def box(x: float, y: float, width: float, height: float, words: str, *, trained: bool = False) -> None:
        style = {"boxstyle": "round,pad=0.02,rounding_size=0.15", "edgecolor": figures.INK, "linewidth": 1}
        fill = "#f3c9a5" if trained else "#e6e3d8"
        ax.add_patch(FancyBboxPatch((x, y), width, height, facecolor=fill, **style))
        ax.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=9)

    def arrow(start: tuple, end: tuple, words: str = "", dx: float = 0, dy: float = 0.22) -> None:
        line = {"color": figures.INK, "linewidth": 1.1, "shrinkA": 0}
        ax.annotate("", end, start, arrowprops={"arrowstyle": "->"} | line)
        if words:
            ax.text((start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy, words, fontsize=9, ha="center")

    box(1.7, 3.3, 1.9, 3.0, "encoder f\nVGG up to\nrelu4_1\n(fixed)")
    arrow((-0.4, 5.6), (1.65, 5.6), "content c")
    arrow((-0.4, 4.0), (1.65, 4.0), "style s")
    box(4.8, 4.1, 1.4, 1.4, "AdaIN")
    arrow((3.65, 5.6), (4.75, 5.1), "x")
    arrow((3.65, 4.0), (4.75, 4.5), "y", dy=-0.35)
    arrow((6.25, 4.8), (7.75, 4.8), "t")
    box(7.8, 3.3, 1.9, 3.0, "decoder g\n(trained)", trained=True)
    arrow((9.75, 4.8), (14.0, 4.8), "stylised picture g(t)")
    box(11.6, 0.4, 1.9, 3.0, "encoder f\n(the same)")
    arrow((12.55, 4.7), (12.55, 3.45))
    box(6.0, 1.9, 2.3, 0.9, "content loss")
    box(6.0, 0.5, 2.3, 0.9, "style loss")
    arrow((11.55, 2.35), (8.35, 2.35), "relu4_1")
    arrow((11.55, 0.95), (8.35, 0.95), "relu1_1 … relu4_1")
    arrow((7.0, 4.7), (7.0, 2.85), "t", dx=-0.25)
    ax.plot((0.4, 0.4), (4.0, 0.95), color=figures.INK, linewidth=1.1)
    arrow((0.4, 0.95), (5.95, 0.95), "means and deviations of s, by f")
    (FIGURES / "adain-network.png").write_bytes(figures.png(figure))


@torch.no_grad()
def main() -> None:
    """Draw what can be drawn."""
    axes_of_norms()
    diagram()
    if (experiments.FOLDERS[1] / "adain-level.csv").is_file():
        curve()
    if "adain" not in zoo.names():
        return
    network, photographs, artworks = zoo.load("adain"), contents(SIDE), styles(SIDE)
    by_styles(network, photographs, artworks)
    alphas(network, photographs["chelsea"], artworks["glass"])
    square(network, photographs["astronaut"], artworks)
    control(network, photographs["astronaut"], artworks)
    decoders(network, photographs["astronaut"], artworks["strokes"])
    channel(network, photographs["astronaut"], artworks["strokes"])


if __name__ == "__main__":
    main()
