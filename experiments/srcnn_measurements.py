"""Lecture 1: what the shipped SRCNN weights do at borders, by frequency, and to the page's photograph (needs Set5).

Writes results/srcnn-borders.csv, srcnn-spectra.csv, srcnn-bands.csv and srcnn-photograph.csv.
"""

import torch
from torch import Tensor

from imtrans import experiments, images, metrics, zoo
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, bicubic_down_up
from imtrans.evaluation import evaluate

SCALE = 3
BINS = 64  # of the frequencies from 0 to 1/2 cycle per pixel
NAMES = ("X", "Y", "F", "Y-X", "F-X")


def borders() -> list[dict]:
    """Set5 ×3 by what each layer does at its border, and what zeros cost."""
    set5, rows = list(benchmarks.load("Set5")), []
    for name in ("srcnn-x3", "srcnn-955-x3"):
        network, psnr = zoo.load(name), {}
        for padding in ("replicate", "zeros"):
            network.padding = padding
            psnr[padding] = evaluate(network, set5, Downscale(SCALE)).psnr
        psnr["cost"] = psnr["replicate"] - psnr["zeros"]
        rows += [{"network": name, "padding": key, "psnr": f"{db:.2f}", "protocol": "y8"} for key, db in psnr.items()]
    return rows


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


def bands(found: dict[str, dict[str, Tensor]]) -> list[dict]:
    """Bicubic's error below and above the limit, and how much of it SRCNN removes, in percent."""
    bicubic, srcnn = (
        {band: sum(by_band(planes[name])[band] for planes in found.values()) for band in ("below", "above")}
        for name in ("Y-X", "F-X")
    )
    gain = {band: bicubic[band] - srcnn[band] for band in bicubic}
    shares = {
        band: {
            "share_of_error": bicubic[band] / sum(bicubic.values()),
            "removed": gain[band] / bicubic[band],
            "share_of_gain": gain[band] / sum(gain.values()),
        }
        for band in bicubic
    }
    return [{"band": band} | {key: f"{100 * x:.0f}" for key, x in row.items()} for band, row in shares.items()]


def main() -> None:
    """Measure, write."""
    experiments.write("srcnn-borders", borders())

    found = triples()
    spectra = {name: sum(by_radius(planes[name]) for planes in found.values()) / len(found) for name in NAMES}
    rows = [
        {"frequency": f"{(k + 0.5) / (2 * BINS):.5f}"} | {name: f"{spectra[name][k]:.5g}" for name in NAMES}
        for k in range(BINS)
    ]
    experiments.write("srcnn-spectra", rows)
    experiments.write("srcnn-bands", bands(found))

    rows = []
    for name, planes in found.items():
        for method, picture in {"bicubic": planes["Y"], "srcnn-x3": planes["F"]}.items():
            psnr = metrics.psnr(images.to_float(images.to_uint8(picture)), planes["X"], border=SCALE).item()
            rows.append({"photograph": name, "method": method, "psnr": f"{psnr:.2f}", "protocol": "y8"})
    experiments.write("srcnn-photograph", rows)


if __name__ == "__main__":
    main()
