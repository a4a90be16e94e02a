"""A recipe is everything that determines the result of a training; a run is that result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor, nn

from imtrans import hardware
from imtrans.training.optimizers import Optimizer


class Samples(Protocol):
    """Endless training samples: sample ``i`` is (observed, clean), a function of ``i`` alone."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the result of a training.

    Attributes:
        name: Name of the weights that it produces.
        model: Function that builds the network to train, freshly initialised.
        data: Function of the seed that returns the samples. If they come in stages, it has a method
            ``stretched(factor)``: the same with all stages but the last ``factor`` times as long.
        loss: Function of (prediction, clean) that returns a scalar; the prediction of a feature network is a dict.
        optimizer: Optimiser: `SGD`, `Adam` or `MuonAndAdam`; all its learning rates follow one schedule.
        steps: Number of updates; the schedule runs to its end.
        batch: Samples per step, over all processes.
        schedule: Function of (step, steps) that returns the factor on the learning rates.
        clip: Function that clips the gradients in place, of (parameters, current rate of the first optimiser).
        ema: Decay of a running average of the weights, which is then what is validated and returned.
        autocast: Whether to compute in bf16 or fp16 and in channels_last where the device has native low precision.
            Without, and on all other devices, a training is fp32 and contiguous; a loss network may take bf16.
        validate_every: Steps between validations; 0 validates at the end alone.
        workers: Number of processes that prepare samples.
        deployed: Function that builds the network for inference, if it differs from the one in training
            (SRCNN's padding).
        seed: Random seed of initialisation, samples and noise.
        budget: Budget, for the card: quick, class, full or paper.
        sources: Descriptions of the training pictures, for the card.
        version: Version of the recipe, for the card: it rises with each change of what a training computes.
    """

    name: str
    model: Callable[[], nn.Module]
    data: Callable[[int], Samples]
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizer: Optimizer
    steps: int
    batch: int
    schedule: Callable[[int, int], float]
    clip: Callable[[Iterable[Tensor], float], None] | None = None
    ema: float | None = None
    autocast: bool = False
    validate_every: int = 0
    workers: int = 0
    deployed: Callable[[], nn.Module] | None = None
    seed: int = 0
    budget: str = "quick"
    sources: tuple[str, ...] = ()
    version: int = 1

    def lasting(self, steps: int) -> "Recipe":
        """The same training in another number of steps, validated as often; stages of the samples are stretched along.

        Raises:
            ValueError: On less than one step.
        """
        if steps < 1:
            raise ValueError(f"a training has at least 1 step, got {steps}")
        every = self.validate_every and max(1, self.validate_every * steps // self.steps)
        return replace(self.stretched(steps / self.steps), steps=steps, validate_every=every)

    def stretched(self, factor: float) -> "Recipe":
        """The same steps with other stages of the samples, if they come in stages; 0 leaves the last one alone."""
        return replace(self, data=self.data.stretched(factor)) if hasattr(self.data, "stretched") else self

    @property
    def optimization(self) -> str:
        """The optimiser, the clipping and the schedule in words."""
        return ", ".join(str(part) for part in (self.optimizer, self.clip, self.schedule) if part is not None)


@dataclass
class Run:
    """The result of `fit`.

    Attributes:
        recipe: The recipe.
        model: Network for inference, in evaluation mode, on the CPU.
        step: Number of steps done; less than ``recipe.steps`` if the time was up.
        seconds: Time of the training steps, summed over all resumed parts; without validations and pauses.
        log: One dict per logged step: step, loss, lr, seconds, and the scores that ``validate`` returned.
        device: Device of the training, "cpu" or "cuda".
        sampler: What made the samples: "host" (`imtrans.data.pairs`), "device" (`imtrans.data.on_device`), or both in
            their order, "device, then host".
        machine: Name of the processor that trained; of all of them, in the order of their first steps, after a move.
    """

    recipe: Recipe
    model: nn.Module
    step: int
    seconds: float
    log: list[dict[str, float]] = field(default_factory=list)
    device: str = "cpu"
    sampler: str = "host"
    machine: str = field(default_factory=hardware.processor_name)

    @property
    def finished(self) -> bool:
        """Whether the schedule ran to its end."""
        return self.step >= self.recipe.steps
