"""How DnCNN is trained."""

from functools import partial

import torch

from imtrans.data.pairs import NoisePairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, to_luma
from imtrans.training import Recipe, cosine, exponential


def dncnn(sigma: float = 25, *, budget: str = "quick", data: Folders = None) -> Recipe:
    """DnCNN-S, for one noise level.

    ``paper``: SGD from 0.1 down to 1e-4 over 50 epochs of 1,600 steps, momentum and weight decay, 128 patches of 40².

    Args:
        sigma: Noise level in 8-bit levels.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own (Train400 for full and paper).

    Raises:
        ValueError: On another budget.
    """
    check_budget(budget)
    found = material(() if budget in ("quick", "class") else ("Train400",), data)
    pictures = to_luma(found.pictures)
    common = {
        "name": f"dncnn-{sigma:g}",
        "model": DnCNN,
        "data": lambda seed: NoisePairs(pictures, 40, (sigma, sigma), seed=seed),
        "loss": half_sum_of_squares,
        "budget": budget,
        "material": found.words,
    }
    if budget == "paper":
        return Recipe(
            optimizers=lambda m: [torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)],
            steps=80_000,
            batch=128,
            schedule=exponential(1e-3),
            optimizer="SGD 0.1 falling exponentially to 1e-4, momentum 0.9, weight decay 1e-4",
            **common,
        )
    steps, batch = {"quick": (60, 32), "class": (8_000, 128), "full": (2_800, 32)}[budget]
    return Recipe(
        optimizers=partial(muon_and_adam, lr=0.02),
        steps=steps,
        batch=batch,
        schedule=cosine(warmup=steps // 10 if budget == "quick" else 100),
        autocast=budget != "quick",
        validate_every=steps // 5,
        optimizer="Muon 0.02 for the hidden convolutions, Adam 1e-3 for the rest, cosine",
        **common,
    )
