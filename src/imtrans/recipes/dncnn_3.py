"""How DnCNN-3 is trained: one network for noise, low resolution and JPEG (section 3.4)."""

from collections.abc import Callable
from dataclasses import replace

import torch.nn.functional as F

from imtrans.data.pairs import RestorationPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, TrainingSet, training_pictures
from imtrans.recipes.starts import shrink_last_convolution
from imtrans.training import SGD, MuonAndAdam, Recipe, Samples, clip_by_rate, cosine, exponential


def patches(pictures: TrainingSet, size: int) -> Callable[[int], Samples]:
    """Pairs of size² pixels: noise of σ up to 55, low resolution ×2 ×3 ×4, or JPEG of quality 5 to 99."""
    return lambda seed: RestorationPairs(pictures.pictures, size, seed=seed)


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).luma()
    return Recipe(
        name="dncnn-3",
        budget="quick",
        model=DnCNN.for_three_tasks,
        data=patches(pictures, 50),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=100),
        steps=60,
        batch=32,
        validate_every=12,
    )


def classroom(*, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    return replace(
        quick(data=data),
        budget="class",
        steps=8_000,
        batch=128,
        validate_every=1_600,
        autocast=True,
        workers=2,  # otherwise a GPU waits for samples
    )


def full(*, data: Folders = None) -> Recipe:
    """Our best schedule, short: it is meant to start from vdsr.

    VDSR is DnCNN-3 with its batch normalisation merged, trained for one of the three tasks. So this trains the merged
    network.

    Args:
        data: Folders of pictures in place of T91 and BSD200.
    """
    pictures = training_pictures(("T91", "BSD200"), data).luma()
    return Recipe(
        name="dncnn-3",
        budget="full",
        version=2,
        model=lambda: shrink_last_convolution(DnCNN.for_three_tasks(batch_norm=False)),
        data=patches(pictures, 64),  # 64² in place of 50²: fewer pixels see the zeros beyond a patch's edge
        sources=pictures.sources,
        loss=F.l1_loss,  # a sum of squares is nearly all noise at σ = 50
        optimizer=MuonAndAdam(0.01),
        schedule=cosine(warmup=100),
        steps=3_800,
        batch=12,
        validate_every=760,
        autocast=True,
    )


def paper(*, data: Folders = None) -> Recipe:
    """The paper's solver: 50 epochs of 8,000 steps.

    Args:
        data: Folders of pictures in place of T91 and BSD200.
    """
    pictures = training_pictures(("T91", "BSD200"), data).luma()
    return Recipe(
        name="dncnn-3",
        budget="paper",
        version=2,
        model=DnCNN.for_three_tasks,
        data=patches(pictures, 50),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=SGD(0.1, momentum=0.9, weight_decay=1e-4),
        clip=clip_by_rate(0.005),  # see `imtrans.recipes.dncnn.paper`
        schedule=exponential(1e-3),
        steps=400_000,
        batch=128,
        workers=2,  # otherwise a GPU waits for samples
    )


recipe = by_budget(quick, classroom, full, paper)
