"""How the four networks of the DnCNN paper are trained."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.data.pairs import NoisePairs, RestorationPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.blocks import small_start
from imtrans.models.dncnn import DnCNN
from imtrans.muon import muon_and_adam
from imtrans.recipes.material import Folders, check_budget, material, to_luma, to_rgb
from imtrans.training import Recipe, Samples, clip_by_rate, cosine, exponential


def dncnn(sigma: float = 25, *, budget: str = "quick", data: Folders = None) -> Recipe:
    """DnCNN-S, for one noise level.

    ``paper``: SGD from 0.1 down to 1e-4 over 50 epochs of 1,600 steps, momentum and weight decay, 128 patches of 40²,
    and the clip of the authors' code, without which 0.1 explodes in three steps.
    ``full`` is shorter for levels other than 25: it is meant to go on from dncnn-25.

    Args:
        sigma: Noise level in 8-bit levels.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own (Train400 for full and paper).

    Raises:
        ValueError: On another budget.
    """
    return _recipe(
        f"dncnn-{sigma:g}",
        DnCNN,
        lambda pictures, size, seed: NoisePairs(pictures, size, (sigma, sigma), seed=seed),
        budget,
        patch=40,
        sets=("Train400",),
        folders=data,
        full_steps=2_800 if sigma == 25 else 1_500,
        paper_steps=80_000,
    )


def dncnn_blind(channels: int = 1, *, budget: str = "quick", data: Folders = None) -> Recipe:
    """DnCNN-B, and CDnCNN-B for three channels: a noise level between 0 and 55 for each patch (section 3.4).

    ``paper``: as for `dncnn`, 50 epochs of 3,000 steps, 128 patches of 50². ``full`` is short: for gray it is meant to
    go on from dncnn-25 with three layers more, and from itself once again; RGB starts at random.

    Args:
        channels: 1 for gray, 3 for RGB.
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own: for gray Train400; for RGB BSD200 and BSD500_test,
            plus T91 for ``full`` (the paper's are 432 colour pictures of BSD).

    Raises:
        ValueError: On another budget.
    """
    build = partial(DnCNN, channels, depth=20)
    colors = ("BSD200", "BSD500_test") if budget == "paper" else ("T91", "BSD200", "BSD500_test")
    return _recipe(
        "dncnn-blind" if channels == 1 else "cdncnn-blind",
        (lambda: small_start(build())) if channels == 3 and budget == "full" else build,
        lambda pictures, size, seed: NoisePairs(pictures, size, (0, 55), seed=seed),
        budget,
        patch=50,
        sets=("Train400",) if channels == 1 else colors,
        folders=data,
        channels=channels,
        full_steps=2_400 if channels == 1 else 3_400,
        paper_steps=150_000,
    )


def dncnn_3(*, budget: str = "quick", data: Folders = None) -> Recipe:
    """DnCNN-3: one network for noise up to 55, low resolution ×2 ×3 ×4 and JPEG of quality 5 to 99 (section 3.4).

    ``paper``: as for `dncnn`, 50 epochs of 8,000 steps, 128 patches of 50². ``full`` is short: it is meant to go on
    from vdsr, which is DnCNN-3 with its batch normalisation merged, trained for one of the three tasks. So it trains
    the merged network; and the absolute error, for a sum of squares is nearly all noise at σ = 50.

    Args:
        budget: quick, class, full or paper.
        data: Folders of pictures in place of the budget's own (T91 and BSD200 for full and paper).

    Raises:
        ValueError: On another budget.
    """
    recipe = _recipe(
        "dncnn-3",
        DnCNN.for_three_tasks,
        lambda pictures, size, seed: RestorationPairs(pictures, size, seed=seed),
        budget,
        patch=50,
        sets=("T91", "BSD200"),
        folders=data,
        full_steps=3_800,
        paper_steps=400_000,
    )
    if budget != "full":
        return recipe
    return replace(
        recipe,
        model=lambda: small_start(DnCNN.for_three_tasks(batch_norm=False)),
        loss=F.l1_loss,
        optimizers=partial(muon_and_adam, lr=0.01),
        optimizer="Muon 0.01 for the hidden convolutions, Adam 1e-3 for the rest, cosine; batch normalisation merged",
    )


def _recipe(
    name: str,
    model: Callable[[], DnCNN],
    samples: Callable[[list[Tensor], int, int], Samples],
    budget: str,
    *,
    patch: int,
    sets: tuple[str, ...],
    folders: Folders,
    full_steps: int,
    paper_steps: int,
    channels: int = 1,
) -> Recipe:
    """What the four share: loss, optimisers, lengths."""
    check_budget(budget)
    found = material(() if budget in ("quick", "class") else sets, folders)
    pictures = to_luma(found.pictures) if channels == 1 else to_rgb(found.pictures)
    # 64² in place of the paper's 40² and 50²: fewer of the pixels see the zeros beyond a patch's edge.
    size = 64 if budget == "full" else patch
    common: dict[str, Any] = {
        "name": name,
        "model": model,
        "data": lambda seed: samples(pictures, size, seed),
        "loss": half_sum_of_squares,
        "budget": budget,
        "material": found.words,
        "workers": 2 if budget in ("class", "paper") else 0,  # else a GPU would wait for samples
    }
    if budget == "paper":
        return Recipe(
            optimizers=lambda m: [torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)],
            steps=paper_steps,
            batch=128,
            schedule=exponential(1e-3),
            # Departure: the paper has no word of a clip, and the code's is off by default; the value is the code's.
            clip=clip_by_rate(0.005),
            optimizer="SGD 0.1 falling exponentially to 1e-4, momentum 0.9, weight decay 1e-4, clipped by rate",
            **common,
        )
    steps, batch = {"quick": (60, 32), "class": (8_000, 128), "full": (full_steps, 12)}[budget]
    return Recipe(
        optimizers=partial(muon_and_adam, lr=0.02),
        steps=steps,
        batch=batch,
        schedule=cosine(warmup=100),
        autocast=budget != "quick",
        validate_every=steps // 5,
        optimizer="Muon 0.02 for the hidden convolutions, Adam 1e-3 for the rest, cosine",
        **common,
    )
