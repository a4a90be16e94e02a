"""Lecture 9: what happens if the fit is continued where the observation has no noise: half of the pixels, and ×4.

Writes results/prior-without-noise.csv, every 20th iteration of each run: the loss, and PSNR of the mean of the outputs
on all pixels (half) or on luma without a border of 4 (×4).
"""

import time
from functools import partial

from prior_stopping import part
from prior_tasks import luma, whole

from imtrans import degrade, experiments, prior

SIDE, WIDTH = 64, 64
ITERATIONS = 1500
SEED = 0
EVERY = 20


def main() -> None:
    """Two tasks; written after each run."""
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
        start, curve = time.process_time(), {}
        for state in prior.iterate(observed, settings, seed=SEED, autocast=True, **how):
            if state.iteration == 1 or state.iteration % EVERY == 0:
                curve[state.iteration] = (state.loss, measure(state.average.clamp(0, 1), truth))
            if state.iteration == ITERATIONS:
                break
        facts = {"picture": "chelsea", "side": SIDE, "width": WIDTH, "seed": SEED, "collapses": state.collapses}
        facts |= {"cpu_seconds": round(time.process_time() - start)}
        rows += [
            {"task": task, "iteration": i, "loss": f"{loss:.8f}", "psnr": f"{decibels:.2f}"} | facts
            for i, (loss, decibels) in curve.items()
        ]
        experiments.write("prior-without-noise", rows)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
