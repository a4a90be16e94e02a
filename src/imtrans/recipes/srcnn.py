"""How SRCNN is trained."""

from fractions import Fraction
from functools import partial

import torch

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.srcnn import SRCNN, paper_init
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, shrunk, to_luma
from imtrans.training import Recipe, constant, cosine

PATCH = 33  # f_sub in the paper
SMALLER = tuple(Fraction(k, 10) for k in (10, 9, 8, 7, 6))


def srcnn(
    scale: int = 3,
    *,
    budget: str = "quick",
    data: Folders = None,
    n1: int = 64,
    n2: int = 32,
    f2: int = 1,
    sets: tuple[str, ...] = ("T91",),
    name: str | None = None,
) -> Recipe:
    """SRCNN at one scale.

    ``quick`` trains on the bundled photographs; ``full`` and ``paper`` on the 91 images (or ``sets``). ``paper`` is the
    authors' Caffe solver: SGD with momentum, 1e-4, the last layer and all biases ten times slower, 15 million steps.

    Args:
        scale: 2, 3 or 4.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own.
        n1: Filters of the first layer.
        n2: Filters of the second.
        f2: Kernel of the second layer.
        sets: The training sets of full and paper.
        name: Of the weights.

    Raises:
        ValueError: On another budget.
    """
    check_budget(budget)
    network = partial(SRCNN, n1=n1, n2=n2, f2=f2)
    train = partial(network, padding="valid")
    margin = network().margin
    found = material(() if budget in ("quick", "class") else sets, data)
    pictures = to_luma(found.pictures)
    common = {
        "name": name or f"srcnn-x{scale}",
        "in_use": network,
        "loss": half_sum_of_squares,
        "budget": budget,
        "material": found.words,
    }

    def pairs(pictures, seed):
        return SuperResolutionPairs(pictures, (scale,), PATCH, margin=margin, seed=seed)

    if budget == "paper":
        return Recipe(
            model=lambda: paper_init(train()),
            data=partial(pairs, pictures),
            optimizers=_caffe,
            steps=15_000_000,
            batch=128,
            schedule=constant,
            optimizer="SGD 1e-4, momentum 0.9; last layer and biases 1e-5",
            **common,
        )
    steps, batch = {"quick": (1_500, 16), "class": (30_000, 64), "full": (8_000, 32)}[budget]
    steps = steps // 2 if f2 > 1 else steps  # five times the work a step
    return Recipe(
        model=train,
        data=partial(pairs, pictures if budget == "quick" else shrunk(pictures, SMALLER)),
        optimizers=partial(muon_and_adam, lr=0.01, ends=True),
        steps=steps,
        batch=batch,
        schedule=cosine(warmup=100),
        autocast=budget != "quick" and f2 > 1,  # below that the layers are too small to gain by it
        validate_every=steps // 10,
        optimizer="Muon 0.01 for the convolutions, Adam 1e-3 for the biases, cosine",
        **common,
    )


def _caffe(model: SRCNN) -> list[torch.optim.Optimizer]:
    fast = [model.patch_extraction.weight, model.mapping.weight]
    slow = [p for p in model.parameters() if not any(p is q for q in fast)]
    return [torch.optim.SGD([{"params": fast, "lr": 1e-4}, {"params": slow, "lr": 1e-5}], lr=1e-4, momentum=0.9)]
