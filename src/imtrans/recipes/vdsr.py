"""How VDSR is trained, one network for several scales."""

from collections.abc import Callable
from dataclasses import replace

import torch.nn.functional as F

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.vdsr import VDSR
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, TrainingSet, training_pictures
from imtrans.recipes.starts import shrink_last_convolution
from imtrans.training import SGD, MuonAndAdam, Recipe, Samples, clip_by_rate, cosine, staircase

SCALES = (2, 3, 4)  # mixed in each batch


def patches(pictures: TrainingSet, scales: tuple[int, ...]) -> Callable[[int], Samples]:
    """Pairs of 41² pixels: the receptive field."""
    return lambda seed: SuperResolutionPairs(pictures.pictures, scales, 41, seed=seed)


def quick(*, scales: tuple[int, ...] = SCALES, depth: int = 20, features: int = 64, data: Folders = None) -> Recipe:
    """Some minutes of CPU on the bundled photographs; with 16 features, a quarter of a minute.

    Args:
        scales: Upscaling factors, mixed in each batch.
        depth: Number of convolutions.
        features: Channels of the hidden layers.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).luma()
    return Recipe(
        name="vdsr",
        budget="quick",
        model=lambda: shrink_last_convolution(VDSR(scales=scales, depth=depth, features=features)),
        data=patches(pictures, scales),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.01),
        schedule=cosine(warmup=100),
        steps=150,
        batch=16,
        validate_every=30,
    )


def classroom(*, scales: tuple[int, ...] = SCALES, depth: int = 20, features: int = 64, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scales: Upscaling factors, mixed in each batch.
        depth: Number of convolutions.
        features: Channels of the hidden layers.
        data: Folders of pictures in place of the bundled ones.
    """
    return replace(
        quick(scales=scales, depth=depth, features=features, data=data),
        budget="class",
        steps=10_000,
        batch=64,
        validate_every=2_000,
        autocast=True,
    )


def full(*, scales: tuple[int, ...] = SCALES, depth: int = 20, features: int = 64, data: Folders = None) -> Recipe:
    """Our best schedule, on the paper's 291 pictures less the woman of Set5: half the rate that is best in minutes.

    Args:
        scales: Upscaling factors, mixed in each batch.
        depth: Number of convolutions.
        features: Channels of the hidden layers.
        data: Folders of pictures in place of T91 and BSD200.
    """
    pictures = training_pictures(("T91", "BSD200"), data).luma()
    return Recipe(
        name="vdsr",
        budget="full",
        version=3,
        model=lambda: shrink_last_convolution(VDSR(scales=scales, depth=depth, features=features)),
        data=patches(pictures, scales),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.005, adam_lr=5e-4),
        schedule=cosine(warmup=100),
        steps=24_000,
        batch=16,
        validate_every=2_400,
        autocast=True,
    )


def paper(*, scales: tuple[int, ...] = SCALES, depth: int = 20, features: int = 64, data: Folders = None) -> Recipe:
    """The paper's solver, on its 291 pictures less the one that is in Set5.

    Args:
        scales: Upscaling factors, mixed in each batch.
        depth: Number of convolutions.
        features: Channels of the hidden layers.
        data: Folders of pictures in place of T91 and BSD200.
    """
    pictures = training_pictures(("T91", "BSD200"), data).luma()
    return Recipe(
        name="vdsr",
        budget="paper",
        version=2,
        model=lambda: VDSR(scales=scales, depth=depth, features=features),
        data=patches(pictures, scales),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=SGD(0.1, momentum=0.9, weight_decay=1e-4),
        # The paper does not publish θ. In small trainings 0.001 and 0.01 push the network to f(x) = 0 in some steps,
        # from where it learns no more (lecture 5).
        clip=clip_by_rate(1e-4),
        schedule=staircase(0.1, at=(0.25, 0.5, 0.75)),  # ÷10 after every 20 of 80 epochs
        steps=9_960,
        batch=64,
    )


recipe = by_budget(quick, classroom, full, paper)
