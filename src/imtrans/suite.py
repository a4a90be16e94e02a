"""Which networks are scored on what, by which protocol, and what a training is watched by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from torch import nn

from imtrans import metrics, restore
from imtrans.data import benchmarks
from imtrans.degrade import Degradation, Downscale, GaussianNoise, Jpeg
from imtrans.evaluation import evaluate
from imtrans.recipes.pictures import validation_pictures

NOISE_LEVELS = (15, 25, 50)
JPEG_QUALITIES = (10, 20, 30, 40)


@dataclass(frozen=True)
class Part:
    """One part of a suite: a task, the test sets and the protocols that its scores are made by."""

    task: str
    sets: tuple[str, ...]
    protocols: tuple[str, ...]


DENOISING = Part("denoising", ("Set12", "BSD68"), ("gray",))
DEBLOCKING = Part("deblocking", ("Set5", "B100"), ("y8",))
LUMA = (Part("super-resolution", ("Set5", "Set14", "B100"), ("y8",)), DENOISING, DEBLOCKING)
RGB = (
    Part("super-resolution", ("Set5", "Set14", "B100"), ("rgb-y", "rgb-y8")),
    Part("denoising", ("CBSD68",), ("rgb",)),
)
# Networks that are not scored like all others of their channels, by their names in the zoo.
SUITES = {"dncnn-3": (Part("super-resolution", ("Set5", "Set14"), ("y-double",)), DENOISING, DEBLOCKING)}


def standard_degradations(model: nn.Module) -> tuple[Degradation, ...]:
    """What a network is measured at: its scales, the noise level it is for (15, 25, 50 if blind), JPEG 10 to 40."""
    tasks, sigma = restore.tasks(model), getattr(model, "sigma", None)
    degradations: list[Degradation] = [Downscale(scale) for scale in model.scales]
    if "denoising" in tasks and sigma is not None:
        degradations += [GaussianNoise(s) for s in (NOISE_LEVELS if isinstance(sigma, tuple) else (sigma,))]
    if "deblocking" in tasks:
        degradations += [Jpeg(quality) for quality in JPEG_QUALITIES]
    return tuple(degradations)


def card_scores(model: nn.Module, name: str, *, progress: bool = False) -> list[dict[str, Any]]:
    """The scores of a network on the test sets at hand, as its card holds them. Nothing is fetched.

    Args:
        model: A trained network.
        name: Its name in the zoo, which may have a suite of its own in `SUITES`.
        progress: Show bars.
    """
    scores = []
    for part in SUITES.get(name, RGB if model.channels == 3 else LUMA):
        degradations = [each for each in standard_degradations(model) if each.task == part.task]
        for set_name in part.sets:
            if not (degradations and benchmarks.locate(set_name)):
                continue
            pictures = benchmarks.load(set_name)
            for degradation in degradations:
                for protocol in part.protocols:
                    result = evaluate(model, pictures, degradation, protocol=protocol, name=set_name, progress=progress)
                    record = degradation.record() | {"protocol": protocol, "border": result.border}
                    scores.append({"set": set_name} | record | _rounded(result.scores))
                    if part.task == "deblocking":
                        untouched = evaluate("input", pictures, degradation, protocol=protocol)
                        scores[-1]["input_psnr"] = _rounded(untouched.scores)["psnr"]
    return scores


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    """The scores in the precision of cards: decibels to a thousandth, SSIM to its four decimals."""
    return {key: round(value, max(3, metrics.METRICS[key].decimals)) for key, value in scores.items()}


def validator(
    degradations: Sequence[Degradation], size: int = 160, metric: str = "psnr"
) -> Callable[[nn.Module], dict[str, float]]:
    """What `imtrans.training.fit` calls to see how far a network is, on pictures that no training sees.

    They are those of `imtrans.recipes.pictures.validation_pictures`; the middle of each, so that a call takes seconds.

    Args:
        degradations: What the network has to undo, `standard_degradations` for instance.
        size: Side of the middle piece in pixels.
        metric: Key of `imtrans.metrics.METRICS`.

    Returns:
        Network → ``{"psnr": mean}``, with several degradations also ``"psnr_x2"``, ``"psnr_25"``, ``"psnr_q10"`` and
        so on, by the default protocol; another metric under its own key.
    """
    middles = validation_pictures(size)
    gray = [(name, metrics.luma(picture, rounded=True)) for name, picture in middles]

    def validate(model: nn.Module) -> dict[str, float]:
        each = {}
        for degradation in degradations:
            wants_gray = degradation.task == "denoising" and model.channels == 1
            result = evaluate(model, gray if wants_gray else middles, degradation, metrics=(metric,))
            each[f"{metric}_{degradation.label}"] = result.scores[metric]
        return {metric: fmean(each.values()), **(each if len(each) > 1 else {})}

    return validate
