"""Muon: K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024.

``torch.optim.Muon`` accepts matrices alone. Here the weight of a convolution counts as one: (out, in · k · k).
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def orthogonalize(update: Tensor, steps: int = 5) -> Tensor:
    """Approximately the nearest semi-orthogonal matrix: U Vᵀ of ``update`` = U S Vᵀ, by Newton–Schulz iteration.

    The quintic polynomial is the authors': five steps bring each singular value into about [0.7, 1.2].

    Args:
        update: (…, rows, columns): one matrix or a batch of them, none of them zero.
        steps: Number of iterations.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (update.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, then each weight's update replaced by a semi-orthogonal matrix. For the hidden convolutions.

    Args:
        parameters: Weights of two or more dimensions, the first one the outputs.
        lr: Length of a step in the spectral norm: 0.01 to 0.02 for the networks here.
        momentum: Nesterov momentum.
        weight_decay: Decoupled weight decay: each step first multiplies the weights by 1 − lr · weight_decay.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 0.01, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("weight_decay", 0.0)  # checkpoints from before there was any

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Update the weights from their gradients; ``closure`` is not used (every optimiser has this argument)."""
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            for weight in weights:
                state = self.state[weight]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(weight.grad)
                state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
            for alike in _batches(weights):
                updates = [w.grad.lerp(self.state[w]["momentum_buffer"], group["momentum"]).flatten(1) for w in alike]
                matrices = orthogonalize(torch.stack(updates)) if len(updates) > 1 else [orthogonalize(updates[0])]
                for weight, matrix in zip(alike, matrices, strict=True):
                    if group["weight_decay"]:
                        weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(matrix.reshape(weight.shape), alpha=-group["lr"])


def _batches(weights: list[Tensor]) -> list[list[Tensor]]:
    """Weights whose matrices are computed together: on a GPU those of one shape, which makes fewer, larger kernels."""
    batches: dict[object, list[Tensor]] = {}
    for weight in weights:
        batches.setdefault(weight.shape if weight.is_cuda else id(weight), []).append(weight)
    return list(batches.values())
