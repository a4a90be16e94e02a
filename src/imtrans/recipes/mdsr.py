"""How the MDSR baseline is trained: 16 shared blocks of 64 features, three scales."""

from collections.abc import Callable

import torch.nn.functional as F

from imtrans.data.pairs import OneScalePerBatch, SuperResolutionPairs
from imtrans.models.edsr import MDSR
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import T91_AND_BSD, Folders, TrainingSet, training_pictures
from imtrans.training import Adam, Recipe, Samples, cosine, halving

SCALES = (2, 3, 4)
BATCH = 16


def patches(pictures: TrainingSet, size: int) -> Callable[[int], Samples]:
    """Pairs of size² low-resolution pixels, each batch at a scale of its own."""

    def samples(seed: int) -> OneScalePerBatch:
        each = [SuperResolutionPairs(pictures.pictures, (scale,), size, upsamples=True, seed=seed) for scale in SCALES]
        return OneScalePerBatch(each, BATCH, seed)

    return samples


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name="mdsr-baseline",
        budget="quick",
        model=MDSR.baseline,
        data=patches(pictures, size=24),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(5e-4),
        schedule=cosine(warmup=100),
        steps=60,
        batch=BATCH,
        validate_every=30,
    )


def classroom(*, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name="mdsr-baseline",
        budget="class",
        model=MDSR.baseline,
        data=patches(pictures, size=24),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(5e-4),
        schedule=cosine(warmup=100),
        steps=12_000,
        batch=BATCH,
        validate_every=2_400,
        autocast=True,
    )


def full(*, data: Folders = None) -> Recipe:
    """Our best schedule, on pictures that may be passed on.

    Args:
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name="mdsr-baseline",
        budget="full",
        version=2,
        model=MDSR.baseline,
        data=patches(pictures, size=24),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(5e-4),
        schedule=cosine(warmup=100),
        steps=3_600,
        batch=BATCH,
        validate_every=720,
        autocast=True,
    )


def paper(*, data: Folders = None) -> Recipe:
    """The paper's solver, for the length of its ablation.

    Departure: the paper's 800 pictures of DIV2K may not be passed on; give their folder as ``data``. As floats in
    memory they take 27 GB.

    Args:
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name="mdsr-baseline",
        budget="paper",
        version=2,
        model=MDSR.baseline,
        data=patches(pictures, size=48),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(1e-4),
        schedule=halving(200_000),
        steps=300_000,  # the ablation; the final models take a million
        batch=BATCH,
    )


recipe = by_budget(quick, classroom, full, paper)
