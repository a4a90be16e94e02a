"""One training loop for all networks of the course.

    run = fit(recipes.srcnn.quick(scale=3))
    run.model  # the trained network, ready for inference

It runs as it is on a CPU, on a GPU, and under ``torchrun`` on many of them (Accelerate). A run is exactly reproducible
from (recipe, seed, machine), and one that was killed and resumed ends with the very same weights; on a GPU, which makes
its samples itself, both hold but for the order of sums.
"""

from imtrans.training.clipping import clip_by_rate
from imtrans.training.loop import Batches, fit
from imtrans.training.optimizers import SGD, Adam, MuonAndAdam, Optimizer
from imtrans.training.recipe import Recipe, Run, Samples
from imtrans.training.schedules import Schedule, constant, cosine, exponential, halving, scaled, staircase

__all__ = [
    "SGD",
    "Adam",
    "Batches",
    "MuonAndAdam",
    "Optimizer",
    "Recipe",
    "Run",
    "Samples",
    "Schedule",
    "clip_by_rate",
    "constant",
    "cosine",
    "exponential",
    "fit",
    "halving",
    "scaled",
    "staircase",
]
