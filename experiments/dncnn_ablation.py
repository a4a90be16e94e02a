"""Lecture 7: residual × batch normalisation under SGD and under Adam, the paper's Fig. 2 in small (needs Train400).

Eight trainings of one length on the same patches: 10 layers of 32 features in place of 17 of 64, 16 patches a step in
place of 128, 400 steps in place of 80,000. All else is the paper's or its code's, but for one thing, the rate of SGD.

- SGD has momentum 0.9 and weight decay 1e-4, and its rate falls exponentially to a thousandth. The paper starts at 0.1,
  and its loss is a sum over the pixels of a patch: on that scale 0.1 makes all four networks explode in three steps.
  Their code has a clip, off by default, which is on here: each element of a gradient to ±θ/γ, θ = 0.005, γ the rate. It
  saves 0.1 for the residual network with normalisation and for no other. So each network gets its own rate: the power
  of ten with the smallest loss after forty steps. The column ``rate`` says which.
- Adam is at 1e-3, after three fifths of the training at 1e-4, as in the code.
- Weights start at N(0, 2/(9·features)), the factors γ of batch normalisation too, none below 0.025 in size (code).

Writes results/dncnn-ablation.csv: PSNR at σ = 25 on the validation pictures (protocol gray), every 40 steps, and the
processor's seconds of each training. Twelve minutes of one core.
"""

import csv
import datetime
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn

from imtrans import zoo
from imtrans.data.pairs import NoisePairs
from imtrans.degrade import GaussianNoise
from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.recipes.pictures import training_pictures
from imtrans.suite import validator
from imtrans.training import SGD, Adam, Recipe, clip_by_rate, constant, exponential, fit, staircase

DEPTH, FEATURES = 10, 32
STEPS, EVERY = 400, 40
RATES, TRIAL = (1e-1, 1e-2, 1e-3, 1e-4), 40
SIGMA = 25


def network(residual: bool, batch_norm: bool) -> DnCNN:
    """A small DnCNN that starts as the authors' code does."""
    model = DnCNN(depth=DEPTH, features=FEATURES, residual=residual, batch_norm=batch_norm)
    std = math.sqrt(2 / (9 * FEATURES))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
        elif isinstance(layer, nn.BatchNorm2d):
            gamma = std * torch.randn(FEATURES)
            layer.weight.data = torch.where(gamma < 0, -1.0, 1.0) * gamma.abs().clamp(min=0.025)
    return model


def adam(recipe: Recipe) -> tuple[float, Recipe]:
    """The rate, and the recipe with Adam."""
    return 1e-3, replace(recipe, optimizer=Adam(1e-3), schedule=staircase(0.1, at=(0.6,)))


def sgd(recipe: Recipe) -> tuple[float, Recipe]:
    """The rate that this network can bear, and the recipe with SGD at that rate."""

    def at(rate: float) -> Recipe:
        optimizer = SGD(rate, momentum=0.9, weight_decay=1e-4)
        return replace(recipe, optimizer=optimizer, schedule=exponential(1e-3), clip=clip_by_rate(0.005))

    def loss_after_a_trial(rate: float) -> float:
        trial = replace(at(rate), steps=TRIAL, schedule=constant)
        try:
            return fmean(entry["loss"] for entry in fit(trial, device="cpu").log[-10:])
        except FloatingPointError:
            return math.inf

    rate = min(RATES, key=loss_after_a_trial)
    return rate, at(rate)


def curve(recipe: Recipe, how: Callable[[Recipe], tuple[float, Recipe]], validate: Callable) -> tuple[float, list, int]:
    """The rate, (step, PSNR) along the training, and the processor's seconds of all of it."""
    started = time.process_time()
    rate, recipe = how(recipe)
    run = fit(recipe, validate=validate, device="cpu")
    points = [(entry["step"], entry["psnr"]) for entry in run.log if "psnr" in entry]
    return rate, points, round(time.process_time() - started)


def samples(pictures: list[Tensor], seed: int) -> NoisePairs:
    """Patches of 40×40."""
    return NoisePairs(pictures, 40, (SIGMA, SIGMA), seed=seed)


def main() -> None:
    """Train the eight, write their curves."""
    pictures = training_pictures(("Train400",)).luma().pictures
    validate = validator([GaussianNoise(SIGMA)], size=128)
    path = Path(__file__).parents[1] / "results" / "dncnn-ablation.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = ["optimizer", "residual", "batch_norm", "rate", "step", "psnr", "cpu_seconds"]
        writer.writerow([*columns, "protocol", "machine", "date"])
        for optimizer, how in (("SGD", sgd), ("Adam", adam)):
            for residual, batch_norm in ((True, True), (True, False), (False, True), (False, False)):
                recipe = Recipe(
                    name=f"{optimizer}-{residual:d}-{batch_norm:d}",
                    model=partial(network, residual, batch_norm),
                    data=partial(samples, pictures),
                    loss=half_sum_of_squares,
                    optimizer=Adam(),  # ``how`` chooses it
                    schedule=constant,
                    steps=STEPS,
                    batch=16,
                    validate_every=EVERY,
                )
                rate, points, seconds = curve(recipe, how, validate)
                for step, psnr in points:
                    row = [optimizer, int(residual), int(batch_norm), rate, step, f"{psnr:.2f}", seconds]
                    writer.writerow([*row, "gray", zoo.machine(), datetime.date.today()])
                file.flush()
    print(path.read_text())


if __name__ == "__main__":
    main()
