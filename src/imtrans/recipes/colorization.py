"""How the small colorizer is trained: by plain cross-entropy; rare colours get their weight at inference.

The weighted loss has its minimum at ẑ ∝ p(q | x) · w_q, so that log w, added to the logits of a plain classifier,
stands for a second training (lecture 13). With ``regression`` the same network has two outputs, and the loss that turns
gray.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor, nn

from imtrans.color import rgb_to_lab
from imtrans.data.pairs import ColorPairs, lightness_and_colors
from imtrans.losses import cross_entropy
from imtrans.models.colorization import Colorizer, encode, mean_code, rebalancing_weights
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import IMAGENET_AND_BSD, Folders, TrainingSet, mean_error, training_pictures
from imtrans.resize import shrink
from imtrans.training import Adam, MuonAndAdam, Recipe, Schedule, cosine

SHORTER = 160  # pixels of the shorter side: a leaf or a face has about one size then
# Eight pictures of B100, chosen before the first training: the sheet on the page shows these, whatever comes out.
SHOWN = ("108005", "296059", "295087", "241004", "300091", "302008", "3096", "42049")


def color_cross_entropy(logits: Tensor, ab: Tensor) -> Tensor:
    """The cross-entropy of logits (N, 313, H, W) with the soft code of colours (N, 2, H, W), in nats."""
    return cross_entropy(logits, encode(ab))


def half_squared_error(prediction: Tensor, ab: Tensor) -> Tensor:
    """L₂(Ŷ, Y) = ½ Σ_hw ‖Y_hw − Ŷ_hw‖², averaged over the positions in place of summed; both (N, 2, H, W)."""
    return (prediction - ab).square().sum(dim=1).mean() / 2


def root_mean_square(prediction: Tensor, ab: Tensor) -> Tensor:
    """The error of a regression in units of Lab, √(2 L₂): both (N, 2, H, W)."""
    return (2 * half_squared_error(prediction, ab)).sqrt()


class Rebalanced:
    """The paper's loss: the cross-entropy weighted by how rare a pixel's colour is.

    Args:
        prior: Function that returns p̃ of the training pictures, (313,); it is called with the first batch.
        mix: λ.
    """

    def __init__(self, prior: Callable[[], Tensor], mix: float = 0.5) -> None:
        self.weights = cache(lambda: rebalancing_weights(prior(), mix))

    def __call__(self, logits: Tensor, ab: Tensor) -> Tensor:
        """The loss of logits (N, 313, H, W) for colours (N, 2, H, W)."""
        return cross_entropy(logits, encode(ab), self.weights().to(logits))


def validation() -> list[Tensor]:
    """Pictures (1, 3, H, W) that no training sees, shrunk, with sides that divide by 8.

    They are those held out of ImageNet1000_256 and BSD500_test where these are at hand, else the bundled ones.
    """
    from imtrans.data import benchmarks, photos

    sets = [name for name in ("ImageNet1000_256", "BSD500_test") if benchmarks.locate(name)]
    pictures = [picture for name in sets for _, picture in benchmarks.load(name, held_out=True)]
    pictures = pictures or [photo.picture for photo in photos.photos("validation")]
    small = [shrink(picture, SHORTER) for picture in pictures if picture.shape[1] == 3]
    return [p[..., : p.shape[2] // 8 * 8, : p.shape[3] // 8 * 8] for p in small]


def held_out(loss: Callable[[Tensor, Tensor], Tensor] = color_cross_entropy) -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: an error on `validation` pictures, lower is better.

    Args:
        loss: Function of (output, ab) that returns the error.
    """
    return mean_error(loss, map(lightness_and_colors, validation()))


def full(*, width: float = 3 / 16, regression: bool = False, data: Folders = None) -> Recipe:
    """Our best schedule.

    Args:
        width: Fraction of the paper's channels.
        regression: Whether to regress a and b by the L₂ loss, for comparison.
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = colorful(training_pictures(IMAGENET_AND_BSD, data))
    return Recipe(
        name="colorizer-l2" if regression else "colorizer",
        budget="full",
        model=network(pictures, width, regression),
        data=pieces(pictures, 96),
        sources=pictures.sources,
        loss=half_squared_error if regression else color_cross_entropy,
        optimizer=MuonAndAdam(0.02, adam_lr=2e-3),
        schedule=cosine(warmup=50),
        steps=8_000,
        batch=16,
        validate_every=800,
        autocast=True,
    )


def quick(*, width: float = 3 / 16, regression: bool = False, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs and dead leaves in their colours.

    Args:
        width: Fraction of the paper's channels.
        regression: Whether to regress a and b by the L₂ loss, for comparison.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = colorful(training_pictures(folders=data))
    return Recipe(
        name="colorizer-l2" if regression else "colorizer",
        budget="quick",
        model=network(pictures, width, regression),
        data=pieces(pictures, 64),
        sources=pictures.sources,
        loss=half_squared_error if regression else color_cross_entropy,
        optimizer=MuonAndAdam(0.02, adam_lr=2e-3),
        schedule=cosine(warmup=10),
        steps=120,
        batch=8,
        validate_every=40,
    )


def classroom(*, width: float = 3 / 16, regression: bool = False, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        width: Fraction of the paper's channels.
        regression: Whether to regress a and b by the L₂ loss, for comparison.
        data: Folders of pictures in place of the bundled ones.
    """
    recipe = quick(width=width, regression=regression, data=data)
    return replace(recipe, budget="class", steps=5_000, batch=16, validate_every=1_000, workers=2, autocast=True)


def paper(*, width: float = 3 / 16, regression: bool = False, data: Folders = None) -> Recipe:
    """The solver of the paper: Adam, 450,000 steps, the weighted loss; on our pictures in place of 1.3 million.

    Pieces of 128 to 256 pixels are resized to the paper's 176.

    Args:
        width: Fraction of the paper's channels; its own network is ``width=1``, without the skip.
        regression: Whether to regress a and b by the L₂ loss, for comparison.
        data: Folders of pictures in place of ImageNet1000_256, BSD200 and BSD500_test.
    """
    pictures = colorful(training_pictures(IMAGENET_AND_BSD, data), 256)
    return Recipe(
        name="colorizer-l2" if regression else "colorizer",
        budget="paper",
        version=2,
        model=network(pictures, width, regression),
        data=pieces(pictures, 176),
        sources=pictures.sources,
        loss=half_squared_error if regression else Rebalanced(partial(prior_of, pictures)),
        optimizer=Adam(3e-5, betas=(0.9, 0.99), weight_decay=1e-3),
        schedule=PAPER_SCHEDULE,
        steps=450_000,
        batch=40,
        workers=2,
    )


# Rates 3e-5, 1e-5 and 3e-6. The authors' released solver divides by 10 after every 225,000 steps.
PAPER_SCHEDULE = Schedule(
    "rate ÷ 3 at 200,000 steps, ÷ 10 at 375,000",
    lambda step, steps: 1 if step < 200_000 else 1 / 3 if step < 375_000 else 0.1,
)


def colorful(pictures: TrainingSet, shorter: int = SHORTER) -> TrainingSet:
    """The same set, each picture shrunk; gray ones, with no a or b beyond ±5, are left out as in the paper."""
    small = [shrink(picture, shorter) for picture in pictures.pictures if picture.shape[1] == 3]
    return replace(pictures, pictures=[p for p in small if rgb_to_lab(p[..., ::4, ::4])[:, 1:].abs().max() > 5])


def network(pictures: TrainingSet, width: float, regression: bool) -> Callable[[], Colorizer]:
    """A function that builds the network, initialised; a classifier begins with the prior of the pictures."""
    if regression:
        return lambda: Colorizer(width=width, skip=width < 1, outputs=2).initialize()
    prior = cache(lambda: prior_of(pictures))  # with the first network: a recipe can be read without it
    return lambda: Colorizer(width=width, skip=width < 1).initialize(prior())


def pieces(pictures: TrainingSet, size: int) -> Callable[[int], ColorPairs]:
    """Pieces of the pictures as a function of the seed."""
    return lambda seed: ColorPairs(pictures.pictures, size, seed=seed)


def prior_of(pictures: TrainingSet) -> Tensor:
    """p̃ of the pictures, (313,): the mean over the pictures of the mean soft code of every 64th pixel."""
    codes = [mean_code(rgb_to_lab(picture[..., ::8, ::8])[:, 1:]) for picture in pictures.pictures]
    return torch.stack(codes).mean(dim=0)


recipe = by_budget(quick, classroom, full, paper)
