"""Lecture 9: what happens if the fit is continued where the observation has no noise: half of the pixels, and ×4.

Writes results/prior-without-noise.csv, every 20th iteration of each run: the loss, and PSNR of the mean of the outputs
on all pixels (half) or on luma without a border of 4 (×4).
"""

import datetime
import time
from functools import partial

from prior_stopping import part, write
from prior_tasks import luma, whole

from imtrans import degrade, prior, zoo

SIDE, WIDTH = 64, 64
ITERATIONS = 1500
SEEDS = (0, 1)
EVERY = 20


def main() -> None:
    """Two tasks, two seeds; written after each run."""
    truth = part("chelsea", (22, 6), SIDE, 0.25)
    mask = degrade.pixel_mask(SIDE, SIDE, keep=0.5, seed=0)
    down = partial(degrade.lanczos_down, scale=4)
    settings = prior.settings.super_resolution(4).narrow(
        *(WIDTH,) * 5
    )  # those of half of the pixels, at ten times the rate
    tasks = {
        "half": (truth * mask, {"mask": mask}, whole),
        "x4": (down(truth), {"degrade": down, "size": (SIDE, SIDE)}, luma),
    }
    rows = []
    for task, (observed, how, measure) in tasks.items():
        for seed in SEEDS:
            start, curve = time.process_time(), {}
            for state in prior.iterate(observed, settings, seed=seed, autocast=True, **how):
                if state.iteration == 1 or state.iteration % EVERY == 0:
                    curve[state.iteration] = (state.loss, measure(state.average.clamp(0, 1), truth))
                if state.iteration == ITERATIONS:
                    break
            facts = {"picture": "chelsea", "side": SIDE, "width": WIDTH, "collapses": state.collapses}
            facts |= {"cpu_seconds": round(time.process_time() - start)}
            facts |= {"machine": zoo.machine(), "date": datetime.date.today()}
            rows += [
                {"task": task, "seed": seed, "iteration": i, "loss": f"{loss:.8f}", "psnr": f"{decibels:.2f}"} | facts
                for i, (loss, decibels) in curve.items()
            ]
            write("prior-without-noise", rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
