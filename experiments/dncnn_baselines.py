"""Lecture 7: classical denoisers, a wrong noise level, a clipped input, slips of the protocol (needs Set12).

The classical ones come from scikit-image and are told σ. Their constants were chosen by a small grid on the bundled
validation photographs, once for all σ. s is σ/255:

- bilateral filter: spatial σ 2 pixels, range σ 1.75 s;
- non-local means: patches of 5×5, searched 6 pixels around, h = 0.6 s;
- wavelets: sym8, three levels, BayesShrink's soft thresholds.

Writes, on Set12 with the noise of the evaluation (protocol gray):

- results/dncnn-baselines.csv: each method at σ = 15, 25, 50, and its time as a ratio to DnCNN-S on one core;
- results/dncnn-mismatch.csv: dncnn-25 and dncnn-blind at σ = 5 … 75;
- results/dncnn-clipping.csv: both at σ = 15, 25, 50, with the noisy picture as it is and clipped to [0, 255];
- results/dncnn-slips.csv: dncnn-25 at σ = 25, one departure from the protocol at a time.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
import torch
from skimage.restoration import denoise_bilateral, denoise_nl_means, denoise_wavelet
from torch import Tensor, nn

from imtrans import experiments, metrics, zoo
from imtrans.data import benchmarks
from imtrans.degrade import GaussianNoise, gaussian_noise
from imtrans.evaluation import evaluate
from imtrans.images import to_float, to_uint8
from imtrans.models.dncnn import DnCNN
from imtrans.restore import denoise

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
        """The network's output for the clipped picture."""
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


def seconds(models: Sequence[nn.Module], picture: Tensor, rounds: int = 3) -> list[float]:
    """Processor seconds per picture on one core: the best of some rounds, the models in turn within a round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        best = experiments.best_times([partial(model, picture) for model in models], rounds, time.process_time)
    torch.set_num_threads(threads)
    return best


def finished(rows: Sequence[dict[str, Any]], started: float) -> list[dict[str, Any]]:
    """Rows of one table, each with the processor's seconds of the whole and the protocol."""
    about = {"cpu_seconds": round(time.process_time() - started), "protocol": "gray"}
    return [row | about for row in rows]


def baselines(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    picture = gaussian_noise(set12[0][1], 25, seed=0)
    times = seconds([DnCNN().eval(), *classical(25).values()], picture)
    ratios = dict(zip(["DnCNN-S", *classical(25)], (s / times[0] for s in times), strict=True))
    for sigma in SIGMAS:
        methods = classical(sigma) | {"DnCNN-S": zoo.load(f"dncnn-{sigma}")}
        for name, method in methods.items():
            result = evaluate(method, set12, GaussianNoise(sigma))
            rows.append({"method": name, "sigma": sigma, "psnr": f"{result.psnr:.2f}", "ssim": f"{result.ssim:.4f}"})
            rows[-1]["time_ratio"] = f"{ratios[name]:.3f}"
    experiments.write("dncnn-baselines", finished(rows, started))


def mismatch(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    for name in NETWORKS:
        network = zoo.load(name)
        trained = network.sigma if isinstance(network.sigma, int) else "{}-{}".format(*network.sigma)
        for sigma in MISMATCH:
            psnr = evaluate(network, set12, GaussianNoise(sigma)).psnr
            rows.append({"model": name, "trained_for": trained, "sigma": sigma, "psnr": f"{psnr:.2f}"})
    experiments.write("dncnn-mismatch", finished(rows, started))


def clipping(set12: list[tuple[str, Tensor]]) -> None:
    started, rows = time.process_time(), []
    for name in NETWORKS:
        network = zoo.load(name)
        for sigma in SIGMAS:
            for clipped, seen in ((0, network), (1, Clipped(network))):
                psnr = evaluate(seen, set12, GaussianNoise(sigma)).psnr
                rows.append({"model": name, "sigma": sigma, "clipped": clipped, "psnr": f"{psnr:.2f}"})
    experiments.write("dncnn-clipping", finished(rows, started))


def slips(set12: list[tuple[str, Tensor]]) -> None:
    started = time.process_time()
    network, sigma = zoo.load("dncnn-25"), 25
    clean = [picture for _, picture in sorted(set12)]
    noisy = [gaussian_noise(x, sigma, seed) for seed, x in enumerate(clean)]

    def restored(observed: list[Tensor]) -> list[Tensor]:
        return [denoise(network, y) for y in observed]

    def mean_psnr(answers: list[Tensor], border: int = 0) -> float:
        rounded = [to_float(to_uint8(answer)) for answer in answers]
        return fmean(metrics.psnr(a, x, border=border).item() for a, x in zip(rounded, clean, strict=True))

    answers = restored(noisy)
    errors = [(to_float(to_uint8(a)) - x).square().mean().item() for a, x in zip(answers, clean, strict=True)]
    unclipped = [(a - x).square().mean().item() for a, x in zip(answers, clean, strict=True)]
    scores = {
        "none": mean_psnr(answers),
        "other noise": mean_psnr(restored([gaussian_noise(x, sigma, 100 + seed) for seed, x in enumerate(clean)])),
        "answer neither clipped nor rounded": fmean(-10 * math.log10(e) for e in unclipped),
        "17 pixels cut off at each side": mean_psnr(answers, border=17),
        "PSNR of the mean error": -10 * math.log10(fmean(errors)),
        "input clipped and rounded": mean_psnr(restored([to_float(to_uint8(y)) for y in noisy])),
    }
    with torch.no_grad():
        scores["network left in training mode"] = mean_psnr([copy.deepcopy(network).train()(y) for y in noisy])
    rows = [{"slip": slip, "psnr": f"{psnr:.2f}"} for slip, psnr in scores.items()]
    for row in rows:
        difference = float(row["psnr"]) - float(rows[0]["psnr"])  # of what is printed
        row["difference"] = f"{difference:+.2f}".replace("-", "−") if difference else "0.00"
    experiments.write("dncnn-slips", finished(rows, started))


def main() -> None:
    """Four tables."""
    set12 = benchmarks.load("Set12")
    baselines(set12)
    mismatch(set12)
    clipping(set12)
    slips(set12)


if __name__ == "__main__":
    main()
