"""How SRCNN 9-1-5 is trained."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial

from imtrans.data.pairs import SuperResolutionPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.srcnn import SRCNN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, TrainingSet, training_pictures
from imtrans.recipes.starts import small_gaussian
from imtrans.training import SGD, MuonAndAdam, Recipe, Samples, constant, cosine

SMALLER = tuple(Fraction(k, 10) for k in (10, 9, 8, 7, 6))


def patches(pictures: TrainingSet, scale: int, model: Callable[[], SRCNN]) -> Callable[[int], Samples]:
    """Pairs of 33² pixels (the paper's f_sub), their clean side cropped to what valid convolutions return."""
    margin = model().margin
    return lambda seed: SuperResolutionPairs(pictures.pictures, (scale,), 33, margin=margin, seed=seed)


def quick(scale: int = 3, *, data: Folders = None, n1: int = 64, n2: int = 32, f2: int = 1) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
        n1: Number of filters of the first layer.
        n2: Number of filters of the second layer.
        f2: Kernel size of the second layer.
    """
    pictures = training_pictures(folders=data).luma()
    network = partial(SRCNN, n1=n1, n2=n2, f2=f2)
    return Recipe(
        name=f"srcnn-x{scale}",
        budget="quick",
        model=partial(network, padding="valid"),  # no pixel beyond a patch is invented in training
        deployed=network,  # inference repeats the edge
        data=patches(pictures, scale, network),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.01, ends=True),
        schedule=cosine(warmup=100),
        steps=1_500,
        batch=16,
        validate_every=150,
    )


def classroom(scale: int = 3, *, data: Folders = None, n1: int = 64, n2: int = 32, f2: int = 1) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
        n1: Number of filters of the first layer.
        n2: Number of filters of the second layer.
        f2: Kernel size of the second layer.
    """
    pictures = training_pictures(folders=data).luma().resized(SMALLER)
    network = partial(SRCNN, n1=n1, n2=n2, f2=f2)
    return Recipe(
        name=f"srcnn-x{scale}",
        budget="class",
        model=partial(network, padding="valid"),
        deployed=network,
        data=patches(pictures, scale, network),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.01, ends=True),
        schedule=cosine(warmup=100),
        steps=30_000,
        batch=64,
        validate_every=3_000,
    )


def full(
    scale: int = 3,
    *,
    data: Folders = None,
    n1: int = 64,
    n2: int = 32,
    f2: int = 1,
    sets: tuple[str, ...] = ("T91",),
) -> Recipe:
    """Our best schedule, on the paper's 91 pictures.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the sets.
        n1: Number of filters of the first layer.
        n2: Number of filters of the second layer.
        f2: Kernel size of the second layer.
        sets: Names of the training sets.
    """
    pictures = training_pictures(sets, data).luma().resized(SMALLER)  # 91 pictures alone are few
    network = partial(SRCNN, n1=n1, n2=n2, f2=f2)
    return Recipe(
        name=f"srcnn-x{scale}",
        budget="full",
        model=partial(network, padding="valid"),
        deployed=network,
        data=patches(pictures, scale, network),
        sources=pictures.sources,
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.01, ends=True),
        schedule=cosine(warmup=100),
        steps=8_000,
        batch=32,
        validate_every=800,
    )


def paper(
    scale: int = 3,
    *,
    data: Folders = None,
    n1: int = 64,
    n2: int = 32,
    f2: int = 1,
    sets: tuple[str, ...] = ("T91",),
) -> Recipe:
    """The authors' Caffe solver.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the sets.
        n1: Number of filters of the first layer.
        n2: Number of filters of the second layer.
        f2: Kernel size of the second layer.
        sets: Names of the training sets.
    """
    pictures = training_pictures(sets, data).luma()
    network = partial(SRCNN, n1=n1, n2=n2, f2=f2)
    return Recipe(
        name=f"srcnn-x{scale}",
        budget="paper",
        model=lambda: small_gaussian(network(padding="valid"), std=0.001),
        deployed=network,
        data=patches(pictures, scale, network),
        sources=pictures.sources,
        loss=half_sum_of_squares,  # Caffe's EuclideanLoss; with a mean over pixels 1e-4 would be 220 times too slow
        optimizer=SGD(1e-4, momentum=0.9, last_layer=0.1, biases=0.1),  # the solver's lr_mult
        schedule=constant,
        steps=15_000_000,
        batch=128,
    )


recipe = by_budget(quick, classroom, full, paper)
