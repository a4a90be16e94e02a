"""How the style networks of Johnson et al. are trained: one network per style."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from imtrans import assets, images
from imtrans.data.styles import STYLES
from imtrans.losses import normalized_gram, relative_error, total_variation
from imtrans.models.transform_network import StyleNetwork
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.features import crops
from imtrans.recipes.loss_network import LossNetwork, held_out_trunk
from imtrans.recipes.pictures import IMAGENET_AND_BSD, Folders, mean_error, training_pictures, validation_pictures
from imtrans.resize import to_side
from imtrans.training import Adam, MuonAndAdam, Recipe, constant, cosine

# The paper's style taps are relu1_2, relu2_2, relu3_3 and relu4_3 of VGG-16. These five, which Gatys et al. use, have
# three in the half of the hybrid that is VGG-19 itself.
STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_TAP = "relu3_3"  # of the authors' code; the paper's text has relu2_2
STYLE_WEIGHT = 12.0  # at 5 the marks of the style were a fine mesh, at 30 faces were lost
VERSION = 2  # in 1 the style had less weight
SMOOTHNESS = 1.0  # weight of the total variation
PAINTINGS = {"starry-night": "starry_night.jpg", "shipwreck": "shipwreck.jpg"}  # van Gogh 1889; Turner, about 1810
LONGER_SIDE = 384  # of a painting, in pixels: it decides how wide its strokes are


def style_picture(name: str) -> Tensor:
    """The picture of a style (1, 3, H, W): drawn by `imtrans.data.styles`, or a painting.

    Args:
        name: A name in ``STYLES`` or in ``PAINTINGS``.

    Raises:
        ValueError: If no style has this name.
        FileNotFoundError: If the painting is not on this machine; the sentence says where it is looked for.
    """
    if name in STYLES:
        return STYLES[name]()
    if name not in PAINTINGS:
        raise ValueError(f"no style is called {name!r}: there are {', '.join((*STYLES, *PAINTINGS))}")
    root, place = assets.data_root(), f"style_transfer/style/{PAINTINGS[name]}"
    if root is None or not (root / place).is_file():
        raise FileNotFoundError(f"the painting {name} does not come with the course: put it at $IMTRANS_DATA/{place}")
    return to_side(images.read(root / place), LONGER_SIDE)


class PerceptualLoss:
    """Content, style and smoothness of a stylised picture, the first two as relative errors.

    Args:
        style: Function that returns the picture of the style (1, 3, H, W).
        style_weight: Weight of the mean over the style taps; that of the content is 1.
        style_taps: Names of the features whose Gram matrices are compared.
        content_tap: Name of the features that are compared themselves.
        trunk: Name of the loss network; None is the best one on this machine. Like it, the picture of the style is
            loaded with the first batch.
    """

    def __init__(
        self,
        style: Callable[[], Tensor],
        style_weight: float = STYLE_WEIGHT,
        style_taps: tuple[str, ...] = STYLE_TAPS,
        content_tap: str = CONTENT_TAP,
        trunk: str | None = "hybrid",
    ) -> None:
        self.style, self.style_weight = style, style_weight
        self.style_taps, self.content_tap = style_taps, content_tap
        self.network = LossNetwork(dict.fromkeys((*style_taps, content_tap)), trunk)
        self.content_network = LossNetwork((content_tap,), trunk)  # of the content nothing else is computed
        self.wanted: dict[str, Tensor] | None = None

    def __call__(self, prediction: Tensor, content: Tensor) -> Tensor:
        """The loss of stylised pictures of the contents, both RGB (N, 3, H, W) on the scale of [0, 1]."""
        of_content, of_style, smoothness = self.parts(prediction, content)
        return of_content + self.style_weight * of_style + SMOOTHNESS * smoothness

    def parts(self, prediction: Tensor, content: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The errors of content and style, and the total variation: unweighted scalars."""
        with torch.no_grad():
            if self.wanted is None:
                of_artwork = self.network(self.style().to(prediction.device))
                self.wanted = {tap: normalized_gram(of_artwork[tap]) for tap in self.style_taps}
            target = self.content_network(content)[self.content_tap]
        found = self.network(prediction)
        errors = [
            relative_error(normalized_gram(found[tap]), wanted.to(prediction.device).expand(len(prediction), -1, -1))
            for tap, wanted in self.wanted.items()
        ]
        of_content = relative_error(found[self.content_tap], target)
        return of_content, torch.stack(errors).mean(), total_variation(prediction)


def held_out(style: str) -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: the loss on pictures that no training sees, lower is better.

    The loss network is the hybrid, or the best trunk on this machine.

    Args:
        style: Name of the style.
    """
    pictures = [picture for _, picture in validation_pictures(192)]
    loss = PerceptualLoss(partial(style_picture, style), trunk=held_out_trunk())
    return mean_error(loss, zip(pictures, pictures, strict=True))


def full(*, style: str, data: Folders = None) -> Recipe:
    """Our best schedule.

    Args:
        style: Name of the style, see `style_picture`.
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = training_pictures(IMAGENET_AND_BSD, data).rgb()
    return Recipe(
        name=f"johnson-{style}",
        budget="full",
        model=StyleNetwork.small,
        # One large crop in place of two small ones: every crop has to have the marks of the whole artwork.
        data=crops(pictures.pictures, 192),
        sources=(*pictures.sources, f"style: {style}, weight {STYLE_WEIGHT:g}", "loss network: hybrid"),
        loss=PerceptualLoss(partial(style_picture, style)),
        optimizer=MuonAndAdam(0.01),
        schedule=cosine(warmup=50),
        steps=4_000,
        batch=1,
        validate_every=1_000,
        autocast=True,
        version=VERSION + 1,  # before, two crops of 128² per step and twice the rate
    )


def quick(*, style: str, data: Folders = None) -> Recipe:
    """A minute of CPU on the bundled photographs, with the loss network that ships.

    Args:
        style: Name of the style, see `style_picture`.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=f"johnson-{style}",
        budget="quick",
        model=StyleNetwork.small,
        data=crops(pictures.pictures, 96),
        sources=(*pictures.sources, f"style: {style}, weight {STYLE_WEIGHT:g}", "loss network: small"),
        loss=PerceptualLoss(partial(style_picture, style), trunk="small"),
        optimizer=MuonAndAdam(0.005),
        schedule=cosine(warmup=10),
        steps=100,
        batch=2,
        validate_every=50,
        version=VERSION,
    )


def classroom(*, style: str, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        style: Name of the style, see `style_picture`.
        data: Folders of pictures in place of the bundled ones.
    """
    recipe = quick(style=style, data=data)
    return replace(recipe, budget="class", steps=4_000, batch=4, validate_every=800, workers=2, autocast=True)


def paper(*, style: str, data: Folders = None) -> Recipe:
    """The paper's optimiser, layers and length; for its pictures, MS-COCO, ``data`` has to name a folder.

    They are kept in memory as floats, 3.7 MB for one of 640×480 pixels. The loss network is VGG-16 (``imtrans data
    fetch vgg16``). The paper does not print the weights of content and style: they are ours. The network that learns is
    that of the registry's entry; for the paper's give ``replace(paper(style=…), model=StyleNetwork)`` to
    `imtrans.training.fit`.

    Args:
        style: Name of the style, see `style_picture`.
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = training_pictures(IMAGENET_AND_BSD, data).rgb()
    taps = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    return Recipe(
        name=f"johnson-{style}",
        budget="paper",
        model=StyleNetwork.small,
        data=crops(pictures.pictures, 256),
        sources=(*pictures.sources, f"style: {style}, weight {STYLE_WEIGHT:g}", "loss network: VGG-16"),
        loss=PerceptualLoss(partial(style_picture, style), style_taps=taps, content_tap="relu2_2", trunk="vgg16"),
        optimizer=Adam(1e-3),
        schedule=constant,
        steps=40_000,
        batch=4,
        workers=2,
        version=VERSION,
    )


recipe = by_budget(quick, classroom, full, paper)
