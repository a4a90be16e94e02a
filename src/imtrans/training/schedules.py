"""Schedules: the factor on all learning rates, step by step."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A factor on the learning rates that is called with (step, steps) and prints itself.

    Attributes:
        words: Description for the card.
        factor: Function of the step, counted from 0, and of the length of the training.
    """

    words: str
    factor: Callable[[int, int], float]

    def __call__(self, step: int, steps: int) -> float:
        """The factor at ``step`` of ``steps``."""
        return self.factor(step, steps)

    def __str__(self) -> str:
        return self.words


constant = Schedule("constant rate", lambda step, steps: 1.0)


def cosine(warmup: int = 0, floor: float = 0.01) -> Schedule:
    """A linear rise of ``warmup`` steps, then half a cosine from 1 down to ``floor``.

    The rise takes at most a tenth of the training, however short that is.
    """

    def factor(step: int, steps: int) -> float:
        rise = min(warmup, steps // 10)
        if step < rise:
            return (step + 1) / rise
        progress = (step - rise) / max(1, steps - rise)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return Schedule("cosine", factor)


def staircase(factor: float, at: tuple[float, ...]) -> Schedule:
    """Multiplication by ``factor`` at each of the fractions ``at`` of the training."""
    return Schedule(
        f"rate × {factor:g} at {', '.join(f'{fraction:.0%}' for fraction in at)}",
        lambda step, steps: factor ** sum(step >= fraction * steps for fraction in at),
    )


def exponential(end: float) -> Schedule:
    """An exponential fall to ``end`` times the first rate."""
    return Schedule(f"rate falling exponentially to × {end:g}", lambda step, steps: end ** (step / steps))


def halving(every: int) -> Schedule:
    """A halving after every so many steps, however long the training is."""
    return Schedule(f"rate halved every {every:,} steps", lambda step, steps: 0.5 ** (step // every))


def scaled(schedule: Callable[[int, int], float], factor: float) -> Schedule:
    """``schedule`` with all rates multiplied by ``factor``.

    Raises:
        ValueError: If the factor is not a positive number.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"a factor on the learning rates is above 0, got {factor:g}")
    return Schedule(f"{schedule}; rates × {factor:g}", lambda step, steps: factor * schedule(step, steps))
