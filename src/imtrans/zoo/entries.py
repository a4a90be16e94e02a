"""The registry: one entry per network, in the order of the lectures.

Two tables, so that general code need not ask what a network is for: `RESTORERS` return the picture that they were given
a damaged copy of, and are scored by `imtrans.suite`; `OTHERS` have a measure of their own.

    entry = ENTRIES["srcnn-x3"]
    entry.build(), entry.recipe("quick")

An entry brings together what lies in several places: the architecture (`imtrans.models`), what its weights are for, the
recipe (`imtrans.recipes`), the rows of its paper (`imtrans.published`), and what new weights have to reach.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from imtrans.data.styles import STYLES
from imtrans.models.adain import AdaIN
from imtrans.models.colorization import Colorizer
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR, MDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.features import SmallVGG
from imtrans.models.rcan import RCAN
from imtrans.models.rdn import RDN
from imtrans.models.srcnn import SRCNN
from imtrans.models.transform_network import StyleNetwork, SuperResolutionNetwork
from imtrans.models.vdsr import VDSR
from imtrans.recipes import (
    adain,
    cdncnn_blind,
    colorization,
    dncnn,
    dncnn_3,
    dncnn_blind,
    edsr,
    espcn,
    features,
    johnson,
    johnson_sr,
    mdsr,
    rcan,
    rdn,
    srcnn,
    srcnn_955,
    vdsr,
)
from imtrans.training import Recipe


@dataclass(frozen=True)
class Entry:
    """What the package knows about one network.

    Attributes:
        architecture: Function that builds the network, freshly initialised.
        recipe: Function (budget, data) that returns the recipe.
        paper: Short name of the paper, as in `imtrans.published.papers`.
        model_in_paper: Name of the network in the tables of the paper; None for a variant of ours.
        purpose: What the weights are for, where the architecture serves more: values of ``scales``, ``sigma`` or
            ``quality``, the attributes that a network declares.
        validator: Function that returns what a training is watched by: network → values by name, made on pictures
            that no training sees. None for a network that restores pictures: `imtrans.suite.validator` has the same
            for all of them.
        measure: Name of the value by which `imtrans.runs.publish` compares weights: of `imtrans.metrics.METRICS`, or
            with a ``validator`` one of its own, of which less is better.
        min_gain: Least improvement of that value for which the shipped weights are replaced.
    """

    architecture: Callable[[], nn.Module]
    recipe: Callable[..., Recipe]
    paper: str
    model_in_paper: str | None
    purpose: Mapping[str, Any] = field(default_factory=dict)
    validator: Callable[[], Callable[[nn.Module], dict[str, float]]] | None = None
    measure: str = "psnr"
    min_gain: float = 0.05

    def build(self) -> nn.Module:
        """The network, freshly initialised, with the attributes of its purpose."""
        model = self.architecture()
        for name, value in self.purpose.items():
            setattr(model, name, value)
        return model


RESTORERS: dict[str, Entry] = {
    # Lecture 1
    "srcnn-x2": Entry(SRCNN, partial(srcnn.recipe, scale=2), "srcnn", "SRCNN", {"scales": (2,)}),
    "srcnn-x3": Entry(SRCNN, partial(srcnn.recipe, scale=3), "srcnn", "SRCNN", {"scales": (3,)}),
    "srcnn-x4": Entry(SRCNN, partial(srcnn.recipe, scale=4), "srcnn", "SRCNN", {"scales": (4,)}),
    "srcnn-955-x3": Entry(
        partial(SRCNN, f2=5), partial(srcnn_955.recipe, scale=3), "srcnn", "SRCNN 9-5-5", {"scales": (3,)}
    ),
    # Lecture 5
    "vdsr": Entry(VDSR, vdsr.recipe, "vdsr", "VDSR"),
    # Lecture 6
    # The paper trains on 91 images at ×3 alone; its rows at ×4 are from 50,000 pictures of ImageNet, and ×2 has none.
    "espcn-x2": Entry(partial(ESPCN, 2), partial(espcn.recipe, scale=2), "espcn", None),
    "espcn-x3": Entry(partial(ESPCN, 3), partial(espcn.recipe, scale=3), "espcn", "ESPCN 91 images"),
    "espcn-x4": Entry(partial(ESPCN, 4), partial(espcn.recipe, scale=4), "espcn", "ESPCN"),
    # Lecture 7
    "dncnn-15": Entry(DnCNN, partial(dncnn.recipe, sigma=15), "dncnn", "DnCNN-S", {"sigma": 15}),
    "dncnn-25": Entry(DnCNN, partial(dncnn.recipe, sigma=25), "dncnn", "DnCNN-S", {"sigma": 25}),
    "dncnn-50": Entry(DnCNN, partial(dncnn.recipe, sigma=50), "dncnn", "DnCNN-S", {"sigma": 50}),
    "dncnn-blind": Entry(partial(DnCNN, depth=20), dncnn_blind.recipe, "dncnn", "DnCNN-B"),
    "dncnn-3": Entry(DnCNN.for_three_tasks, dncnn_3.recipe, "dncnn", "DnCNN-3"),
    "cdncnn-blind": Entry(partial(DnCNN, 3, depth=20), cdncnn_blind.recipe, "dncnn", "CDnCNN-B"),
    # Lecture 8
    "edsr-baseline-x2": Entry(partial(EDSR.baseline, 2), partial(edsr.recipe, scale=2), "edsr", "EDSR baseline"),
    "edsr-baseline-x3": Entry(partial(EDSR.baseline, 3), partial(edsr.recipe, scale=3), "edsr", "EDSR baseline"),
    "edsr-baseline-x4": Entry(partial(EDSR.baseline, 4), partial(edsr.recipe, scale=4), "edsr", "EDSR baseline"),
    "mdsr-baseline": Entry(MDSR.baseline, mdsr.recipe, "edsr", "MDSR baseline"),
    # Lecture 10
    "rdn-small-x2": Entry(partial(RDN.small, 2), partial(rdn.recipe, scale=2), "rdn", None),
    # Lecture 11
    "rcan-small-x2": Entry(partial(RCAN.small, 2), partial(rcan.recipe, scale=2), "rcan", None),
    "rcan-medium-x2": Entry(partial(RCAN.medium, 2), partial(rcan.recipe, scale=2, size="medium"), "rcan", None),
}

OTHERS: dict[str, Entry] = {
    # Lecture 2
    **{
        f"johnson-{style}": Entry(
            StyleNetwork.small,
            partial(johnson.recipe, style=style),
            "perceptual-losses",
            None,
            validator=partial(johnson.held_out, style),
            measure="error",
            min_gain=0.01,
        )
        for style in (*STYLES, *johnson.PAINTINGS)
    },
    **{
        name: Entry(
            partial(SuperResolutionNetwork, 4, layout="resize"),
            partial(johnson_sr.recipe, scale=4, loss=loss),
            "perceptual-losses",
            None,
            validator=partial(johnson_sr.held_out, loss, 4),
            measure="error",
            min_gain=0.003,
        )
        for name, loss in (("johnson-sr-pixel-x4", "pixel"), ("johnson-sr-x4", "feature"))
    },
    # Lectures 2, 3, 4 and 12
    "features-small": Entry(
        SmallVGG, features.recipe, "gatys", None, validator=features.held_out, measure="error", min_gain=0.005
    ),
    # Lecture 4
    "adain": Entry(AdaIN.small, adain.recipe, "adain", None, validator=adain.held_out, measure="error", min_gain=0.005),
    # Lecture 13
    "colorizer": Entry(
        Colorizer.small,
        colorization.recipe,
        "colorization",
        None,
        validator=colorization.held_out,
        measure="error",
        min_gain=0.005,
    ),
    "colorizer-l2": Entry(
        partial(Colorizer.small, outputs=2),
        partial(colorization.recipe, regression=True),
        "colorization",
        None,
        validator=partial(colorization.held_out, colorization.root_mean_square),
        measure="error",
        min_gain=0.05,
    ),
}
ENTRIES: dict[str, Entry] = RESTORERS | OTHERS
