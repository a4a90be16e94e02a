"""Perturb what an optimiser starts from by one part in a million: the ground ``perturbed`` of ``make test-machines``.

Processors, thread counts and library versions differ in the last bits of a sum, and training amplifies the difference.
Python imports a module of this name at its start where the folder is on ``PYTHONPATH``.
"""

import torch

_init = torch.optim.Optimizer.__init__


def _perturbed_init(self, params, defaults):
    _init(self, params, defaults)
    random = torch.Generator().manual_seed(0)  # its own: the seeds of the notebook give the same numbers as ever
    with torch.no_grad():
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 + 1e-6 * torch.randn(parameter.shape, generator=random).to(parameter))


torch.optim.Optimizer.__init__ = _perturbed_init
