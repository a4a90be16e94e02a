"""How EDSR is trained."""

from functools import partial

import torch
import torch.nn.functional as F

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.models.blocks import he_init, small_start
from imtrans.models.edsr import EDSR, ResidualBlock
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, to_rgb
from imtrans.training import Recipe, cosine, halving


def started(scale: int) -> EDSR:
    """The baseline with He's initialisation, the last convolution and the second of each block × 0.1."""
    model = EDSR.baseline(scale)
    he_init(model)
    with torch.no_grad():
        for block in model.modules():
            if isinstance(block, ResidualBlock):
                block.layers[-1].weight.mul_(0.1)
    return small_start(model)


def edsr_baseline(scale: int = 2, *, budget: str = "quick", data: Folders = None) -> Recipe:
    """The EDSR baseline: 16 blocks of 64 features.

    ``paper``: Adam 1e-4 halved every 200,000 of 300,000 steps (the ablation's length), 16 patches of 48². The paper's
    800 pictures of DIV2K may not be passed on: give their folder as ``data``.

    Args:
        scale: 2, 3 or 4.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own (T91, BSD200, BSD500_test for full and paper).

    Raises:
        ValueError: On another budget.
    """
    check_budget(budget)
    found = material(() if budget in ("quick", "class") else ("T91", "BSD200", "BSD500_test"), data)
    pictures = to_rgb(found.pictures)
    size = {"quick": 24, "class": 48, "full": 32, "paper": 48}[budget]
    common = {
        "name": f"edsr-baseline-x{scale}",
        "data": lambda seed: SuperResolutionPairs(pictures, (scale,), size, upsamples=True, seed=seed),
        "loss": F.l1_loss,
        "batch": 16,
        "budget": budget,
        "material": found.words,
    }
    if budget == "paper":
        return Recipe(
            model=partial(EDSR.baseline, scale),
            optimizers=lambda m: [torch.optim.Adam(m.parameters(), lr=1e-4)],
            steps=300_000,
            schedule=halving(200_000),
            optimizer="Adam 1e-4, halved after 200,000 steps",
            **common,
        )
    steps = {"quick": 60, "class": 12_000, "full": 3_600}[budget]
    return Recipe(
        model=partial(started, scale),
        optimizers=partial(muon_and_adam, lr=0.01, adam_lr=5e-4),
        steps=steps,
        schedule=cosine(warmup=100),
        autocast=budget != "quick",
        validate_every=steps // 5,
        optimizer="Muon 0.01 for the hidden convolutions, Adam 5e-4 for the rest, cosine",
        **common,
    )
