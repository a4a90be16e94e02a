"""Lecture 8: L1 or L2, batch normalisation or not, at equal steps, equal time and equal memory, in small.

Networks of 32 features at ×2, from three seeds. The plain network has 4 blocks and the loss L1; each other one differs
in one thing: the loss L2; batch normalisation in the blocks; as many steps as batch normalisation has time for; as many
blocks as fit into its memory.

Writes results/edsr-ablation.csv: PSNR on the held-out pictures (protocol rgb-y). results/edsr-memory.csv: what one
training step of the baseline (16 blocks of 64 features, 16 patches of 48²) keeps for the backward pass, and its time.
"""

from dataclasses import replace
from functools import partial
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import experiments
from imtrans.data.pairs import SuperResolutionPairs
from imtrans.degrade import Downscale
from imtrans.models.edsr import EDSR
from imtrans.recipes.pictures import training_pictures
from imtrans.suite import validator
from imtrans.training import Adam, Recipe, cosine, fit

SEEDS = (0, 1, 2)
STEPS = 200
small = partial(EDSR, 2, features=32, residual_scale=1.0)


def kept_bytes(model: nn.Module, low_res: torch.Tensor) -> int:
    """Bytes that the forward pass keeps for the backward pass, each piece of memory once, without the weights."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(low_res)
    del output
    return sum(storages.values())


def training_step(model: nn.Module, low_res: torch.Tensor) -> None:
    """Forward and backward pass."""
    model(low_res).mean().backward()
    model.zero_grad(set_to_none=True)


def memory() -> list[dict]:
    """The paper's baseline with and without batch normalisation, and plain with as much memory."""
    patch, batch = torch.rand(1, 3, 48, 48), 16  # memory and time go with the number of patches
    plain = partial(EDSR, 2, features=64, residual_scale=1.0)
    networks = {"batch norm": plain(blocks=16, batch_norm=True), "plain": plain(blocks=16)}
    room, blocks = kept_bytes(networks["batch norm"], patch), 16
    while kept_bytes(plain(blocks=blocks + 1), patch) <= room:
        blocks += 1
    networks["plain, same memory"] = plain(blocks=blocks)
    kept = {name: batch * kept_bytes(model, patch) for name, model in networks.items()}
    seconds = experiments.best_times([partial(training_step, model, patch) for model in networks.values()], rounds=8)
    return [
        {
            "network": name,
            "blocks": len(networks[name].body) - 1,
            "mib": round(kept[name] / 2**20),
            "percent_of_memory": round(100 * kept[name] / kept["batch norm"]),
            "percent_of_time": round(100 * time / seconds[1]),
        }
        for name, time in zip(networks, seconds, strict=True)
    ]


def recipe(name: str, steps: int = STEPS, loss=F.l1_loss, **options) -> Recipe:
    """A short training on the bundled photographs, where all variants but one thing are alike."""
    pictures = training_pictures().rgb()
    return Recipe(
        name=name,
        model=partial(small, **{"blocks": 4} | options),
        data=lambda seed: SuperResolutionPairs(pictures.pictures, (2,), 24, upsamples=True, seed=seed),
        loss=loss,
        optimizer=Adam(1e-3),
        schedule=cosine(warmup=20),
        steps=steps,
        batch=8,
    )


def variants() -> list[Recipe]:
    """The plain network, and those that differ from it in one thing."""
    low_res = torch.rand(8, 3, 24, 24)
    plain, normalised = (small(blocks=4, batch_norm=b) for b in (False, True))
    fast, slow = experiments.best_times([partial(training_step, m, low_res) for m in (plain, normalised)], rounds=40)
    blocks, room = 4, kept_bytes(normalised, low_res)
    while kept_bytes(small(blocks=blocks + 1), low_res) <= room:
        blocks += 1
    return [
        recipe("plain"),
        recipe("L2", loss=F.mse_loss),
        recipe("batch norm", batch_norm=True),
        recipe("plain, same time", steps=round(STEPS * slow / fast)),
        recipe("plain, same memory", blocks=blocks),
    ]


def train(recipes: list[Recipe], seed: int) -> list[dict]:
    """One row per variant."""
    validate, rows = validator([Downscale(2)]), []
    for each in recipes:
        run = fit(replace(each, seed=seed), validate=validate, progress=False)
        about = {"network": each.name, "blocks": len(run.model.body) - 1, "steps": each.steps, "seed": seed}
        rows.append(about | {"psnr": f"{run.log[-1]['psnr']:.2f}"})
    return rows


def main() -> None:
    """Measure, train, write."""
    experiments.write("edsr-memory", memory())
    recipes = variants()
    rows = [row for seed in SEEDS for row in train(recipes, seed)]
    each = [recipe.name for recipe in recipes]
    mean = {name: fmean(float(row["psnr"]) for row in rows if row["network"] == name) for name in each}
    summary = [row | {"seed": "mean", "psnr": f"{mean[row['network']]:.2f}"} for row in rows[: len(each)]]
    experiments.write("edsr-ablation", rows + summary)


if __name__ == "__main__":
    main()
