"""How each network is trained: one file per network, one plain function per budget that returns a recipe.

    recipes.srcnn.quick(scale=3)
    recipes.srcnn.recipe("quick", scale=3)  # the same, the budget by its name

Budgets: ``quick`` is half a minute of CPU on what every clone has; ``class`` (the function ``classroom``) some minutes
of a small GPU; ``full`` our best schedule, the one behind the weights of the zoo; ``paper`` the paper's own optimiser,
data and length. The registry, `imtrans.zoo.entries`, says which recipe belongs to which weights.
"""

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
from imtrans.recipes.budgets import BUDGETS

__all__ = [
    "BUDGETS",
    "adain",
    "cdncnn_blind",
    "colorization",
    "dncnn",
    "dncnn_3",
    "dncnn_blind",
    "edsr",
    "espcn",
    "features",
    "johnson",
    "johnson_sr",
    "mdsr",
    "rcan",
    "rdn",
    "srcnn",
    "srcnn_955",
    "vdsr",
]
