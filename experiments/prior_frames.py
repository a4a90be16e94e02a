"""Lecture 9: a noisy photograph while the network is fitted to it, seen at four iterations, and its two errors.

Writes results/prior-frames.csv, every tenth iteration: mean squared error of the output against the observation and
against the truth, on the scale of [0, 1], and the same of the mean of the outputs; and results/prior-frame-N.png, the
outputs at the iterations `KEPT`. The first row is the start, and what `straight` draws begins there.
"""

import time

from prior_stopping import part

from imtrans import experiments, images
from imtrans.degrade import gaussian_noise
from imtrans.prior import iterate, settings

SIDE, WIDTH, SIGMA = 128, 64, 25
ITERATIONS = 2000
KEPT = (5, 50, 500, 2000)
EVERY = 10


def main() -> None:
    """Fit, keep, write."""
    truth = part("chelsea", (30, 12), SIDE)
    noisy = gaussian_noise(truth, SIGMA, seed=0)
    rows, start = [], time.process_time()
    narrow = settings.denoising(SIGMA).narrow(*(WIDTH,) * 5)
    for state in iterate(noisy, narrow, autocast=True):
        if state.iteration in KEPT:
            images.write(experiments.FOLDERS[-1] / f"prior-frame-{state.iteration}.png", state.output)
        if state.iteration == 1 or state.iteration % EVERY == 0:
            rows = [row for row in rows if row["iteration"] < state.iteration]  # after a collapse they come again
            errors = {
                f"{name}_to_{which}": f"{(picture - other).square().mean().item():.6f}"
                for name, picture in (("output", state.output), ("mean", state.average))
                for which, other in (("observation", noisy), ("truth", truth))
            }
            rows.append({"iteration": state.iteration, **errors, "collapses": state.collapses})
        if state.iteration == ITERATIONS:
            break
    facts = {"picture": "chelsea", "side": SIDE, "width": WIDTH, "sigma": SIGMA, "seed": 0}
    facts |= {"cpu_seconds": round(time.process_time() - start)}
    experiments.write("prior-frames", [row | facts for row in rows])


if __name__ == "__main__":
    main()
