"""Training on two cores: what helps a small ESPCN and a deep network like VDSR, at equal CPU seconds.

Each setting trains for the same time, whose schedule ends in time, and is scored on held-out photographs. Writes its
rows into results/training-trials.csv and leaves the others. Needs T91, BSD200, BSD500_test and ImageNet1000_256. Each
setting and seed takes three quarters of a minute of CPU time, the deep network's twice that.

Run it with names of questions, or with ``deep``, to measure these alone.
"""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import experiments, suite
from imtrans.data.pairs import SuperResolutionPairs
from imtrans.recipes import espcn, vdsr
from imtrans.recipes.pictures import training_pictures
from imtrans.runs import initial_state
from imtrans.training import MuonAndAdam, Recipe, Samples, fit

SEEDS = (0, 1)
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
        deep: Twelve layers of 32 features, as VDSR has twenty of 64, in place of ESPCN; ``size`` counts pixels of the
            enlargement then.
        ema: Decay of a running average of the weights.
        harder: Whether each patch is the one of two that bicubic interpolation misses by more.
        loss: Function of (prediction, target) that returns a scalar.
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
    deep: bool = False
    ema: float | None = None
    harder: bool = False
    loss: Callable[[Tensor, Tensor], Tensor] = F.l1_loss

    @property
    def network(self) -> str:
        """Name of the network in the table."""
        return "vdsr, 12 layers of 32" if self.deep else f"espcn-x{self.scale}"

    @property
    def seconds(self) -> int:
        """CPU seconds of its training."""
        return 80 if self.deep else 40


TOGETHER = partial(Trial, "together", sets=(*BASE, "BSD500_test"), size=34, batch=8)
DEEP = partial(Trial, size=41, batch=16, deep=True)
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
    TOGETHER("8 patches of 34² from 480 pictures"),
    TOGETHER("4 patches of 34²", batch=4),
    TOGETHER("4 patches of 48²", batch=4, size=48),
    TOGETHER("rate 0.005", lr=0.005),
    TOGETHER("squared error", loss=F.mse_loss),
    DEEP("deep", "16 patches of 41², rate 0.01"),
    DEEP("deep", "rate 0.005", lr=0.005),
    DEEP("deep", "4 patches of 82²", size=82, batch=4),
    DEEP("deep", "64 patches", batch=64),
    DEEP("deep", "64 patches, rate doubled", batch=64, lr=0.02),
    DEEP("deep", "weight decay 0.1", decay=0.1),
    DEEP("deep", "running average of the weights, 0.99", ema=0.99),
    DEEP("deep", "the harder of two patches", harder=True),
)


@dataclass(frozen=True)
class Harder:
    """Samples whose every patch is the one of two that bicubic interpolation misses by more."""

    samples: Samples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pair = self.samples[2 * index], self.samples[2 * index + 1]
        return max(pair, key=lambda sample: float((sample[0] - sample[1]).square().mean()))


def recipe(trial: Trial, seed: int) -> Recipe:
    """The recipe of the network with the setting in it; the number of steps is still open."""
    pictures = training_pictures(trial.sets).luma()

    def data(seed: int) -> Samples:
        scales = (trial.scale,)
        pairs = SuperResolutionPairs(pictures.pictures, scales, trial.size, upsamples=not trial.deep, seed=seed)
        return Harder(pairs) if trial.harder else pairs

    base = vdsr.quick(scales=(trial.scale,), depth=12, features=32) if trial.deep else espcn.quick(trial.scale)
    return replace(
        base,
        data=data,
        loss=trial.loss,
        optimizer=MuonAndAdam(trial.lr, ends=not trial.deep, weight_decay=trial.decay),
        autocast=trial.deep,
        ema=trial.ema,
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
            network, _ = train(chosen, trial, round(trial.seconds / seconds))
            validate = suite.validator(suite.standard_degradations(network), size=256)
            values.append(validate(network)["psnr"])
        write(trial, values)
        print(trial.question, trial.setting, values, flush=True)


def write(trial: Trial, values: list[float]) -> None:
    """The row, in the place of an older one."""
    key = {"question": trial.question, "network": trial.network, "setting": trial.setting}
    row = key | {
        "length": f"{trial.seconds} CPU s",
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
