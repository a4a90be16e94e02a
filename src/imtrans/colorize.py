"""Colours for a gray picture by a trained colorizer (Zhang et al. 2016), and how near to the original colours they are.

    colorize(zoo.load("colorizer"), gray)  # (N, 3, H, W)

The network looks at a small copy and says at a quarter of its resolution what colours there are. They are enlarged and
laid over the lightness of the picture itself, which keeps every detail: eyes see edges of lightness, hardly those of
colour.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.color import lab_to_rgb, lab_within_gamut, rgb_to_lab
from imtrans.images import check_picture
from imtrans.models.blocks import evaluation_mode
from imtrans.models.colorization import Colorizer, annealed_mean, nearest_bin, rebalancing_weights
from imtrans.recipes.colorization import SHORTER  # the network sees what it saw in its training

FARTHEST = 150.0  # Lab units: the last threshold of the paper's curve of errors
RAREST = 1e-5  # no colour counts as rarer than this: else a few pixels would be the whole score


def lightness(picture: Tensor) -> Tensor:
    """L of Lab in [0, 100], (N, 1, H, W), of gray or RGB pictures (N, 1 or 3, H, W) in [0, 1]."""
    return rgb_to_lab(picture.expand(-1, 3, -1, -1))[:, :1].clamp(0, 100)


def logits(model: Colorizer, light: Tensor, *, mix: float | None = 0.5, shorter: int = SHORTER) -> Tensor:
    """The network's logits (N, 313, h, w) for lightness (N, 1, H, W), from a small copy; rare colours may gain weight.

    Args:
        model: A classifier.
        light: L of Lab in [0, 100].
        mix: λ of the rebalancing: log w is added to the logits, which is what a training by the weighted loss would
            converge to. None leaves the posterior of the training pictures.
        shorter: Shorter side of the copy in pixels.

    Raises:
        ValueError: On a mix outside of [0, 1].
    """
    found = _output(model, light, shorter)
    if mix is None:
        return found
    return found + rebalancing_weights(model.log_prior.exp(), mix).log().view(1, -1, 1, 1).to(found)


@torch.no_grad()
def predict_ab(
    model: Colorizer, light: Tensor, *, temperature: float = 0.38, mix: float | None = 0.5, shorter: int = SHORTER
) -> Tensor:
    """a and b (N, 2, H, W) for lightness (N, 1, H, W).

    Args:
        model: A classifier; or a regression, for which temperature and mix mean nothing.
        light: L of Lab in [0, 100].
        temperature: T of the annealed mean, from 1 (mean) to 0 (mode).
        mix: As for `logits`.
        shorter: As for `logits`.

    Raises:
        ValueError: On a temperature or mix outside of [0, 1].
    """
    if model.regresses:
        small = _output(model, light, shorter)
    else:
        small = annealed_mean(logits(model, light, mix=mix, shorter=shorter), temperature)
    return F.interpolate(small, size=light.shape[-2:], mode="bilinear").to(light.device)


def colorize(
    model: Colorizer, picture: Tensor, *, temperature: float = 0.38, mix: float | None = 0.5, shorter: int = SHORTER
) -> Tensor:
    """RGB (N, 3, H, W) in [0, 1] with the lightness of a picture and the colours of a network.

    Where sRGB has no such colour at this lightness, the chroma gives way.

    Args:
        model: As for `predict_ab`.
        picture: Gray or RGB (N, 1 or 3, H, W) in [0, 1]; only its lightness is used.
        temperature: As for `predict_ab`.
        mix: As for `logits`.
        shorter: As for `logits`.

    Raises:
        ValueError: On another shape, dtype or range, or a temperature or mix outside of [0, 1].
    """
    check_picture(picture)
    if picture.shape[1] not in (1, 3):
        raise ValueError(f"wanted gray or RGB (N, 1 or 3, H, W), got shape {tuple(picture.shape)}")
    light = lightness(picture)
    return join(light, predict_ab(model, light, temperature=temperature, mix=mix, shorter=shorter))


def join(light: Tensor, ab: Tensor) -> Tensor:
    """RGB (N, 3, H, W) in [0, 1] of L (N, 1, H, W) and of a and b (N, 2, H, W), as far as sRGB has them."""
    return lab_to_rgb(lab_within_gamut(torch.cat([light, ab], dim=1)))


def auc(pairs: Iterable[tuple[Tensor, Tensor]], prior: Tensor | None = None) -> float:
    """The paper's AuC in percent: the area under the share of pixels whose error is at most t, for t from 0 to 150.

    That area is 1 − E[min(d, 150)] / 150, where d is the distance in (a, b): a mean error in disguise.

    Args:
        pairs: Predicted and true a and b, each (N, 2, H, W); all pixels count together.
        prior: p̃, (313,). With it each pixel counts by 1 / p̃ of its true colour: the rebalanced AuC, λ = 0.
    """
    error = count = 0.0
    for prediction, truth in pairs:
        distance = (prediction - truth).norm(dim=1).clamp(max=FARTHEST).double()
        weight = torch.ones_like(distance)
        if prior is not None:
            weight = 1 / prior.to(truth.device).clamp(min=RAREST)[nearest_bin(truth)].double()
        error += float((weight * distance).sum())
        count += float(weight.sum())
    return 100 * (1 - error / count / FARTHEST)


def chroma(ab: Tensor) -> float:
    """The mean distance from gray of a and b (N, 2, H, W)."""
    return float(ab.norm(dim=1).mean())


def _output(model: Colorizer, light: Tensor, shorter: int) -> Tensor:
    """The network on a small copy whose sides divide by 8, on its own device."""
    height, width = light.shape[-2:]
    factor = min(1.0, shorter / min(height, width))
    size = tuple(max(8, 8 * round(side * factor / 8)) for side in (height, width))
    small = F.interpolate(light, size=size, mode="bilinear", antialias=True)
    with evaluation_mode(model):
        return model(small.to(model.head.weight.device))
