"""How each network is trained: plain functions that return a `imtrans.training.Recipe` for a budget.

Budgets: ``quick`` is half a minute of CPU on what every clone has; ``class`` some minutes of a small GPU; ``full`` our
best schedule, which made the weights of the zoo; ``paper`` the paper's own optimiser, data and length.
"""

from collections.abc import Callable
from functools import partial

from imtrans.recipes.dncnn import dncnn, dncnn_3, dncnn_blind
from imtrans.recipes.edsr import edsr_baseline
from imtrans.recipes.espcn import espcn
from imtrans.recipes.material import BUDGETS
from imtrans.recipes.srcnn import srcnn
from imtrans.recipes.vdsr import vdsr
from imtrans.training import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {
    "srcnn-x2": partial(srcnn, 2),
    "srcnn-x3": partial(srcnn, 3),
    "srcnn-x4": partial(srcnn, 4),
    "srcnn-955-x3": partial(srcnn, 3, f2=5, sets=("T91", "BSD200"), name="srcnn-955-x3"),
    "vdsr": vdsr,
    "espcn-x3": partial(espcn, 3),
    "dncnn-15": partial(dncnn, 15),
    "dncnn-25": partial(dncnn, 25),
    "dncnn-50": partial(dncnn, 50),
    "dncnn-blind": dncnn_blind,
    "dncnn-3": dncnn_3,
    "cdncnn-blind": partial(dncnn_blind, 3),
    "edsr-baseline-x2": partial(edsr_baseline, 2),
}

__all__ = ["BUDGETS", "RECIPES", "dncnn", "dncnn_3", "dncnn_blind", "edsr_baseline", "espcn", "srcnn", "vdsr"]
