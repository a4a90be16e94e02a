"""From a task to what `restore` needs: settings, rule, and what is known about the damage."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from torch import Tensor

from imtrans.degrade import lanczos_down
from imtrans.prior import settings
from imtrans.prior.masks import holds_a_hole
from imtrans.prior.settings import Settings
from imtrans.prior.stopping import LeastVariance, Rule


@dataclass(frozen=True)
class Plan:
    """A job for `restore`: ``restore(observed, plan.settings, stop=plan.stop, **plan.options)``.

    Attributes:
        settings: The paper's settings for the task.
        size: (H, W) of the restored picture.
        stop: Rule for the moment of stopping; None where there is no noise, and all iterations are run.
        options: Keyword arguments of `iterate` that describe the damage: ``mask``, or ``degrade`` and ``size``.
    """

    settings: Settings
    size: tuple[int, int]
    stop: Rule | None = None
    options: dict[str, Any] = field(default_factory=dict)


def plan(
    task: Literal["denoise", "inpaint", "super-resolve"],
    observed: Tensor,
    *,
    mask: Tensor | None = None,
    scale: int = 4,
) -> Plan:
    """The paper's way to restore a picture.

    Args:
        task: Kind of the damage.
        observed: Damaged picture, (1, C, H, W).
        mask: To inpaint: (1, 1, H, W), 1 = known. A square of 33 missing pixels makes it a large hole.
        scale: To super-resolve: upscaling factor.

    Raises:
        ValueError: If a mask comes without the task that needs it, or the other way round.
    """
    if (mask is not None) != (task == "inpaint"):
        raise ValueError("to inpaint, and only then, a mask is needed")
    height, width = observed.shape[-2:]
    if task == "denoise":
        return Plan(settings.denoising(), (height, width), LeastVariance())
    if task == "inpaint":
        chosen = settings.hole_filling() if holds_a_hole(mask) else settings.inpainting()
        return Plan(chosen, (height, width), options={"mask": mask})
    size = (scale * height, scale * width)
    options = {"degrade": partial(lanczos_down, scale=scale), "size": size}
    return Plan(settings.super_resolution(scale), size, options=options)
