"""How CDnCNN-B is trained: RGB pictures, any noise level up to 55 (section 3.4)."""

from dataclasses import replace
from functools import partial

from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.dncnn_blind import LEVELS
from imtrans.recipes.pictures import T91_AND_BSD, Folders, noisy_patches, training_pictures
from imtrans.recipes.starts import shrink_last_convolution
from imtrans.training import SGD, MuonAndAdam, Recipe, clip_by_rate, cosine, exponential


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name="cdncnn-blind",
        budget="quick",
        model=partial(DnCNN, 3, depth=20),
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
    """Our best schedule, on all colour pictures that may be passed on.

    Args:
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name="cdncnn-blind",
        budget="full",
        version=2,
        model=lambda: shrink_last_convolution(DnCNN(3, depth=20)),  # it starts at random, unlike the gray ones
        data=noisy_patches(pictures, 64, LEVELS),  # 64² in place of 50²: fewer pixels see the zeros beyond the edge
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=100),
        steps=3_400,
        batch=12,
        validate_every=680,
        autocast=True,
    )


def paper(*, data: Folders = None) -> Recipe:
    """The paper's solver: 50 epochs of 3,000 steps.

    Departure: the paper's 432 colour pictures of BSD are not listed; here they are BSD200 and BSD500_test.

    Args:
        data: Folders of pictures in place of BSD200 and BSD500_test.
    """
    pictures = training_pictures(("BSD200", "BSD500_test"), data).rgb()
    return Recipe(
        name="cdncnn-blind",
        budget="paper",
        version=2,
        model=partial(DnCNN, 3, depth=20),
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
