"""When to stop, without the truth: rules that watch the outputs or the loss of a fit."""

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


class Rule(Protocol):
    """A rule for the moment of stopping.

    Attributes:
        best: The iteration to keep, of those seen so far.
        done: Whether the fit may end.
    """

    best: int
    done: bool

    def update(self, iteration: int, output: Tensor, loss: float) -> None:
        """Take an iteration into account; after a collapse earlier iterations come again."""


@dataclass
class LeastVariance:
    """Stop where the outputs change least: at the minimum of their moving variance.

    While structure is fitted the outputs move, and when noise is fitted they move again; in between they are calm.
    The rule needs neither the truth nor the noise level. Wang, Li, Zhuang, Chen, Liang and Sun, "Early Stopping for
    Deep Image Prior", TMLR 2023, the exponential version: with the moving mean m,
    v ← (1 − α)(v + α ‖x − m‖²), m ← (1 − α) m + α x.

    Args:
        alpha: Weight of the newest output.
        warmup: Number of iterations in which no minimum counts: the first outputs are flat, hence calm too.
        patience: Number of iterations without a lower variance after which the fit ends: three times 1/α, the memory
            of the variance. On the nine runs of results/prior-stopping.csv 100 does a little better, and 300 waits for
            a late minimum in two of them.

    Attributes:
        variances: Mean of v over the pixels, one number per iteration.
    """

    alpha: float = 0.02
    warmup: int = 100
    patience: int = 150
    best: int = 0
    done: bool = False
    variances: list[float] = field(default_factory=list)
    _mean: Tensor | None = field(default=None, repr=False)
    _least: float = field(default=float("inf"), repr=False)

    def update(self, iteration: int, output: Tensor, loss: float) -> None:
        """Take the output (1, C, H, W) of an iteration into account."""
        del self.variances[iteration - 1 :]  # of iterations that come again after a collapse
        if not self.variances:  # a single output has no variance
            self._mean, variance = output.clone(), float("inf")
        else:
            before = self.variances[-1] if len(self.variances) > 1 else 0.0
            change = output - self._mean
            variance = (1 - self.alpha) * (before + self.alpha * change.square().mean().item())
            self._mean += self.alpha * change
        self.variances.append(variance)
        if iteration <= self.warmup or variance <= self._least:
            self.best, self._least = iteration, variance
        self.done = iteration - self.best >= self.patience


@dataclass
class Discrepancy:
    """Stop when the residual is as large as the noise is known to be (Morozov): MSE(f(z), x0) ≤ (σ/255)².

    Args:
        sigma: Noise level of the observation in 8-bit levels. With a mask, multiply it by the square root of the share
            of known pixels, since the loss is a mean over all pixels.
    """

    sigma: float
    best: int = 0
    done: bool = False

    def update(self, iteration: int, output: Tensor, loss: float) -> None:
        """Take the loss of an iteration, the mean squared residual, into account."""
        self.best = iteration
        self.done = loss <= (self.sigma / 255) ** 2
