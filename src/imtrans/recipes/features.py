"""How the small feature network is distilled: it learns the features of the hybrid, and their Gram matrices.

The student of Wang et al. 2020 ("Collaborative Distillation for Ultra-Resolution Universal Style Transfer", CVPR) was
distilled from VGG-19 on 80,000 photographs. Ours has a teacher that is itself such a student above relu3_1, and about a
thousand photographs.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from imtrans.data.pairs import Crops
from imtrans.images import middle
from imtrans.losses import gram, relative_error
from imtrans.models import features
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.loss_network import LossNetwork
from imtrans.recipes.pictures import IMAGENET_AND_BSD, Folders, mean_error, training_pictures, validation_pictures
from imtrans.recipes.starts import he_init
from imtrans.training import Adam, MuonAndAdam, Recipe, constant, cosine

LARGEST = 64  # side in pixels of the pieces that two feature maps are compared on
GRAM = 0.5  # weight of the Gram matrices beside the features themselves, both relative errors


class Distillation:
    """The loss of a student: relative errors of features and of Gram matrices, averaged over the taps.

    Args:
        taps: Names of the features.
        trunk: Name of the teacher.
    """

    def __init__(self, taps: tuple[str, ...] = tuple(features.HEADS), trunk: str = "hybrid") -> None:
        self.teacher = LossNetwork(taps, trunk)

    def __call__(self, prediction: dict[str, Tensor], picture: Tensor) -> Tensor:
        """The loss of the student's features for RGB pictures (N, 3, H, W) in [0, 1]."""
        with torch.no_grad():
            targets = self.teacher(picture)
        # Comparing the two largest maps, the easiest to learn, would take most of a step: their middle has to do.
        pairs = [(middle(prediction[tap], LARGEST), middle(target, LARGEST)) for tap, target in targets.items()]
        errors = [
            relative_error(ours, target) + GRAM * relative_error(gram(ours), gram(target)) for ours, target in pairs
        ]
        return torch.stack(errors).mean()


def held_out() -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: the same error on pictures that no training sees, lower is better."""
    pictures = [picture for _, picture in validation_pictures(256)]
    return mean_error(Distillation(), zip(pictures, pictures, strict=True))


def small() -> features.SmallVGG:
    """The small network with He's initialisation."""
    network = features.SmallVGG()
    he_init(network)
    return network


def full(*, data: Folders = None) -> Recipe:
    """Our best schedule.

    Args:
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = training_pictures(IMAGENET_AND_BSD, data).rgb()
    return Recipe(
        name="features-small",
        budget="full",
        model=small,
        data=crops(pictures.pictures, 128),
        sources=pictures.sources,
        loss=Distillation(),
        optimizer=MuonAndAdam(0.01),
        schedule=cosine(warmup=100),
        steps=2_500,
        batch=8,
        validate_every=500,
        autocast=True,
    )


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs. The teacher has to be on this machine.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name="features-small",
        budget="quick",
        model=small,
        data=crops(pictures.pictures, 64),
        sources=pictures.sources,
        loss=Distillation(),
        optimizer=MuonAndAdam(0.01),
        schedule=cosine(warmup=10),
        steps=60,
        batch=4,
        validate_every=30,
    )


def classroom(*, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs. The teacher has to be on this machine.

    Args:
        data: Folders of pictures in place of the bundled ones.
    """
    recipe = quick(data=data)
    return replace(recipe, budget="class", steps=6_000, batch=16, validate_every=1_200, workers=2, autocast=True)


def paper(*, data: Folders = None) -> Recipe:
    """Batch, rate and number of steps of Wang et al.: 20 epochs of 82,783 photographs, which ``data`` has to name.

    They are kept in memory as floats: 305 GB at 640×480 pixels.

    Args:
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    recipe = full(data=data)
    return replace(recipe, budget="paper", optimizer=Adam(1e-4), schedule=constant, steps=103_000, batch=16, workers=2)


def crops(pictures: list[Tensor], size: int) -> Callable[[int], Crops]:
    """Pieces of the pictures, up to twice the size of the patches."""
    return lambda seed: Crops(pictures, size, seed=seed)


recipe = by_budget(quick, classroom, full, paper)
