"""Lecture 1: PSNR on Set5 ×3 while 9-1-5 trains on the 91 images, from three seeds (needs T91 and Set5).

Writes results/srcnn-curve.csv: one row per seed and validation, protocol y8.
"""

import csv
import datetime
from dataclasses import replace
from pathlib import Path

from imtrans import zoo
from imtrans.data import benchmarks
from imtrans.evaluation import evaluate
from imtrans.recipes import srcnn
from imtrans.training import fit

SCALE = 3
STEPS, EVERY = 1_000, 50
SEEDS = (0, 1, 2)


def main() -> None:
    """Train, measure, write."""
    set5 = benchmarks.load("Set5")
    lines = []
    for seed in SEEDS:
        recipe = replace(srcnn(SCALE, budget="full"), steps=STEPS, validate_every=EVERY, seed=seed)
        run = fit(recipe, validate=lambda network: {"psnr": evaluate(network, set5, scale=SCALE).psnr})
        where = [STEPS, round(run.seconds), "y8", zoo.machine(run.device), datetime.date.today()]
        for entry in run.log:
            if "psnr" in entry:
                step = entry["step"]
                lines.append([seed, step, step * recipe.batch, f"{entry['psnr']:.2f}", *where])
    path = Path(__file__).parents[1] / "results" / "srcnn-curve.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        head = ["seed", "step", "patches", "psnr", "steps", "training_seconds", "protocol", "machine", "date"]
        writer.writerows([head, *lines])


if __name__ == "__main__":
    main()
