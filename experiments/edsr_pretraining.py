"""Lecture 8: the ×4 baseline from scratch and from trained ×2 weights, the paper's figure in small.

The first steps of two trainings that differ in their start alone: PyTorch's, or the shipped edsr-baseline-x2 with a new
enlargement at its end. Adam at the paper's rate, 4 patches of 24² per step, from the bundled photographs.

Writes results/edsr-pretraining.csv: PSNR on the held-out pictures (protocol rgb-y) on the way.
"""

from functools import partial

import torch
import torch.nn.functional as F

from imtrans import experiments, zoo
from imtrans.data.pairs import SuperResolutionPairs
from imtrans.degrade import Downscale
from imtrans.models.blocks import start_from
from imtrans.models.edsr import EDSR
from imtrans.recipes.pictures import training_pictures
from imtrans.suite import validator
from imtrans.training import Adam, Recipe, constant, fit

STEPS, EVERY = 120, 20


def main() -> None:
    """Train, write."""
    pictures = training_pictures().rgb()
    recipe = Recipe(
        name="edsr-baseline-x4",
        model=partial(EDSR.baseline, 4),
        data=lambda seed: SuperResolutionPairs(pictures.pictures, (4,), 24, upsamples=True, seed=seed),
        loss=F.l1_loss,
        optimizer=Adam(1e-4),
        schedule=constant,
        steps=STEPS,
        batch=4,
        validate_every=EVERY,
    )
    torch.manual_seed(0)
    model = EDSR.baseline(4)
    start_from(model, zoo.load("edsr-baseline-x2"))
    validate, rows = validator([Downscale(4)], size=96), []
    for start, initial in (("scratch", None), ("×2", model.state_dict())):
        run = fit(recipe, initial=initial, validate=validate, progress=False)
        rows += [
            {"start": start, "step": entry["step"], "psnr": f"{entry['psnr']:.2f}", "seconds": round(run.seconds)}
            for entry in run.log
            if "psnr" in entry
        ]
    experiments.write("edsr-pretraining", rows)


if __name__ == "__main__":
    main()
