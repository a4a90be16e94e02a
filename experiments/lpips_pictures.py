"""Lecture 12: the pictures that the reader judges, and the page's first figure, from bundled photographs.

Writes results/lpips-poll.csv, lpips-first.csv, book/static/figures/lpips-poll-*.png and lpips-first.png. Needs the
trunks, and no data. Some seconds.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from lpips_measurements import distances
from PIL import Image
from torch import Tensor

from imtrans import experiments, figures, images, metrics
from imtrans.data.photos import photo
from imtrans.data.triplets import at_error, eight_bit
from imtrans.degrade import bicubic_down, blur_down, gaussian_noise, jpeg
from imtrans.restore import super_resolve
from imtrans.zoo import load

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
SIDE, MARGIN = 144, 8


def moved(wide: Tensor, down: int, right: int) -> Tensor:
    return wide[..., MARGIN + down : MARGIN + down + SIDE, MARGIN + right : MARGIN + right + SIDE]


def inner(wide: Tensor) -> Tensor:
    return moved(wide, 0, 0)


def turned(wide: Tensor, degrees: float) -> Tensor:
    """Turned around the middle, bilinearly."""
    angle = torch.tensor(degrees).deg2rad()
    matrix = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0]])[None]
    grid = torch.nn.functional.affine_grid(matrix, list(wide.shape), align_corners=True)
    return inner(torch.nn.functional.grid_sample(wide, grid, align_corners=True))


def enlarged(wide: Tensor) -> Tensor:
    """Shrunk by 4 and enlarged by VDSR."""
    return inner(super_resolve(load("vdsr"), bicubic_down(wide, 4).clamp(0, 1), 4))


Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Round:
    """One question of the poll.

    Attributes:
        photo: Name of the photograph.
        place: Left and top of the reference.
        seen: What it shows, for its alternative text.
        first: What it is called, how it is seen, and what makes it; it sets the error.
        second: The same; its difference is scaled to that error.
        swapped: Whether the first one stands on the right.
    """

    photo: str
    place: tuple[int, int]
    seen: str
    first: tuple[str, str, Change]
    second: tuple[str, str, Change]
    swapped: bool


def blur(sigma: float) -> Change:
    return lambda wide: inner(blur_down(wide, 1, sigma))


def noise(sigma: float) -> Change:
    return lambda wide: gaussian_noise(inner(wide), sigma, seed=0)


def compressed(quality: int) -> Change:
    return lambda wide: jpeg(inner(wide), quality)


ROUNDS = (
    Round("coffee", (430, 55), "the red rim of a plate on a wooden table",
          ("moved by two pixels", "hardly different", lambda w: moved(w, 2, 1)),
          ("blurred", "out of focus", blur(1.5)), swapped=True),
    Round("chelsea", (120, 60), "a cat's eye and the fur around it",
          ("blurred", "out of focus, single hairs are gone", blur(1.8)),
          ("noisy", "covered with fine grain", noise(20)), swapped=False),
    Round("astronaut", (150, 40), "an astronaut's face",
          ("darker", "all of it a little darker", lambda w: 0.86 * inner(w)),
          ("compressed", "broken into blocks", compressed(6)), swapped=False),
    Round("rocket", (250, 150), "a rocket beside its tower at dusk",
          ("turned by two degrees", "leaning a little to one side", lambda w: turned(w, 2)),
          ("compressed", "broken into coarse blocks, the sky blue-green and violet", compressed(5)), swapped=True),
    Round("chelsea", (130, 145), "a cat's nose, whiskers and fur",
          ("moved by two pixels", "hardly different", lambda w: moved(w, 2, 1)),
          ("noisy", "covered with grain", noise(20)), swapped=True),
    Round("china", (110, 60), "the curved roofs of a Chinese pavilion",
          ("enlarged by VDSR", "smooth, with crisp outlines and no fine texture", enlarged),
          ("noisy", "covered with fine grain", noise(20)), swapped=False),
)  # fmt: skip


def wide_crop(name: str, place: tuple[int, int]) -> Tensor:
    left, top = place
    side = SIDE + 2 * MARGIN
    return images.crop(photo(name).picture, (left - MARGIN, top - MARGIN, side, side))


def poll() -> None:
    rows, all_distances = [], distances()
    for number, each in enumerate(ROUNDS, start=1):
        wide = wide_crop(each.photo, each.place)
        reference = inner(wide)
        first = eight_bit(each.first[2](wide))
        second = at_error(reference, each.second[2](wide), (first - reference).square().mean())
        if second is None:
            raise ValueError(f"round {number}: the second change cannot have the error of the first")
        pictures = {"left": (each.first, first), "right": (each.second, second)}
        if each.swapped:
            pictures = {"left": pictures["right"], "right": pictures["left"]}
        row: dict[str, object] = {"round": number, "photo": each.photo, "seen": each.seen}
        images.write(FIGURES / f"lpips-poll-{number}-reference.png", reference)
        for side, ((words, looks, _), picture) in pictures.items():
            images.write(FIGURES / f"lpips-poll-{number}-{side}.png", picture)
            row |= {side: words, f"{side}_looks": looks}
        for side, (_, picture) in pictures.items():
            row[f"PSNR_{side}"] = f"{metrics.psnr(reference, picture).item():.3f}"
            row[f"SSIM_{side}"] = f"{metrics.ssim(reference, picture).item():.4f}"
            with torch.inference_mode():
                row |= {
                    f"{name}_{side}": f"{distance(reference, picture).item():.4f}"
                    for name, distance in all_distances.items()
                    if name not in ("L2", "SSIM")
                }
        rows.append(row)
    experiments.write("lpips-poll", rows)


# -- the first figure --

FIRST = ("chelsea", (190, 96))


def first() -> None:
    """A patch and five versions of it with the same error; below each, what two networks say."""
    side, pad = 96, MARGIN
    left, top = FIRST[1]
    wide = images.crop(photo(FIRST[0]).picture, (left - pad, top - pad, side + 2 * pad, side + 2 * pad))
    x = wide[..., pad:-pad, pad:-pad]
    shifted = wide[..., pad:-pad, pad + 1 : pad + 1 + side]
    error = (x - shifted).square().mean()
    changed = {
        "contrast": x.mean() + 0.8 * (x - x.mean()),
        "JPEG": jpeg(x, 8),
        "blur": blur_down(wide, 1, 1.5)[..., pad:-pad, pad:-pad],
        "noise": gaussian_noise(x, 20, seed=0),
    }
    made = {"moved by one pixel": shifted} | {name: at_error(x, y, error) for name, y in changed.items()}
    rows, all_distances = [], distances()
    with torch.inference_mode():
        for name, picture in made.items():
            row: dict[str, object] = {"change": name, "psnr": f"{metrics.psnr(x, picture).item():.2f}"}
            row["SSIM"] = f"{metrics.ssim(x, picture).item():.3f}"
            row |= {
                key: f"{distance(x, picture).item():.3f}"
                for key, distance in all_distances.items()
                if key not in ("L2", "SSIM")
            }
            rows.append(row)
    experiments.write("lpips-first", rows)
    draw_first({"original": x} | made, rows)


def draw_first(pictures: dict[str, Tensor], rows: list[dict[str, object]]) -> None:
    """Six squares, two screen pixels per pixel, and two rows of bars."""
    width, inch, gap = 7.2, 1.0, 0.2
    figure, unused = figures.canvas(width=width, height=2.6)
    unused.remove()
    figure.set_layout_engine("none")
    longest = {key: max(float(row[key]) for row in rows) for key in ("squeezenet-caffe", "random AlexNet")}
    for index, (name, picture) in enumerate(pictures.items()):
        left = 0.1 + index * (inch + gap)
        ax = figure.add_axes((left / width, 1.45 / 2.6, inch / width, inch / 2.6))
        ax.imshow(picture[0].permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.axis("off")
        figure.text((left + inch / 2) / width, 1.3 / 2.6, name, ha="center", va="center", fontsize=8, color=figures.INK)
        for line, key, color in (
            (0.85, "squeezenet-caffe", figures.COLORS[0]),
            (0.35, "random AlexNet", figures.COLORS[1]),
        ):
            if index == 0:
                words = "trained to see" if key != "random AlexNet" else "random weights"
                figure.text(0.1 / width, (line + 0.1) / 2.6, words, fontsize=8, color=color, va="center")
                continue
            value = float(rows[index - 1][key])
            bar = figure.add_axes((left / width, line / 2.6, inch / width, 0.2 / 2.6))
            bar.barh(0, value / longest[key], color=color)
            bar.set(xlim=(0, 1), ylim=(-0.5, 0.5))
            bar.axis("off")
            figure.text(left / width, (line - 0.08) / 2.6, f"{value:.2f}", fontsize=7, color=figures.INK, va="center")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=192, facecolor=figures.GROUND, metadata={"Software": None})
    Image.open(drawn).convert("RGB").save(FIGURES / "lpips-first.png", optimize=True)


def main() -> None:
    poll()
    first()


if __name__ == "__main__":
    main()
