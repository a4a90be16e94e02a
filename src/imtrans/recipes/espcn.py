"""How ESPCN is trained."""

from functools import partial

import torch
import torch.nn.functional as F

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.models.espcn import ESPCN
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, to_luma
from imtrans.training import Recipe, cosine, staircase


def espcn(scale: int = 3, *, budget: str = "quick", data: Folders = None, activation: str = "tanh") -> Recipe:
    """ESPCN at one scale.

    ``paper``: learning rate 0.01 down to 0.0001, the last layer ten times slower, MSE on patches of 17 low-resolution
    pixels. The paper lowers the rate when the cost stalls and names neither optimiser nor batch; here it is SGD with
    momentum, batch 64, and a staircase of a fixed length.

    Args:
        scale: 2, 3 or 4.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own.
        activation: tanh or relu.

    Raises:
        ValueError: On another budget.
    """
    check_budget(budget)
    sets = {"quick": (), "class": (), "full": ("T91", "BSD200"), "paper": ("T91",)}[budget]
    found = material(sets, data)
    pictures = to_luma(found.pictures)
    common = {
        "name": f"espcn-x{scale}",
        "model": partial(ESPCN, scale=scale, activation=activation),
        "data": lambda seed: SuperResolutionPairs(pictures, (scale,), 17, upsamples=True, seed=seed),
        "budget": budget,
        "material": found.words,
    }
    if budget == "paper":
        return Recipe(
            loss=F.mse_loss,
            optimizers=_last_layer_slower,
            steps=500_000,
            batch=64,
            schedule=staircase(0.1, 0.5, 0.8),
            optimizer="SGD 0.01, momentum 0.9, last layer 0.001, ÷10 at 50 % and 80 %",
            **common,
        )
    steps, batch = {"quick": (1_500, 32), "class": (60_000, 64), "full": (40_000, 32)}[budget]
    return Recipe(
        loss=F.l1_loss,
        optimizers=partial(muon_and_adam, lr=0.01, ends=True),
        steps=steps,
        batch=batch,
        schedule=cosine(warmup=100),
        validate_every=steps // 5,
        optimizer="Muon 0.01 for the convolutions, Adam 1e-3 for the biases, cosine",
        **common,
    )


def _last_layer_slower(model: ESPCN) -> list[torch.optim.Optimizer]:
    last = list(model.layers[-1].parameters())
    rest = [p for layer in model.layers[:-1] for p in layer.parameters()]
    return [torch.optim.SGD([{"params": rest}, {"params": last, "lr": 0.001}], lr=0.01, momentum=0.9)]
