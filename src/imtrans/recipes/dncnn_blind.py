"""How DnCNN-B is trained: gray pictures, any noise level up to 55 (section 3.4)."""

from dataclasses import replace
from functools import partial

from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, noisy_patches, training_pictures
from imtrans.training import SGD, MuonAndAdam, Recipe, clip_by_rate, cosine, exponential

LEVELS = (0, 55)  # of the noise


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).luma()
    return Recipe(
        name="dncnn-blind",
        budget="quick",
        model=partial(DnCNN, depth=20),
        data=noisy_patches(pictures, 50, LEVELS),
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
    """Our best schedule, short: it is meant to start from dncnn-25 with three more layers, then once from itself.

    Args:
        data: Folders of pictures in place of Train400.
    """
    pictures = training_pictures(("Train400",), data).luma()
    return Recipe(
        name="dncnn-blind",
        budget="full",
        model=partial(DnCNN, depth=20),
        data=noisy_patches(pictures, 64, LEVELS),  # 64² in place of 50²: fewer pixels see the zeros beyond the edge
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=100),
        steps=2_400,
        batch=12,
        validate_every=480,
        autocast=True,
    )


def paper(*, data: Folders = None) -> Recipe:
    """The paper's solver: 50 epochs of 3,000 steps.

    Args:
        data: Folders of pictures in place of Train400.
    """
    pictures = training_pictures(("Train400",), data).luma()
    return Recipe(
        name="dncnn-blind",
        budget="paper",
        model=partial(DnCNN, depth=20),
        data=noisy_patches(pictures, 50, LEVELS),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=SGD(0.1, momentum=0.9, weight_decay=1e-4),
        clip=clip_by_rate(0.005),  # see `imtrans.recipes.dncnn.paper`
        schedule=exponential(1e-3),
        steps=150_000,
        batch=128,
        workers=2,  # otherwise a GPU waits for samples
    )


recipe = by_budget(quick, classroom, full, paper)
