"""The deep image prior: an untrained network is fitted to one damaged picture, and stopped in time.

    noisy = GaussianNoise(25)(picture, seed=0)
    restored = prior.restore(noisy, prior.settings.denoising(), stop=prior.LeastVariance()).picture

The settings are the paper's, task by task. The damage is an argument: ``degrade`` (low resolution) or ``mask`` (missing
pixels). Ulyanov, Vedaldi and Lempitsky, "Deep Image Prior", CVPR 2018 and IJCV 2020.
"""

from imtrans.prior import settings
from imtrans.prior.estimate import needed_bytes, seconds_per_iteration
from imtrans.prior.fit import Restored, State, iterate, restore
from imtrans.prior.masks import holds_a_hole, shrink_mask
from imtrans.prior.planning import Plan, plan
from imtrans.prior.settings import Settings
from imtrans.prior.stopping import Discrepancy, LeastVariance, Rule

__all__ = [
    "Discrepancy",
    "LeastVariance",
    "Plan",
    "Restored",
    "Rule",
    "Settings",
    "State",
    "holds_a_hole",
    "iterate",
    "needed_bytes",
    "plan",
    "restore",
    "seconds_per_iteration",
    "settings",
    "shrink_mask",
]
