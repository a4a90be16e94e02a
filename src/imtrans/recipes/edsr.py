"""How the EDSR baseline is trained: 16 blocks of 64 features."""

from functools import partial

import torch.nn.functional as F

from imtrans.models.edsr import EDSR
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import T91_AND_BSD, Folders, low_resolution_patches, training_pictures
from imtrans.recipes.starts import shrink_residual_blocks
from imtrans.training import Adam, MuonAndAdam, Recipe, cosine, halving


def quick(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=f"edsr-baseline-x{scale}",
        budget="quick",
        model=lambda: shrink_residual_blocks(EDSR.baseline(scale)),
        data=low_resolution_patches(pictures, scale, size=24),  # a quarter of the paper's area: more steps per minute
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.01, adam_lr=5e-4),
        schedule=cosine(warmup=100),
        steps=60,
        batch=16,
        validate_every=12,
    )


def classroom(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=f"edsr-baseline-x{scale}",
        budget="class",
        model=lambda: shrink_residual_blocks(EDSR.baseline(scale)),
        data=low_resolution_patches(pictures, scale, size=48),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.01, adam_lr=5e-4),
        schedule=cosine(warmup=100),
        steps=12_000,
        batch=16,
        validate_every=2_400,
        autocast=True,
    )


def full(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Our best schedule, on pictures that may be passed on: half the rate that is best in minutes.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name=f"edsr-baseline-x{scale}",
        budget="full",
        version=2,
        model=lambda: shrink_residual_blocks(EDSR.baseline(scale)),
        data=low_resolution_patches(pictures, scale, size=32),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.005, adam_lr=2.5e-4),
        schedule=cosine(warmup=100),
        steps=9_600,
        batch=16,
        validate_every=1_920,
        autocast=True,
    )


def paper(scale: int = 2, *, data: Folders = None) -> Recipe:
    """The paper's solver, for the length of its ablation.

    Departure: the paper's 800 pictures of DIV2K may not be passed on; give their folder as ``data``. As floats in
    memory they take 27 GB.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name=f"edsr-baseline-x{scale}",
        budget="paper",
        version=2,
        model=partial(EDSR.baseline, scale),
        data=low_resolution_patches(pictures, scale, size=48),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(1e-4),
        schedule=halving(200_000),
        steps=300_000,  # the ablation; the final models take a million
        batch=16,
    )


recipe = by_budget(quick, classroom, full, paper)
