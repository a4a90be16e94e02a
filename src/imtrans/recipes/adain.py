"""How the decoder of AdaIN is trained, between a frozen encoder and a frozen loss network.

Two stages in one schedule: at first every picture is its own style, and the decoder learns to invert the encoder, by
content loss and pixels alone; then styles come in, and the style loss. A tenth of the pictures stay their own style to
the end.

The loss network is the hybrid of `imtrans.models.features`, as for everything that ships trained. The encoder, which
the content loss uses too, is the trunk of the small network: nobody needs a download to apply the decoder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import assets
from imtrans.data import styles
from imtrans.data.benchmarks import load_folder
from imtrans.data.pairs import ContentAndStyle, Crops
from imtrans.images import middle
from imtrans.losses import relative_error, statistics_error, statistics_squares
from imtrans.models import features
from imtrans.models.adain import TAP, AdaIN, adain
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.loss_network import LossNetwork, held_out_trunk
from imtrans.recipes.pictures import (
    IMAGENET_AND_BSD,
    Folders,
    TrainingSet,
    mean_error,
    training_pictures,
    validation_pictures,
)
from imtrans.recipes.starts import he_init, shrink_last_convolution
from imtrans.training import Adam, MuonAndAdam, Recipe, Schedule, cosine

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # of the style loss
STYLE = 5.0  # weight of the style loss; both losses are relative errors
PIXELS = 20.0  # weight of the squared error of pictures that are their own style
SHOWN = ("starry_night", "shipwreck", "candy", "woman_with_hat_matisse")  # no training sees them: the pages do


class InTraining(AdaIN):
    """The network as a training needs it: content and style in, everything that the loss compares out."""

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Stylised picture, target t, and f(g(t)).

        Args:
            pictures: Contents and styles side by side, (N, 6, H, W).
        """
        content, style = pictures.split(3, dim=1)
        with torch.no_grad():
            target = adain(self.encode(content).float(), self.encode(style).float())
        picture = self.decoder(target)
        return {"content": content, "target": target, "picture": picture, "encoded": self.encode(picture)}


class StyleLoss:
    """L = L_c + λ L_s: the content against AdaIN's target, the style by means and standard deviations.

    Args:
        weight: λ.
        pixels: Weight of the mean squared error of pictures that are their own style. Batches of these alone have no
            style loss.
        content: Distance of features; the mean over the entries, or `relative_error`.
        style: Distance of one tap's statistics, summed over the taps: one of three in `imtrans.losses`.
        trunk: Name of the loss network; None is the best one on this machine.
    """

    def __init__(
        self,
        weight: float = STYLE,
        pixels: float = PIXELS,
        content: Callable[[Tensor, Tensor], Tensor] = relative_error,
        style: Callable[[Tensor, Tensor], Tensor] = statistics_error,
        trunk: str | None = "hybrid",
    ) -> None:
        self.weight, self.pixels, self.content, self.style = weight, pixels, content, style
        self.network = LossNetwork(TAPS, trunk)

    def __call__(self, prediction: dict[str, Tensor], style: Tensor) -> Tensor:
        """The loss of what `InTraining` returns, for style pictures (N, 3, H, W) in [0, 1]."""
        alone = (prediction["content"] == style).flatten(1).all(dim=1).float()  # (N,)
        errors = (prediction["picture"] - prediction["content"]).square().flatten(1).mean(dim=1)
        loss = self.content(prediction["encoded"], prediction["target"]) + self.pixels * (alone * errors).mean()
        # A decoder that cannot reconstruct yet is overwhelmed by the style loss, which takes most of the time, too.
        return loss if alone.all() else loss + self.weight * self.style_loss(prediction["picture"], style)

    def style_loss(self, picture: Tensor, style: Tensor) -> Tensor:
        """L_s of pictures for style pictures, (N, 3, H, W) each."""
        ours = self.network(picture)
        with torch.no_grad():
            theirs = self.network(style)
        return torch.stack([self.style(ours[tap], theirs[tap]) for tap in TAPS]).sum()


def held_out() -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: L_c + λ L_s of photographs that no training sees in the style of drawn pictures.

    Lower is better; the judge is the hybrid, or the best trunk on this machine. The drawings are those of the lectures,
    whose seeds no training draws.
    """
    drawings = [middle(draw(), 256) for draw in styles.STYLES.values()]
    pairs = [
        (torch.cat((content.expand(1, 3, -1, -1), style), dim=1), style)
        for content, style in zip((p for _, p in validation_pictures(256)), cycle(drawings), strict=False)
        if content.shape[-2:] == (256, 256)
    ]
    return mean_error(StyleLoss(pixels=0, trunk=held_out_trunk()), pairs, InTraining.forward)


def from_small(network: AdaIN) -> AdaIN:
    """The encoder of the small feature network, and a decoder with He's initialisation, its last layer × 0.1.

    Raises:
        FileNotFoundError: If the small feature network has no weights yet.
    """
    network.encoder.load_state_dict(features.load((TAP,), "small").trunk.state_dict())
    he_init(network.decoder)
    shrink_last_convolution(network.decoder)
    return network


def style_pictures(contents: TrainingSet, *, drawings: int = 4, at_hand: bool = True) -> dict[str, list[Tensor]]:
    """Pictures to take styles from, by kind: drawings, the contents themselves, and paintings.

    Args:
        contents: Photographs: any picture is a style too.
        drawings: Number of drawings of each kind, other ones than the lectures show.
        at_hand: Whether to look for paintings, in ``style_transfer/style`` of ``IMTRANS_DATA``. Those of ``SHOWN`` are
            left out.
    """
    drawn = [draw(size=256, seed=100 + number) for draw in styles.STYLES.values() for number in range(drawings)]
    kinds = {"drawings": drawn, "photographs": contents.pictures}
    root = assets.data_root()
    if at_hand and root and (folder := root / "style_transfer" / "style").is_dir():
        kinds["paintings"] = [p.expand(1, 3, -1, -1) for name, p in load_folder(folder) if name not in SHOWN]
    return kinds


@dataclass(frozen=True)
class Pairs:
    """Samples of contents and styles as a function of the seed; the first ones have no style but their own.

    Attributes:
        contents: Pictures of contents.
        kinds: Pictures of styles, by kind.
        size: Side of the patches in pixels.
        alone: Number of samples without another style.
    """

    contents: TrainingSet
    kinds: Mapping[str, list[Tensor]]
    size: int
    alone: int

    def __call__(self, seed: int) -> ContentAndStyle:
        """The samples."""
        return ContentAndStyle(
            Crops(self.contents.pictures, self.size, seed=seed),
            # Strokes at more than one size: a style's pieces are up to three times as large as the patches.
            [Crops(pictures, self.size, zoom=3, seed=seed + 1) for pictures in self.kinds.values()],
            alone=self.alone,
            share=0.1,
            seed=seed,
        )

    def stretched(self, factor: float) -> "Pairs":
        """The same with another length of the first stage."""
        return replace(self, alone=round(self.alone * factor))


def sources(contents: TrainingSet, kinds: dict[str, list[Tensor]]) -> tuple[str, ...]:
    """Descriptions of contents, styles and the encoder, which has learned from pictures of its own, for the card."""
    of_styles = (f"styles, {kind}: {len(pictures)} pictures" for kind, pictures in kinds.items())
    return (*contents.sources, *of_styles, "encoder: features-small")


def full(*, data: Folders = None) -> Recipe:
    """Our best schedule.

    Args:
        data: Folders of contents in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    contents = training_pictures(IMAGENET_AND_BSD, data).rgb()
    kinds = style_pictures(contents)
    return Recipe(
        name="adain",
        budget="full",
        model=lambda: from_small(InTraining(width=1 / 4)),
        deployed=AdaIN.small,
        data=Pairs(contents, kinds, 128, alone=2_000 * 4),
        sources=sources(contents, kinds),
        loss=StyleLoss(),
        optimizer=MuonAndAdam(0.003),
        schedule=cosine(warmup=50),
        steps=6_000,
        batch=4,
        validate_every=500,
        autocast=True,
    )


def quick(*, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs and drawings, with the small network as loss network.

    Args:
        data: Folders of contents in place of the bundled ones.
    """
    contents = training_pictures(folders=data).rgb()
    kinds = style_pictures(contents, drawings=1, at_hand=False)
    return Recipe(
        name="adain",
        budget="quick",
        model=lambda: from_small(InTraining(width=1 / 4)),
        deployed=AdaIN.small,
        data=Pairs(contents, kinds, 64, alone=60 * 4),
        sources=sources(contents, kinds),
        loss=StyleLoss(trunk="small"),
        optimizer=MuonAndAdam(0.003),
        schedule=cosine(warmup=10),
        steps=120,
        batch=4,
        validate_every=60,
    )


def classroom(*, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs and drawings.

    The loss network is the hybrid where that is on this machine, else the best trunk at hand; ``sources`` name it.

    Args:
        data: Folders of contents in place of the bundled ones.
    """
    contents = training_pictures(folders=data).rgb()
    kinds, trunk = style_pictures(contents), held_out_trunk() or features.best_trunk()
    return replace(
        quick(data=data),
        budget="class",
        data=Pairs(contents, kinds, 128, alone=600 * 8),
        sources=(*sources(contents, kinds), f"loss network: {trunk}"),
        loss=StyleLoss(trunk=trunk),
        schedule=cosine(warmup=50),
        steps=6_000,
        batch=8,
        validate_every=1_200,
        workers=2,
        autocast=True,
    )


def paper(*, data: Folders = None) -> Recipe:
    """The authors' code: VGG-19 as loss network, 8 pairs of 256² pixels, 160,000 steps, squared errors with λ = 0.1.

    Departures: its 80,000 photographs and 80,000 paintings are not at hand (``data`` names folders of contents; as
    floats in memory, 80,000 of 640×480 pixels take 295 GB). Drawings and the contents are styles too, half of all
    styles are recoloured, and a tenth of the contents are their own style. The weights of VGG-19 are torchvision's, not
    the normalised ones (``imtrans data fetch vgg19`` brings them), and encoder and decoder are those of the registry's
    entry, a quarter as wide. For a wider one give ``replace(paper(), model=…, deployed=AdaIN)`` to
    `imtrans.training.fit`.

    Args:
        data: Folders of contents in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    contents = training_pictures(IMAGENET_AND_BSD, data).rgb()
    kinds = style_pictures(contents)
    return Recipe(
        name="adain",
        budget="paper",
        model=lambda: from_small(InTraining(width=1 / 4)),
        deployed=AdaIN.small,
        data=Pairs(contents, kinds, 256, alone=0),
        sources=sources(contents, kinds),
        loss=StyleLoss(0.1, 0, F.mse_loss, statistics_squares, trunk="vgg19"),
        optimizer=Adam(1e-4),
        # A ninth of the first rate remains at the last step.
        schedule=Schedule("rate / (1 + 5e-5 t)", lambda step, steps: 1 / (1 + 5e-5 * step)),
        steps=160_000,
        batch=8,
        workers=2,
    )


recipe = by_budget(quick, classroom, full, paper)
