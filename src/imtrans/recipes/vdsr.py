"""How VDSR is trained."""

from functools import partial

import torch
import torch.nn.functional as F

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.blocks import small_start
from imtrans.models.vdsr import VDSR
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, to_luma
from imtrans.training import Recipe, clip_by_rate, cosine, staircase


def vdsr(
    scales: tuple[int, ...] = (2, 3, 4), *, budget: str = "quick", data: Folders = None, depth: int = 20
) -> Recipe:
    """VDSR for several scales at once.

    ``paper`` is the authors': SGD at 0.1 with momentum and weight decay, θ/γ clipping, divided by ten every 20 of 80
    epochs, 9,960 steps of 64 patches; θ = 0.01, the paper does not publish it.

    Args:
        scales: Mixed in each batch.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own (T91 and BSD200 for full and paper).
        depth: Of the network.

    Raises:
        ValueError: On another budget.
    """
    check_budget(budget)
    found = material(() if budget in ("quick", "class") else ("T91", "BSD200"), data)
    pictures = to_luma(found.pictures)
    common = {
        "name": "vdsr",
        "data": lambda seed: SuperResolutionPairs(pictures, scales, 41, seed=seed),
        "budget": budget,
        "material": found.words,
    }
    if budget == "paper":
        return Recipe(
            model=partial(VDSR, scales=scales, depth=depth),
            loss=half_sum_of_squares,
            # PyTorch adds the weight decay after the clipping, as MatConvNet does.
            optimizers=lambda m: [torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)],
            steps=9_960,
            batch=64,
            schedule=staircase(0.1, 0.25, 0.5, 0.75),
            clip=clip_by_rate(0.01),
            optimizer="SGD 0.1, momentum 0.9, weight decay 1e-4, θ/γ clipping with θ = 0.01, ÷10 at each quarter",
            **common,
        )
    steps, batch = {"quick": (150, 16), "class": (10_000, 64), "full": (1_900, 16)}[budget]
    return Recipe(
        model=lambda: small_start(VDSR(scales=scales, depth=depth)),
        loss=F.l1_loss,
        optimizers=partial(muon_and_adam, lr=0.01),
        steps=steps,
        batch=batch,
        schedule=cosine(warmup=100),
        autocast=budget != "quick",
        validate_every=steps // 5,
        optimizer="Muon 0.01 for the hidden convolutions, Adam 1e-3 for the rest, cosine",
        **common,
    )
