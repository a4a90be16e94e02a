"""Muon: K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024.

``torch.optim.Muon`` takes matrices alone. Here a convolution is one: (out, in · k · k).
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def orthogonalize(update: Tensor, steps: int = 5) -> Tensor:
    """About the nearest semi-orthogonal matrix: U Vᵀ of ``update`` = U S Vᵀ, by Newton–Schulz iteration.

    The quintic polynomial is the authors': five steps bring each singular value into about [0.7, 1.2].

    Args:
        update: (rows, columns), not all zero.
        steps: Of the iteration.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (update.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, then each weight's update replaced by a semi-orthogonal matrix. For the hidden convolutions.

    Args:
        parameters: Weights of two or more dimensions, the first one the outputs.
        lr: The length of a step, in the spectral norm: 0.01 to 0.02 for the networks here.
        momentum: Nesterov's.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 0.01, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One update from the gradients; ``closure`` is not used (the argument is that of every optimiser)."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                velocity = self.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight.grad))
                velocity.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(velocity, group["momentum"])
                matrix = orthogonalize(update.flatten(1))
                weight.add_(matrix.reshape(weight.shape), alpha=-group["lr"])


def muon_and_adam(
    model: torch.nn.Module, lr: float, adam_lr: float = 1e-3, *, ends: bool = False
) -> list[torch.optim.Optimizer]:
    """Muon for the hidden convolutions, Adam for all the rest: first and last convolution, biases, norms.

    Args:
        model: Its first and last weights of four dimensions, in the order of its parameters, are its ends.
        lr: Muon's.
        adam_lr: Adam's.
        ends: Give Muon the weights of the first and last convolution too.
    """
    kernels = [p for p in model.parameters() if p.ndim == 4]
    hidden = kernels if ends else kernels[1:-1]
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [Muon(hidden, lr=lr), torch.optim.Adam(rest, lr=adam_lr)]
