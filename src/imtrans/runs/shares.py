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
from imtrans.training import Recipe, Run, fit

SPARE = 0.05  # part of a share that no schedule counts on: a machine is not equally fast at all times
TOGETHER = 1e-3  # seconds within which calls of ``on_step`` belong to one group


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


def seconds_per_step(ends: Sequence[tuple[int, float]]) -> float | None:
    """Time per step, from (step, time) of each call of ``on_step``.

    On a GPU the calls come in groups: the last one of each tells when its steps had ended. The first half is left out,
    as the first steps of a device are slow.

    Returns:
        Seconds, or None if the calls of one group alone are there.
    """
    following = [*ends[1:], (0, float("inf"))]
    ended = [end for end, after in zip(ends, following, strict=False) if after[1] - end[1] > TOGETHER]
    if len(ended) < 2:
        return None
    (first, begun), (last, now) = ended[(len(ended) - 1) // 2], ended[-1]
    return (now - begun) / (last - first)


def timed(
    recipe: Recipe, seconds: float, *, device: str | None = None, clock: Callable[[], float] = time.monotonic
) -> tuple[Run, Pace]:
    """Train for some seconds, or for three steps where they are too few for two of them.

    Args:
        recipe: Recipe of the training, of which nothing is kept.
        seconds: How long to train, from the first step on.
        device: "cpu", or None for the best device available.
        clock: Function that returns the time in seconds.

    Returns:
        The run, and its pace without a validation.
    """
    for attempt, limit in ((recipe, seconds), (replace(recipe, steps=3), None)):
        begun, ends = clock(), []
        run = fit(
            attempt,
            seconds=limit,
            device=device,
            progress=False,
            on_step=lambda step, loss, ends=ends: ends.append((step, clock())),
        )
        spent, step = clock() - begun, seconds_per_step(ends)
        if step is not None:
            break
    else:
        step = spent / run.step
    return run, Pace(max(0.0, spent - step * (run.step - 1)), max(step, 1e-6))


def measure(
    build: Callable[[], Recipe],
    watch: Callable[[], Callable[[nn.Module], object]],
    *,
    seconds: float = 3.0,
    device: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Pace:
    """Train for some seconds, keep nothing, and say how long everything took.

    Args:
        build: Function that returns the recipe; reading its pictures belongs to the start.
        watch: Function that returns what the training is validated by, a function of the network; it belongs to the
            start as well.
        seconds: How long to train.
        device: "cpu", or None for the best device available.
        clock: Function that returns the time in seconds.
    """
    begun = clock()
    recipe = build().stretched(0)  # the last stage, whose steps take the longest
    validate = watch()
    prepared = clock() - begun
    run, pace = timed(recipe, seconds, device=device, clock=clock)
    trained = clock()
    validate(run.model.to(run.device))  # where a training validates
    return replace(pace, start=prepared + pace.start, validation=clock() - trained)


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
        The options with the number of steps, and the time that is left for the training, its start included.

    Raises:
        ValueError: On an unknown name, budget or option.
        FileNotFoundError: If pictures are missing.
    """
    end = clock() + seconds
    recipes: list[Recipe] = []

    def build() -> Recipe:
        recipes.append(training.recipe(options))
        return recipes[-1]

    pace = measure(build, lambda: validator(zoo.entry(training.name)), device=device, clock=clock)
    left = end - clock()
    steps = pace.steps_within(left, validations(recipes[-1]))
    return replace(options, steps=steps), max(0.0, left)


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
