"""Lecture 1: the paper's table of widths, trained with one recipe and one number of steps (needs T91 and Set5).

Writes results/srcnn-width.csv: PSNR on Set5 ×3 (chain y8), and the time of a picture as a ratio to the middle network.
"""

import csv
import datetime
import time
from dataclasses import replace
from pathlib import Path

import torch

from imtrans import hardware
from imtrans.data import benchmarks
from imtrans.degrade import Downscale, bicubic_down_up
from imtrans.evaluation import evaluate
from imtrans.images import modcrop
from imtrans.metrics import luma
from imtrans.models.srcnn import SRCNN
from imtrans.recipes import srcnn
from imtrans.training import fit

STEPS = 2_000
WIDTHS = ((128, 64), (64, 32), (32, 16))
SCALE = 3


def picture_seconds(models: list[SRCNN], pictures: list[torch.Tensor], rounds: int = 5) -> list[float]:
    """Seconds a picture for each network: the best of some rounds, the networks in turn within a round."""
    best = [float("inf")] * len(models)
    with torch.inference_mode():
        for _ in range(rounds):
            for k, model in enumerate(models):
                start = time.perf_counter()
                for picture in pictures:
                    model(picture)
                best[k] = min(best[k], (time.perf_counter() - start) / len(pictures))
    return best


def main() -> None:
    """Train, measure, write."""
    set5 = benchmarks.load("Set5")
    runs = []
    for n1, n2 in WIDTHS:
        recipe = srcnn.full(SCALE, n1=n1, n2=n2)
        runs.append(fit(replace(recipe, name=f"srcnn-{n1}-{n2}", steps=STEPS, validate_every=0)))
    inputs = [bicubic_down_up(luma(modcrop(p, SCALE), rounded=True), SCALE) for _, p in set5]
    seconds = picture_seconds([run.model for run in runs], inputs)
    path = Path(__file__).parents[1] / "results" / "srcnn-width.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "n1",
                "n2",
                "weights",
                "psnr",
                "ssim",
                "time_ratio",
                "steps",
                "training_seconds",
                "protocol",
                "machine",
                "date",
            ]
        )
        for (n1, n2), run, cost in zip(WIDTHS, runs, seconds, strict=True):
            scores = evaluate(run.model, set5, Downscale(SCALE), protocol="y8")
            weights = sum(p.numel() for p in run.model.parameters() if p.ndim == 4)
            row = [n1, n2, weights, f"{scores.psnr:.2f}", f"{scores.ssim:.4f}", f"{cost / seconds[1]:.2f}", STEPS]
            machine = hardware.processor_name(run.device)
            writer.writerow([*row, round(run.seconds), "y8", machine, datetime.date.today()])
    print(path.read_text())


if __name__ == "__main__":
    main()
