"""Figures for notebooks: each has an alternative text, its own light ground, and pixels at whole multiples.

A function here returns `Html`; the cell that ends with the call shows it. Charts are matplotlib's, drawn on a
ground of their own, so that they read the same on a light and on a dark page. Pictures are not matplotlib's,
which would resample them: they are shown pixel by pixel.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imtrans.html import LIMIT, Html, described, encoded, escape, pixels
from imtrans.images import crop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUND, INK, GRID = "#fbfaf6", "#22252a", "#d9d6cc"
# Distinct for colour-blind readers too (Okabe and Ito), the darker ones first.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a6a00", "#56b4e9")
_DOTS = 96  # CSS pixels per inch


def canvas(width: float = 6.4, height: float = 3.0, columns: int = 1) -> tuple["Figure", Any]:
    """A figure in the style of the course and its axes: one, or an array of ``columns``.

    Args:
        width: Width in inches; 6.4 fills a page of the book on a phone held sideways.
        height: Height in inches.
        columns: Number of axes side by side.
    """
    from cycler import cycler
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor=GROUND)
    axes = figure.subplots(1, columns)
    for ax in figure.axes:
        ax.set_facecolor(GROUND)
        ax.set_prop_cycle(cycler(color=COLORS))
        ax.grid(color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(INK)
        ax.tick_params(colors=INK, labelsize=9)
    return figure, axes


def show(figure: "Figure", *, alt: str) -> Html:
    """A matplotlib figure as HTML, always the same bytes for the same figure.

    Args:
        figure: Figure from `canvas`, or any other of matplotlib.
        alt: What is seen.

    Raises:
        ValueError: If ``alt`` is empty.
    """
    words = described(alt)
    source = encoded(png(figure), "image/png")
    width, height = (round(inches * _DOTS) for inches in figure.get_size_inches())
    style = "max-width:100%;height:auto;border-radius:4px"
    size = f'width="{width}" height="{height}"'
    return Html(f'<img class="chart" alt="{words}" {size} style="{style}" src="{source}">', f"[figure: {alt}]")


def png(figure: "Figure") -> bytes:
    """A matplotlib figure as the bytes of a PNG file, drawn at twice its size with a palette of 256 colours."""
    from PIL import Image

    drawn = io.BytesIO()
    ground = figure.get_facecolor()
    figure.savefig(drawn, format="png", dpi=2 * _DOTS, facecolor=ground, metadata={"Software": None})
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    if hasattr(figure.canvas.manager, "num"):  # made by pyplot: else the notebook would show it a second time
        import matplotlib.pyplot as plt

        plt.close(figure)
    return file.getvalue()


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    levels: Mapping[str, float] | None = None,
) -> Html:
    """Lines over a common x, with their names in a legend where there are several.

    Args:
        x: Positions, the same for all lines.
        series: Name → values.
        xlabel: Name of the x axis with its unit.
        ylabel: Name of the y axis with its unit.
        alt: What is seen.
        levels: Name → a value that is drawn as a dashed horizontal line.
    """
    figure, ax = canvas()
    for name, values in series.items():
        ax.plot(x, values, linewidth=2, marker="o" if len(x) < 20 else None, markersize=4, label=name)
    _levels(ax, levels)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(series) > 1:
        ax.legend(frameon=False, fontsize=9)
    return show(figure, alt=alt)


def _levels(ax: Any, levels: Mapping[str, float] | None) -> None:
    for name, value in (levels or {}).items():
        ax.axhline(value, color=INK, linewidth=1.2, linestyle="--")
        place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
        ax.annotate(name, (1, value), **place, fontsize=9, color=INK)


class LiveCurve:
    """A curve that grows while a training runs: hand it to ``fit`` as ``on_step``.

    The cell that makes it shows it and updates one display; a stored notebook keeps the last state only.

    Args:
        steps: Number of steps of the training.
        alt: What is seen at the end.
        ylabel: What is drawn.
        levels: Name → a value to compare with, drawn as a dashed line.
        updates: How many times it is drawn.
    """

    def __init__(
        self,
        steps: int,
        *,
        alt: str,
        ylabel: str = "loss",
        levels: Mapping[str, float] | None = None,
        updates: int = 12,
    ) -> None:
        from IPython.display import display

        self.steps, self.alt, self.ylabel, self.levels = steps, alt, ylabel, levels
        self.every = max(1, steps // updates)
        self.first = 0
        self.values: list[float] = []
        self._handle = display(self.figure(), display_id=True)

    def __call__(self, step: int, value: float) -> None:
        """Take the value of a step; draw again when it is time."""
        self.first = self.first or step  # a training that was cut off goes on where it stopped
        self.values.append(value)
        if step % self.every == 0 or step >= self.steps:
            self.draw()

    def draw(self) -> None:
        """Show what has come so far."""
        if self._handle is not None:  # None outside of notebooks
            self._handle.update(self.figure())

    def figure(self) -> Html:
        """The curve up to now: each step in a light tone, their running average in a strong one."""
        figure, ax = canvas(height=2.6)
        counts = range(1, len(self.values) + 1)
        steps = range(self.first, self.first + len(self.values))
        ax.plot(steps, self.values, color=COLORS[0], alpha=0.25, linewidth=0.7)
        window = max(1, self.steps // 60)
        means = [sum(self.values[max(0, i - window) : i]) / min(window, i) for i in counts]
        ax.plot(steps, means, color=COLORS[0], linewidth=2)
        _levels(ax, self.levels)
        ax.set(xlabel="step", ylabel=self.ylabel, xlim=(0, self.steps))
        if self.values and min(self.values) > 0:
            from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        return show(figure, alt=self.alt)


def strip(pictures: Mapping[str, Tensor], *, alt: str, factor: int = 1, limit: int | None = None) -> Html:
    """Pictures side by side, each over its label, at a whole multiple of their size.

    Args:
        pictures: Label → (1, C, H, W) in [0, 1]; values outside are clipped, as a screen would.
        alt: What is seen; the label is put in front of it for each picture.
        factor: Screen pixels per picture pixel.
        limit: Largest size of a picture in bytes: beyond it JPEG takes the place of PNG. None keeps every pixel.
    """
    labelled = [
        '<div style="max-width:100%"><div style="overflow-x:auto">'
        + pixels(picture.clamp(0, 1), alt=f"{label}: {alt}", factor=factor, limit=limit)
        + f'</div><div style="font-size:0.85em">{escape(label)}</div></div>'
        for label, picture in pictures.items()
    ]
    row = "display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start"
    markup = f'<div class="strip" style="{row}">' + "".join(labelled) + "</div>"
    return Html(markup, f"[{' | '.join(pictures)}: {alt}]")


def zoom(pictures: Mapping[str, Tensor], box: tuple[int, int, int, int], *, alt: str, factor: int = 4) -> Html:
    """The same part of several pictures, enlarged pixel by pixel.

    Args:
        pictures: Label → (1, C, H, W) in [0, 1], all of the same size.
        box: (left, top, width, height).
        alt: What is seen in the box.
        factor: Screen pixels per picture pixel.

    Raises:
        ValueError: If the pictures differ in size, or the box sticks out.
    """
    sizes = {tuple(picture.shape[-2:]) for picture in pictures.values()}
    if len(sizes) != 1:
        raise ValueError(f"pictures of different sizes cannot be compared in one box: {sorted(sizes)}")
    return strip({label: crop(picture, box) for label, picture in pictures.items()}, alt=alt, factor=factor)


def where(picture: Tensor, box: tuple[int, int, int, int], *, alt: str, factor: int = 1) -> Html:
    """A whole picture with a frame around the part that `zoom` enlarges; as JPEG where PNG is too heavy.

    Args:
        picture: (1, C, H, W) in [0, 1].
        box: (left, top, width, height).
        alt: What is seen.
        factor: Screen pixels per picture pixel.
    """
    crop(picture, box)  # checks the box
    left, top, width, height = (side * factor for side in box)
    frame = (
        f"position:absolute;left:{left}px;top:{top}px;width:{width}px;height:{height}px;box-sizing:border-box;"
        "border:2px solid #fff;outline:1px solid #000"
    )
    image = pixels(picture.clamp(0, 1), alt=alt, factor=factor, limit=LIMIT)
    return Html(
        f'<div style="overflow-x:auto"><div style="position:relative;display:inline-block">{image}'
        f'<div style="{frame}"></div></div></div>',
        f"[picture: {alt}]",
    )


def filters(weight: Tensor, *, alt: str, columns: int = 16, factor: int = 4) -> Html:
    """The filters of a first layer as one picture; see `filter_sheet`.

    Args:
        weight: Weights (n, 1, k, k), or (n, 3, k, k) for a layer that expects RGB.
        alt: What is seen.
        columns: Filters per row.
        factor: Screen pixels per weight.

    Raises:
        ValueError: On another shape.
    """
    image = pixels(filter_sheet(weight, columns), alt=alt, factor=factor)
    return Html(f'<div style="overflow-x:auto">{image}</div>', f"[filters: {alt}]")


def filter_sheet(weight: Tensor, columns: int = 16) -> Tensor:
    """The filters of a first layer side by side, the strongest first, with white lines between them.

    Each filter has its own gain: middle gray is 0, white and black are ± its largest weight.

    Args:
        weight: Weights (n, 1, k, k), or (n, 3, k, k) for a layer that expects RGB.
        columns: Filters per row.

    Returns:
        A picture (1, 1 or 3, H, W) in [0, 1], one pixel per weight.

    Raises:
        ValueError: On another shape.
    """
    if weight.ndim != 4 or weight.shape[1] not in (1, 3):
        raise ValueError(f"wanted weights (n, 1 or 3, k, k), got shape {tuple(weight.shape)}")
    weight = weight.detach().cpu().float()
    norms = weight.flatten(1).norm(dim=1)
    weight = weight[norms.argsort(descending=True, stable=True)]
    peak = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    tiles = 0.5 + 0.5 * weight / peak
    count, channels, k, _ = tiles.shape
    rows = -(-count // columns)
    sheet = tiles.new_ones(1, channels, rows * (k + 1) - 1, columns * (k + 1) - 1)
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * (k + 1), (index % columns) * (k + 1)
        sheet[0, :, top : top + k, left : left + k] = tile
    return sheet


def table(rows: Sequence[Mapping[str, Any]], *, caption: str, digits: int = 2) -> Html:
    """A table; the first column heads the rows.

    Args:
        rows: Column → value, the same columns in each. Floats are rounded, None is a dash.
        caption: Says what is measured, and how.
        digits: Decimals of floats.

    Raises:
        ValueError: Without rows, or if their columns differ.
    """
    if not rows or any(list(row) != list(rows[0]) for row in rows):
        raise ValueError("a table needs rows, all of the same columns")

    def text(value: Any) -> str:
        if value is None:
            return "–"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    columns = list(rows[0])
    cells = [[text(row[column]) for column in columns] for row in rows]
    numeric = [all(re.fullmatch(r"[-+−]?[\d.]+|–", row[i]) for row in cells) for i in range(len(columns))]
    sides = [f'style="text-align:{"right" if number else "left"};padding:2px 10px"' for number in numeric]
    head = "".join(f'<th scope="col" {s}>{escape(c)}</th>' for c, s in zip(columns, sides, strict=True))
    body = "".join(
        f'<tr><th scope="row" {sides[0]}>{escape(row[0])}</th>'
        + "".join(f"<td {s}>{escape(value)}</td>" for value, s in zip(row[1:], sides[1:], strict=True))
        + "</tr>"
        for row in cells
    )
    words = "\n".join(" | ".join(row) for row in [columns, *cells])
    return Html(
        '<table class="measured">'
        f'<caption style="caption-side:top;text-align:left">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        f"{caption}\n{words}",
    )
