"""How the super-resolution networks of Johnson et al. are trained: by features, and by pixels for comparison."""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans.degrade import Downscale
from imtrans.losses import relative_error
from imtrans.models.transform_network import SuperResolutionNetwork
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.loss_network import LossNetwork, held_out_trunk
from imtrans.recipes.pictures import (
    IMAGENET_AND_BSD,
    Folders,
    low_resolution_patches,
    mean_error,
    training_pictures,
    validation_pictures,
)
from imtrans.training import Adam, MuonAndAdam, Recipe, constant, cosine

TAP = "relu2_2"  # as in the paper


class FeatureLoss:
    """The relative error of the features of an enlargement.

    Args:
        tap: Name of the features.
        trunk: Name of the loss network; None is the best one on this machine.
    """

    def __init__(self, tap: str = TAP, trunk: str | None = "hybrid") -> None:
        self.tap, self.network = tap, LossNetwork((tap,), trunk)

    def __call__(self, prediction: Tensor, high_res: Tensor) -> Tensor:
        """The loss of RGB pictures (N, 3, H, W) on the scale of [0, 1]."""
        found = self.network(prediction)[self.tap]
        with torch.no_grad():
            target = self.network(high_res)[self.tap]
        return relative_error(found, target)


def loss_of(kind: str, trunk: str | None = "hybrid") -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a training by features or by pixels.

    Args:
        kind: ``"feature"`` or ``"pixel"``.
        trunk: As for `FeatureLoss`.

    Raises:
        ValueError: On another kind.
    """
    if kind not in ("feature", "pixel"):
        raise ValueError(f"the loss is feature or pixel, not {kind!r}")
    return FeatureLoss(trunk=trunk) if kind == "feature" else F.mse_loss


def held_out(loss: str, scale: int) -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: its own loss on pictures that no training sees, lower is better.

    That of pixels is in thousandths. The loss network is the hybrid, or the best trunk on this machine.

    Args:
        loss: ``"feature"`` or ``"pixel"``.
        scale: Upscaling factor.
    """
    shrink, error = Downscale(scale), loss_of(loss, held_out_trunk())
    unit = 1 if loss == "feature" else 1_000
    pairs = ((shrink(picture), picture) for _, picture in validation_pictures(192))
    return mean_error(lambda prediction, high_res: unit * error(prediction, high_res), pairs)


def _name(loss: str, scale: int) -> str:
    return f"johnson-sr-x{scale}" if loss == "feature" else f"johnson-sr-pixel-x{scale}"


def full(*, scale: int, loss: str = "feature", data: Folders = None) -> Recipe:
    """Our best schedule. The training by features starts from the weights of that by pixels.

    Departure: low resolutions are made by the bicubic filter alone, as everywhere in this course; the paper blurs
    before it.

    Args:
        scale: Upscaling factor, 4 or 8.
        loss: ``"feature"`` or ``"pixel"``.
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = training_pictures(IMAGENET_AND_BSD, data).rgb()
    return Recipe(
        name=_name(loss, scale),
        budget="full",
        model=lambda: SuperResolutionNetwork(scale, layout="resize"),
        data=low_resolution_patches(pictures, scale, 128 // scale),
        sources=(*pictures.sources, f"loss: {loss}"),
        loss=loss_of(loss),
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=50),
        steps=1_500,
        batch=4,
        validate_every=500,
        autocast=True,
    )


def quick(*, scale: int, loss: str = "feature", data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs, with the loss network that ships.

    Args:
        scale: Upscaling factor, 4 or 8.
        loss: ``"feature"`` or ``"pixel"``.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=_name(loss, scale),
        budget="quick",
        model=lambda: SuperResolutionNetwork(scale, layout="resize"),
        data=low_resolution_patches(pictures, scale, 96 // scale),
        sources=(*pictures.sources, f"loss: {loss}"),
        loss=loss_of(loss, "small"),
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=10),
        steps=100,
        batch=4,
        validate_every=50,
    )


def classroom(*, scale: int, loss: str = "feature", data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor, 4 or 8.
        loss: ``"feature"`` or ``"pixel"``.
        data: Folders of pictures in place of the bundled ones.
    """
    recipe = quick(scale=scale, loss=loss, data=data)
    return replace(recipe, budget="class", steps=4_000, batch=8, validate_every=800, workers=2, autocast=True)


def paper(*, scale: int, loss: str = "feature", data: Folders = None) -> Recipe:
    """The paper's optimiser and length on patches of 288² pixels; ``data`` has to name 10,000 of MS-COCO.

    They are kept in memory as floats: 37 GB at 640×480 pixels. The loss network of ``"feature"`` is VGG-16 (``imtrans
    data fetch vgg16``). The network that learns is that of the registry's entry; for the paper's, whose convolutions
    are transposed, give ``replace(paper(scale=4), model=SuperResolutionNetwork)`` to `imtrans.training.fit`.

    Args:
        scale: Upscaling factor, 4 or 8.
        loss: ``"feature"`` or ``"pixel"``.
        data: Folders of pictures, at least 288 pixels on each side, in place of BSD200 and BSD500_test.
    """
    pictures = training_pictures(("BSD200", "BSD500_test"), data).rgb()
    return Recipe(
        name=_name(loss, scale),
        budget="paper",
        model=lambda: SuperResolutionNetwork(scale, layout="resize"),
        data=low_resolution_patches(pictures, scale, 288 // scale),
        sources=(*pictures.sources, f"loss: {loss}"),
        loss=loss_of(loss, "vgg16"),
        optimizer=Adam(1e-3),
        schedule=constant,
        steps=200_000,
        batch=4,
        workers=2,
    )


recipe = by_budget(quick, classroom, full, paper)
