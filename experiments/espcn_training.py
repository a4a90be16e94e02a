"""Lecture 6: tanh against ReLU, and ICNR's start against PyTorch's, by one short recipe and three seeds.

Writes results/espcn-training.csv: PSNR on held-out photographs over the steps, and the share of the output's variance
that is one pattern in all blocks. Needs neither data nor network; about two minutes on one core.
"""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from imtrans import experiments, images, metrics
from imtrans.data import photos
from imtrans.degrade import bicubic_down
from imtrans.models.espcn import ESPCN
from imtrans.recipes import espcn
from imtrans.recipes.starts import icnr
from imtrans.training import fit

SCALE, STEPS, SEEDS = 3, 1_200, 3
AT = (50, 100, 200, 400, 800, 1_200)
VARIANTS = {
    "tanh": partial(ESPCN, SCALE),
    "relu": partial(ESPCN, SCALE, activation="relu"),
    "icnr": lambda: icnr(ESPCN(SCALE)),
}


def held_out() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Low resolution and luma of the photographs that no training sees."""
    pairs = []
    for photo in photos.photos("validation", gray=True) + photos.photos("test", gray=True):
        clean = metrics.luma(images.modcrop(photo.picture, SCALE), rounded=True)
        pairs.append((bicubic_down(clean, SCALE), clean))
    return pairs


def scores(model: torch.nn.Module, pairs: list) -> dict[str, float]:
    """Mean PSNR, and the mean share of the fixed pattern in percent."""
    found = []
    with torch.inference_mode():
        for low_res, clean in pairs:
            large = model(low_res)
            pattern = F.pixel_unshuffle(large, SCALE).mean(dim=(-2, -1))  # of one block: its deviation from its mean
            share = pattern.var(correction=0) / large.var(correction=0)
            found.append((metrics.psnr(large.clamp(0, 1), clean, border=SCALE).item(), 100 * share.item()))
    psnr, pattern = torch.tensor(found).mean(dim=0).tolist()
    return {"psnr": psnr, "pattern": pattern}


def main() -> None:
    """Train, measure, write."""
    pairs, rows = held_out(), []
    quick = espcn.quick(SCALE)
    for seed in range(SEEDS):
        for name, build in VARIANTS.items():
            recipe = replace(quick, model=build, steps=STEPS, seed=seed, validate_every=50)
            run = fit(recipe, validate=partial(scores, pairs=pairs), progress=False, device="cpu")
            for entry in run.log:
                if entry["step"] in AT and "psnr" in entry:
                    row = {"variant": name, "seed": seed, "step": entry["step"], "psnr": f"{entry['psnr']:.3f}"}
                    rows.append(row | {"pattern": f"{entry['pattern']:.5f}"})
    for name in VARIANTS:  # the mean over the seeds, and their range, at the end
        last = [float(row["psnr"]) for row in rows if row["variant"] == name and row["step"] == STEPS]
        mean = {"variant": name, "seed": "mean", "step": STEPS, "psnr": f"{sum(last) / SEEDS:.2f}", "pattern": ""}
        rows += [mean, mean | {"seed": "range", "psnr": f"{max(last) - min(last):.2f}"}]
    experiments.write("espcn-training", rows)


if __name__ == "__main__":
    main()
