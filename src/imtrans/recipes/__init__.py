"""How each network is trained: one file per network, one plain function per budget that returns a recipe.

    recipes.srcnn.quick(scale=3)
    recipes.srcnn.recipe("quick", scale=3)  # the same, the budget by its name

Budgets: ``quick`` is half a minute of CPU on what every clone has; ``class`` (the function ``classroom``) some minutes
of a small GPU; ``full`` our best schedule, the one behind the weights of the zoo; ``paper`` the paper's own optimiser,
data and length.
"""

from collections.abc import Callable
from functools import partial

from imtrans.recipes import cdncnn_blind, dncnn, dncnn_3, dncnn_blind, edsr, espcn, srcnn, srcnn_955, vdsr
from imtrans.recipes.budgets import BUDGETS
from imtrans.training import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {
    "srcnn-x2": partial(srcnn.recipe, scale=2),
    "srcnn-x3": partial(srcnn.recipe, scale=3),
    "srcnn-x4": partial(srcnn.recipe, scale=4),
    "srcnn-955-x3": partial(srcnn_955.recipe, scale=3),
    "vdsr": vdsr.recipe,
    "espcn-x3": partial(espcn.recipe, scale=3),
    "dncnn-15": partial(dncnn.recipe, sigma=15),
    "dncnn-25": partial(dncnn.recipe, sigma=25),
    "dncnn-50": partial(dncnn.recipe, sigma=50),
    "dncnn-blind": dncnn_blind.recipe,
    "dncnn-3": dncnn_3.recipe,
    "cdncnn-blind": cdncnn_blind.recipe,
    "edsr-baseline-x2": partial(edsr.recipe, scale=2),
}

__all__ = [
    "BUDGETS",
    "RECIPES",
    "cdncnn_blind",
    "dncnn",
    "dncnn_3",
    "dncnn_blind",
    "edsr",
    "espcn",
    "srcnn",
    "srcnn_955",
    "vdsr",
]
