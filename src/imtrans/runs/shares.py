"""Several trainings in a given time: what one GPU for an hour is shared out by.

Each training gets its share of the time that is left when its turn comes, so that what one was late by is not the loss
of the last one alone. At its turn it is measured for a few seconds, and its schedule is made as long as fits.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import nn

from imtrans import zoo
from imtrans.runs import Options, Training, validator
from imtrans.training import Recipe, fit

SPARE = 0.05  # part of a share that no schedule counts on: a machine is not equally fast at all times


@dataclass(frozen=True)
class Pace:
    """Measured times of a training, in seconds.

    Attributes:
        start: Time to the end of the first step: pictures are read, kernels are compiled.
        step: Time per further step.
        validation: Time per validation.
    """

    start: float
    step: float
    validation: float = 0.0

    def steps_within(self, seconds: float, validations: int = 0) -> int:
        """The longest schedule that ends in time; at least one step.

        Args:
            seconds: Time for start, steps and validations.
            validations: How often the network is validated.
        """
        left = (1 - SPARE) * seconds - self.start - validations * self.validation
        return max(1, 1 + int(left / self.step))


def validations(recipe: Recipe) -> int:
    """How often a training by this recipe is validated, the end included."""
    between = (recipe.steps - 1) // recipe.validate_every if recipe.validate_every else 0
    return between + 1


def share(seconds: float, shares: Sequence[float]) -> list[float]:
    """Time in proportion to ``shares``.

    Raises:
        ValueError: Unless each share is above 0.
    """
    if not all(part > 0 for part in shares):
        raise ValueError(f"shares are above 0, got {':'.join(f'{part:g}' for part in shares)}")
    return [seconds * part / sum(shares) for part in shares]


def measure(
    build: Callable[[], Recipe],
    validate: Callable[[nn.Module], object],
    *,
    seconds: float = 3.0,
    device: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Pace:
    """Train for some seconds, keep nothing, and say how long everything took.

    Args:
        build: Function that returns the recipe; reading its pictures belongs to the start.
        validate: Function of the network that is called once.
        seconds: How long to train.
        device: "cpu", or None for the best device available.
        clock: Function that returns the time in seconds.
    """
    begun = clock()
    recipe = build().stretched(0)  # the last stage, whose steps take the longest
    ends: list[float] = []
    run = fit(recipe, seconds=seconds, device=device, progress=False, on_step=lambda step, loss: ends.append(clock()))
    trained = clock()
    validate(run.model.to(run.device))  # where a training validates
    validated = clock()
    # The first steps of a device are slow, and losses may be reported in groups: the second half tells.
    half = len(ends) // 2
    step = (ends[-1] - ends[half]) / (len(ends) - 1 - half) if len(ends) > 2 else ends[-1] - begun
    start = max(0.0, trained - begun - step * (len(ends) - 1))
    return Pace(start, max(step, 1e-6), validated - trained)


def plan(
    training: Training,
    options: Options,
    seconds: float,
    *,
    device: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Options, float]:
    """Measure a training, and give its schedule the length that fits.

    Args:
        training: A training that has not begun.
        options: What is asked for beyond the recipe; its number of steps is replaced.
        seconds: Time for all of it, this measurement included.
        device: "cpu", or None for the best device available.
        clock: Function that returns the time in seconds.

    Returns:
        The options with the number of steps, and the time after which the training has to stop in any case, counted
        from its first step.

    Raises:
        ValueError: On an unknown name, budget or option.
        FileNotFoundError: If pictures are missing.
    """
    end = clock() + seconds
    recipes: list[Recipe] = []

    def build() -> Recipe:
        recipes.append(training.recipe(options))
        return recipes[-1]

    pace = measure(build, validator(zoo.entry(training.name)), device=device, clock=clock)
    left = end - clock()
    steps = pace.steps_within(left, validations(recipes[-1]))
    return replace(options, steps=steps), max(0.0, left - pace.start)


def in_turn(
    seconds: float,
    shares: Sequence[float],
    train: Callable[[int, float], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Let each of several trainings have its share of a given time.

    Args:
        seconds: Time for all of them.
        shares: One number above 0 per training.
        train: Function of the number of a training and its time in seconds, which it may exceed or leave unused.
        clock: Function that returns the time in seconds.

    Raises:
        ValueError: Unless each share is above 0.
    """
    end = clock() + seconds
    for number in range(len(shares)):
        train(number, share(end - clock(), shares[number:])[0])
