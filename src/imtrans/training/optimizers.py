"""Optimisers as descriptions: frozen, they build ``torch.optim`` optimisers for a network and print themselves."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from imtrans.muon import Muon


class Optimizer(Protocol):
    """A description of how the weights of a network are updated; ``str()`` gives its words for the card."""

    def build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """The optimisers of all parameters of ``model``, each parameter in exactly one of them."""
        ...


def _rate(value: float) -> str:
    """A learning rate as people write it: 0.01, 5e-4."""
    if value >= 0.01:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    PyTorch adds the weight decay to the gradient after any clipping, as MatConvNet does.

    Attributes:
        lr: Learning rate.
        momentum: Momentum, not Nesterov's.
        weight_decay: Factor of the weights that is added to their gradient.
        last_layer: Multiplier of the learning rate for the weights and biases of the last layer.
        biases: Multiplier of the learning rate for the biases of the other layers.
    """

    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    last_layer: float = 1.0
    biases: float = 1.0

    def build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """One SGD with one parameter group per learning rate."""
        names = [name for name, _ in model.named_parameters()]
        last = names[-1].rpartition(".")[0]
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            layer, _, kind = name.rpartition(".")
            factor = self.last_layer if layer == last else self.biases if kind == "bias" else 1.0
            groups.setdefault(factor, []).append(parameter)
        options = [{"params": group, "lr": self.lr * factor} for factor, group in groups.items()]
        return [torch.optim.SGD(options, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)]

    def __str__(self) -> str:
        words = [f"SGD {_rate(self.lr)}", f"momentum {self.momentum:g}"]
        if self.weight_decay:
            words.append(f"weight decay {_rate(self.weight_decay)}")
        if self.last_layer != 1:
            words.append(f"last layer × {self.last_layer:g}")
        if self.biases != 1:
            words.append(f"biases × {self.biases:g}")
        return ", ".join(words)


@dataclass(frozen=True)
class Adam:
    """Adam with PyTorch's defaults: ε = 1e-8.

    Attributes:
        lr: Learning rate.
        betas: Decay of the two moments.
        weight_decay: Factor of the weights that is added to their gradient.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    def build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """One Adam for all parameters."""
        return [torch.optim.Adam(model.parameters(), lr=self.lr, betas=self.betas, weight_decay=self.weight_decay)]

    def __str__(self) -> str:
        words = [f"Adam {_rate(self.lr)}"]
        if self.betas != (0.9, 0.999):
            words.append(f"β {self.betas[0]:g} and {self.betas[1]:g}")
        if self.weight_decay:
            words.append(f"weight decay {_rate(self.weight_decay)}")
        return ", ".join(words)


@dataclass(frozen=True)
class MuonAndAdam:
    """Muon for the hidden convolutions; Adam for the rest: first and last convolution, biases, norms.

    The first and the last parameter of four dimensions, in the network's order, are its first and last convolution.

    Attributes:
        lr: Learning rate of Muon.
        adam_lr: Learning rate of Adam.
        ends: Whether Muon updates the weights of the first and last convolution too: small networks of two or three
            layers (SRCNN, ESPCN) have hardly any others.
        weight_decay: Decoupled weight decay of Muon.
    """

    lr: float
    adam_lr: float = 1e-3
    ends: bool = False
    weight_decay: float = 0.0

    def build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """Two optimisers: Muon, then Adam."""
        kernels = [p for p in model.parameters() if p.ndim == 4]
        hidden = kernels if self.ends else kernels[1:-1]
        chosen = {id(p) for p in hidden}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        muon = Muon(hidden, lr=self.lr, weight_decay=self.weight_decay)
        return [muon, torch.optim.Adam(rest, lr=self.adam_lr)]

    def __str__(self) -> str:
        convolutions, rest = ("convolutions", "biases") if self.ends else ("hidden convolutions", "rest")
        decay = f" with weight decay {_rate(self.weight_decay)}" if self.weight_decay else ""
        return f"Muon {_rate(self.lr)}{decay} for the {convolutions}, Adam {_rate(self.adam_lr)} for the {rest}"
