"""Lecture 1: what the shipped SRCNN weights do at borders, by frequency, and to the page's photograph (needs Set5).

Writes results/srcnn-borders.csv, srcnn-spectra.csv, srcnn-bands.csv and srcnn-photograph.csv.
"""

import csv
import datetime
from pathlib import Path

import torch
from torch import Tensor

from imtrans import images, metrics, zoo
from imtrans.data import benchmarks, photos
from imtrans.degrade import bicubic_down_up
from imtrans.evaluation import evaluate

SCALE = 3
RESULTS = Path(__file__).parents[1] / "results"
BINS = 64  # of the frequencies from 0 to 1/2 cycle per pixel
NAMES = ("X", "Y", "F", "Y-X", "F-X")


def write(name: str, head: list[str], rows: list[list]) -> None:
    """Write a table with the machine and the date at the end of each row."""
    where = [zoo.machine("cpu"), datetime.date.today()]
    with (RESULTS / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([[*head, "machine", "date"], *([*row, *where] for row in rows)])


def borders() -> list[list]:
    """Set5 ×3 by what each layer does at its border."""
    set5, rows = benchmarks.load("Set5"), []
    for name in ("srcnn-x3", "srcnn-955-x3"):
        network = zoo.load(name)
        for padding in ("replicate", "zeros"):
            network.padding = padding
            rows.append([name, padding, f"{evaluate(network, set5, scale=SCALE).psnr:.2f}", "y8"])
    rows += [[name, "cost", f"{float(a[2]) - float(b[2]):.2f}", "y8"] for name, a, b in pairs(rows)]
    return rows


def pairs(rows: list[list]) -> list[tuple[str, list, list]]:
    """Two rows of each network, with its name."""
    return [(a[0], a, b) for a, b in zip(rows[::2], rows[1::2], strict=True)]


def power(picture: Tensor) -> Tensor:
    """Power of a picture (1, 1, H, W) at each frequency: (H, W)."""
    # The window lets the picture fade out at its edges, whose jump from right to left would look like fine detail.
    window = torch.outer(*(torch.hann_window(side) for side in picture.shape[-2:]))
    return torch.fft.fft2((picture - picture.mean()) * window).abs().square()[0, 0]


def frequencies(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal frequency of each value of `power`, (H, 1) and (1, W), in cycles per pixel."""
    height, width = picture.shape[-2:]
    return torch.fft.fftfreq(height)[:, None].abs(), torch.fft.fftfreq(width)[None].abs()


def by_radius(picture: Tensor) -> Tensor:
    """Power by frequency, the mean over all directions: (BINS,)."""
    index = (torch.hypot(*frequencies(picture)) * 2 * BINS).long().flatten()
    inside = index < BINS
    total = torch.zeros(BINS).index_add_(0, index[inside], power(picture).flatten()[inside])
    return total / torch.zeros(BINS).index_add_(0, index[inside], torch.ones(int(inside.sum())))


def by_band(picture: Tensor) -> dict[str, float]:
    """Power below and above the limit of the low resolution: half a cycle per low-resolution pixel, both ways."""
    below = torch.maximum(*torch.broadcast_tensors(*frequencies(picture))) < 1 / (2 * SCALE)
    energy = power(picture)
    return {"below": energy[below].sum().item(), "above": energy[~below].sum().item()}


def triples() -> dict[str, dict[str, Tensor]]:
    """X, Y, F(Y) and the two errors of each bundled test photograph, luma (1, 1, H, W)."""
    network, found = zoo.load("srcnn-x3"), {}
    for photo in photos.photos("test"):
        x = metrics.luma(images.modcrop(photo.picture, SCALE), rounded=True)
        y = bicubic_down_up(x, SCALE)
        with torch.inference_mode():
            f = network(y)
        found[photo.name] = {"X": x, "Y": y, "F": f, "Y-X": y - x, "F-X": f - x}
    return found


def main() -> None:
    """Measure, write."""
    write("srcnn-borders", ["network", "padding", "psnr", "protocol"], borders())

    found = triples()
    spectra = {name: sum(by_radius(planes[name]) for planes in found.values()) / len(found) for name in NAMES}
    write(
        "srcnn-spectra",
        ["frequency", *NAMES],
        [[f"{(k + 0.5) / (2 * BINS):.5f}", *(f"{spectra[name][k]:.5g}" for name in NAMES)] for k in range(BINS)],
    )

    rows = []
    total = {name: [by_band(planes[name]) for planes in found.values()] for name in ("Y-X", "F-X")}
    wrong = {name: {band: sum(part[band] for part in parts) for band in parts[0]} for name, parts in total.items()}
    gain = {band: wrong["Y-X"][band] - wrong["F-X"][band] for band in ("below", "above")}
    for band in gain:
        share = wrong["Y-X"][band] / sum(wrong["Y-X"].values())
        removed = gain[band] / wrong["Y-X"][band]
        part_of_gain = gain[band] / sum(gain.values())
        rows.append([band, *(f"{100 * value:.0f}" for value in (share, removed, part_of_gain))])
    write("srcnn-bands", ["band", "share_of_error", "removed", "share_of_gain"], rows)

    rows = []
    for name, planes in found.items():
        for method in ("Y", "F"):
            answer = images.to_float(images.to_uint8(planes[method]))
            psnr = metrics.psnr(answer, planes["X"], border=SCALE).item()
            rows.append([name, {"Y": "bicubic", "F": "srcnn-x3"}[method], f"{psnr:.2f}", "y8"])
    write("srcnn-photograph", ["photograph", "method", "psnr", "protocol"], rows)


if __name__ == "__main__":
    main()
