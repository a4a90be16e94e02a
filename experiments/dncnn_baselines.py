"""Lecture 7: classical denoisers, a wrong noise level, a clipped input (needs Set12).

The classical ones come from scikit-image and are told σ. Their constants were chosen by a small grid on the bundled
validation photographs, once for all σ. s is σ/255:

- bilateral filter: spatial σ 2 pixels, range σ 1.75 s;
- non-local means: patches of 5×5, searched 6 pixels around, h = 0.6 s;
- wavelets: sym8, three levels, BayesShrink's soft thresholds.

Writes, on Set12 with the noise of the evaluation (protocol gray):

- results/dncnn-baselines.csv: each method at σ = 15, 25, 50, and its time as a ratio to DnCNN-S on one core;
- results/dncnn-mismatch.csv: dncnn-25 and dncnn-blind at σ = 5 … 75;
- results/dncnn-clipping.csv: both at σ = 15, 25, 50, with the noisy picture as it is and clipped to [0, 255].

Networks whose weights are not there are left out, with a word on it.
"""

import csv
import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.restoration import denoise_bilateral, denoise_nl_means, denoise_wavelet
from torch import Tensor, nn

from imtrans import hardware, zoo
from imtrans.data import benchmarks
from imtrans.degrade import GaussianNoise, gaussian_noise
from imtrans.evaluation import evaluate
from imtrans.models.dncnn import DnCNN

SIGMAS = (15, 25, 50)
MISMATCH = range(5, 76, 10)
NETWORKS = ("dncnn-25", "dncnn-blind")  # for one level, for all


class Classical(nn.Module):
    """A function of a picture (H, W) as if it were a network of gray pictures."""

    channels, upsamples, scales = 1, False, ()

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.function = function

    def forward(self, noisy: Tensor) -> Tensor:
        """(1, 1, H, W) → the same shape."""
        return torch.from_numpy(self.function(noisy[0, 0].numpy())).float()[None, None]


class Clipped(nn.Module):
    """A network that sees the noisy picture as a file would hold it: clipped."""

    channels, upsamples, scales = 1, False, ()

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor) -> Tensor:
        """The answer to what is left of ``noisy``."""
        return self.network(noisy.clamp(0, 1))


def classical(sigma: float) -> dict[str, nn.Module]:
    """The three methods for a noise level in 8-bit levels."""
    s = sigma / 255
    return {
        # Its table of weights begins at 0, and a noisy picture does not: moved up by 2, the filter does the same.
        "bilateral": Classical(lambda y: denoise_bilateral(y + 2, sigma_color=1.75 * s, sigma_spatial=2) - 2),
        "non-local means": Classical(lambda y: denoise_nl_means(y, patch_size=5, patch_distance=6, h=0.6 * s, sigma=s)),
        "wavelet": Classical(lambda y: denoise_wavelet(y, sigma=s, wavelet="sym8", wavelet_levels=3)),
    }


def shipped(name: str) -> nn.Module | None:
    """The network of the zoo, or None, said aloud, where its weights are not there."""
    if name in zoo.names():
        return zoo.load(name)
    print(f"{name} is left out: no weights")
    return None


def seconds(models: Sequence[nn.Module], picture: Tensor, rounds: int = 3) -> list[float]:
    """Seconds of one core a picture: the best of some rounds, the models in turn within a round."""
    best, threads = [float("inf")] * len(models), torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for _ in range(rounds):
            for k, model in enumerate(models):
                started = time.process_time()
                model(picture)
                best[k] = min(best[k], time.process_time() - started)
    torch.set_num_threads(threads)
    return best


def write(name: str, rows: Sequence[dict[str, Any]], started: float) -> None:
    """Write a table; each row gets the processor's seconds of the whole, machine and date."""
    if not rows:
        return
    path = Path(__file__).parents[1] / "results" / f"{name}.csv"
    about = {
        "cpu_seconds": round(time.process_time() - started),
        "protocol": "gray",
        "machine": hardware.processor_name(),
        "date": datetime.date.today(),
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *about], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | about for row in rows)
    print(path.read_text())


def baselines(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    picture = gaussian_noise(set12[0][1], 25, seed=0)
    ruler = seconds([DnCNN().eval(), *classical(25).values()], picture)
    ratios = dict(zip(["DnCNN-S", *classical(25)], (s / ruler[0] for s in ruler), strict=True))
    for sigma in SIGMAS:
        network = shipped(f"dncnn-{sigma}")
        methods = classical(sigma) | ({"DnCNN-S": network} if network else {})
        for name, method in methods.items():
            result = evaluate(method, set12, GaussianNoise(sigma))
            rows.append({"method": name, "sigma": sigma, "psnr": f"{result.psnr:.2f}", "ssim": f"{result.ssim:.4f}"})
            rows[-1]["time_ratio"] = f"{ratios[name]:.3f}"
    write("dncnn-baselines", rows, started)


def mismatch(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    for name in NETWORKS:
        if network := shipped(name):
            trained = network.sigma if isinstance(network.sigma, int) else "{}-{}".format(*network.sigma)
            for sigma in MISMATCH:
                psnr = evaluate(network, set12, GaussianNoise(sigma)).psnr
                rows.append({"model": name, "trained_for": trained, "sigma": sigma, "psnr": f"{psnr:.2f}"})
    write("dncnn-mismatch", rows, started)


def clipping(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    for name in NETWORKS:
        if network := shipped(name):
            for sigma in SIGMAS:
                for clipped, seen in ((0, network), (1, Clipped(network))):
                    psnr = evaluate(seen, set12, GaussianNoise(sigma)).psnr
                    rows.append({"model": name, "sigma": sigma, "clipped": clipped, "psnr": f"{psnr:.2f}"})
    write("dncnn-clipping", rows, started)


def main() -> None:
    """Three tables."""
    set12 = benchmarks.load("Set12")
    baselines(set12)
    mismatch(set12)
    clipping(set12)


if __name__ == "__main__":
    main()
