"""Lecture 9: a network has a harder time fitting noise. Four targets, the paper's width.

Writes results/prior-curves.csv: the mean squared error at every fifth iteration.
"""

import time
from dataclasses import replace

import torch
from prior_stopping import part
from torch import Tensor

from imtrans import experiments
from imtrans.degrade import gaussian_noise
from imtrans.prior import iterate, settings

SIDE = 64
SIGMA = 25
ITERATIONS = 250
EVERY = 5


def targets(picture: Tensor) -> dict[str, Tensor]:
    """What the network is to fit: a picture, the picture under noise, its pixels in disorder, noise alone."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(picture[0, 0].numel(), generator=generator)
    return {
        "picture": picture,
        "picture + noise": gaussian_noise(picture, SIGMA, seed=0),
        "shuffled": picture.flatten(2)[..., order].reshape(picture.shape),
        "noise": torch.rand(picture.shape, generator=generator),
    }


def main() -> None:
    """Fit each, write."""
    # Nothing is added to z: what resists here is the network alone.
    bare = replace(settings.denoising(), input_noise=0)
    rows = []
    for name, target in targets(part("astronaut", (22, 2), SIDE, 0.25)).items():
        start, losses = time.process_time(), []
        for state in iterate(target, bare, autocast=True):
            del losses[state.iteration - 1 :]
            losses.append(state.loss)
            if state.iteration >= ITERATIONS:
                break
        facts = {"side": SIDE, "width": 128, "cpu_seconds": round(time.process_time() - start)}
        shown = [(i, loss) for i, loss in enumerate(losses, 1) if i == 1 or i % EVERY == 0]
        rows += [{"target": name, "iteration": i, "loss": f"{loss:.6f}"} | facts for i, loss in shown]
        experiments.write("prior-curves", rows)
        print(name, losses[-1], facts, flush=True)


if __name__ == "__main__":
    main()
