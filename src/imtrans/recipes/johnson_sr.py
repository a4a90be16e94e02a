"""How the super-resolution networks of Johnson et al. are trained: by features, and by pixels for comparison."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import hardware
from imtrans.degrade import Downscale
from imtrans.losses import relative_error
from imtrans.models import features
from imtrans.models.transform_network import SuperResolutionNetwork
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders, low_resolution_patches, training_pictures, validation_pictures
from imtrans.training import Adam, MuonAndAdam, Recipe, constant, cosine

TAP = "relu2_2"  # as in the paper


class FeatureLoss:
    """The relative error of the features of an enlargement.

    Args:
        tap: Name of the features.
        trunk: Name of the loss network, which is loaded with the first batch: a recipe can be read without it.
    """

    def __init__(self, tap: str = TAP, trunk: str = "hybrid") -> None:
        self.tap, self.trunk, self.network = tap, trunk, None

    def __call__(self, prediction: Tensor, high_res: Tensor) -> Tensor:
        """The loss of RGB pictures (N, 3, H, W) on the scale of [0, 1]."""
        device, low = prediction.device, hardware.autocast_dtype(prediction.device)
        if self.network is None:
            self.network = features.load((self.tap,), self.trunk).to(device)
        with torch.autocast(device.type, low, enabled=low is not None):
            found = self.network(prediction)[self.tap].float()
            with torch.no_grad():
                target = self.network(high_res)[self.tap].float()
        return relative_error(found, target)


LOSSES = {"feature": FeatureLoss, "pixel": lambda **_: F.mse_loss}


class Validator:
    """What a training is watched by: its own loss on pictures that no training sees, lower is better.

    Args:
        loss: ``"feature"`` or ``"pixel"``.
        scale: Upscaling factor.
    """

    def __init__(self, loss: str, scale: int) -> None:
        pictures, shrink = validation_pictures(192), Downscale(scale)
        self.loss, self.pairs = LOSSES[loss](), [(shrink(picture), picture) for _, picture in pictures]

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """The mean loss, by the name ``error``; that of pixels in thousandths."""
        with torch.no_grad():
            errors = torch.stack([self.loss(network(low_res), high_res) for low_res, high_res in self.pairs])
        return {"error": errors.mean().item() * (1 if isinstance(self.loss, FeatureLoss) else 1_000)}


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
    pictures = training_pictures(("ImageNet1000_256", "BSD200", "BSD500_test"), data).rgb()
    return Recipe(
        name=_name(loss, scale),
        budget="full",
        model=lambda: SuperResolutionNetwork(scale, layout="resize"),
        data=low_resolution_patches(pictures, scale, 128 // scale),
        sources=(*pictures.sources, f"loss: {loss}"),
        loss=LOSSES[loss](),
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
        loss=LOSSES[loss](trunk="small"),
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
    """The paper's network, optimiser and length on patches of 288² pixels; ``data`` has to name 10,000 of MS-COCO.

    Args:
        scale: Upscaling factor, 4 or 8.
        loss: ``"feature"`` or ``"pixel"``.
        data: Folders of pictures, at least 288 pixels on each side, in place of BSD200 and BSD500_test.
    """
    pictures = training_pictures(("BSD200", "BSD500_test"), data).rgb()
    return replace(
        full(scale=scale, loss=loss, data=data),
        budget="paper",
        model=lambda: SuperResolutionNetwork(scale),
        data=low_resolution_patches(pictures, scale, 288 // scale),
        sources=(*pictures.sources, f"loss: {loss}"),
        optimizer=Adam(1e-3),
        schedule=constant,
        steps=200_000,
        autocast=False,
        workers=2,
    )


recipe = by_budget(quick, classroom, full, paper)
