"""Training on two cores: what helps a small ESPCN, at equal CPU seconds.

Each setting trains for the same time, whose schedule ends in time, and is scored on held-out photographs. Writes its
rows into results/training-trials.csv and leaves the others. Needs T91, BSD200, BSD500_test and ImageNet1000_256. Each
setting and seed takes three quarters of a minute of CPU time.

Run it with names of questions to measure these alone.
"""

import csv
import sys
import time
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from imtrans import experiments, suite
from imtrans.data.pairs import SuperResolutionPairs
from imtrans.recipes import espcn
from imtrans.recipes.pictures import training_pictures
from imtrans.runs import initial_state
from imtrans.training import MuonAndAdam, Recipe, fit

SECONDS, SEEDS = 40, (0, 1)
BASE = ("T91", "BSD200")


@dataclass(frozen=True)
class Trial:
    """One setting.

    Attributes:
        question: Word for the question that it answers.
        setting: Words of the table.
        scale: Upscaling factor.
        sets: Training pictures.
        size: Side of the low-resolution patches.
        batch: Patches per step.
        lr: Rate of Muon.
        decay: Weight decay of Muon.
        start: Name of trained weights to start from.
    """

    question: str
    setting: str
    scale: int = 3
    sets: tuple[str, ...] = BASE
    size: int = 17
    batch: int = 32
    lr: float = 0.01
    decay: float = 0.0
    start: str | None = None


TRIALS = (
    Trial("pictures", "T91 and BSD200"),
    Trial("pictures", "and 190 pictures of BSD500_test", sets=(*BASE, "BSD500_test")),
    Trial("pictures", "and 800 pictures of ImageNet1000_256", sets=(*BASE, "ImageNet1000_256")),
    Trial("batch", "16 patches", batch=16),
    Trial("batch", "128 patches", batch=128),
    Trial("batch", "128 patches, rate doubled", batch=128, lr=0.02),
    Trial("patch", "8 patches of 34² in place of 32 of 17²", size=34, batch=8),
    Trial("weight decay", "0.1", decay=0.1),
    Trial("weight decay", "1", decay=1.0),
    Trial("from another scale", "×4 from scratch", scale=4),
    Trial("from another scale", "×4 from ×3", scale=4, start="espcn-x3"),
)


def recipe(trial: Trial, seed: int) -> Recipe:
    """The recipe of ESPCN with the setting in it; the number of steps is still open."""
    pictures = training_pictures(trial.sets).luma()
    return replace(
        espcn.quick(trial.scale),
        data=lambda seed: SuperResolutionPairs(
            pictures.pictures, (trial.scale,), trial.size, upsamples=True, seed=seed
        ),
        optimizer=MuonAndAdam(trial.lr, ends=True, weight_decay=trial.decay),
        batch=trial.batch,
        seed=seed,
    )


def train(recipe: Recipe, trial: Trial, steps: int) -> tuple[torch.nn.Module, float]:
    """The network after ``steps``, and CPU seconds per step, the first tenth left out."""
    began: list[float] = []

    def start(step: int, loss: float) -> None:
        if step == steps // 10:
            began.append(time.process_time())

    initial = initial_state(recipe, trial.start)[0] if trial.start else None
    recipe = replace(recipe, steps=steps, validate_every=steps)
    run = fit(recipe, initial=initial, on_step=start, progress=False, device="cpu")
    return run.model, (time.process_time() - began[0]) / (steps - steps // 10)


def main(questions: list[str]) -> None:
    """Measure, write each row when it is there."""
    for trial in TRIALS:
        if questions and trial.question not in questions:
            continue
        values = []
        for seed in SEEDS:
            chosen = recipe(trial, seed)
            _, seconds = train(chosen, trial, 200)
            network, _ = train(chosen, trial, round(SECONDS / seconds))
            validate = suite.validator(suite.standard_degradations(network), size=256)
            values.append(validate(network)["psnr"])
        write(trial, values)
        print(trial.question, trial.setting, values, flush=True)


def write(trial: Trial, values: list[float]) -> None:
    """The row, in the place of an older one."""
    key = {"question": trial.question, "network": f"espcn-x{trial.scale}", "setting": trial.setting}
    row = key | {
        "length": f"{SECONDS} CPU s",
        "measure": f"held out ×{trial.scale}",
        "value": f"{fmean(values):.3f}",
        "range": f"{max(values) - min(values):.2f}",
        "seeds": len(values),
    }
    with (experiments.FOLDERS[-1] / "training-trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))  # as text: a number read and written again would lose its last zeros
    others = [old for old in rows if any(old[name] != key[name] for name in key)]
    experiments.write("training-trials", [*(old | {"range": old.get("range", "")} for old in others), row])


if __name__ == "__main__":
    main(sys.argv[1:])
