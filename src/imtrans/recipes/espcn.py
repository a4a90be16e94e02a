"""How ESPCN is trained."""

from dataclasses import replace
from functools import partial

import torch.nn.functional as F

from imtrans.models.espcn import ESPCN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, low_resolution_patches, training_pictures
from imtrans.training import SGD, MuonAndAdam, Recipe, cosine, staircase


def quick(scale: int = 3, *, activation: str = "tanh", data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        activation: "tanh" or "relu".
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).luma()
    return Recipe(
        name=f"espcn-x{scale}",
        budget="quick",
        model=partial(ESPCN, scale=scale, activation=activation),
        data=low_resolution_patches(pictures, scale, 17),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.01, ends=True),
        schedule=cosine(warmup=100),
        steps=1_500,
        batch=32,
        validate_every=300,
    )


def classroom(scale: int = 3, *, activation: str = "tanh", data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        activation: "tanh" or "relu".
        data: Folders of pictures in place of the bundled ones.
    """
    return replace(
        quick(scale, activation=activation, data=data), budget="class", steps=60_000, batch=64, validate_every=12_000
    )


def full(scale: int = 3, *, activation: str = "tanh", data: Folders = None) -> Recipe:
    """Our best schedule.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        activation: "tanh" or "relu".
        data: Folders of pictures in place of T91 and BSD200.
    """
    pictures = training_pictures(("T91", "BSD200"), data).luma()  # BSD200 in place of the paper's ImageNet
    return Recipe(
        name=f"espcn-x{scale}",
        budget="full",
        version=2,
        model=partial(ESPCN, scale=scale, activation=activation),
        data=low_resolution_patches(pictures, scale, 17),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.01, ends=True),
        schedule=cosine(warmup=100),
        steps=40_000,
        batch=32,
        validate_every=8_000,
    )


def paper(scale: int = 3, *, activation: str = "tanh", data: Folders = None) -> Recipe:
    """The paper's rates and loss on its 91 pictures.

    The paper lowers the rate when the cost stalls, and names neither optimiser nor batch. Departure: here they are
    SGD with momentum, batches of 64 and a staircase of a fixed length.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        activation: "tanh" or "relu".
        data: Folders of pictures in place of T91.
    """
    pictures = training_pictures(("T91",), data).luma()
    return Recipe(
        name=f"espcn-x{scale}",
        budget="paper",
        version=2,
        model=partial(ESPCN, scale=scale, activation=activation),
        data=low_resolution_patches(pictures, scale, 17),
        sources=pictures.sources,
        loss=F.mse_loss,
        optimizer=SGD(0.01, momentum=0.9, last_layer=0.1),
        schedule=staircase(0.1, at=(0.5, 0.8)),  # the rate ends at 0.0001
        steps=500_000,
        batch=64,
    )


recipe = by_budget(quick, classroom, full, paper)
