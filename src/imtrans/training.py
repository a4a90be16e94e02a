"""One training loop for all networks of the course.

    run = fit(recipes.srcnn(scale=3, budget="quick"))
    run.model  # the trained network, ready to use

It runs as it is on a CPU, on a GPU, and under ``torchrun`` on many of them (Accelerate). A run is exactly reproducible
from (recipe, seed, machine), and one that was killed and resumed ends with the very same weights.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Samples(Protocol):
    """Endless training samples: sample ``i`` is (observed, clean), a function of ``i`` alone."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training ends with.

    Args:
        name: Of the weights that it makes.
        model: Builds the network to train, freshly initialised.
        data: Seed → samples.
        loss: (prediction, clean) → a scalar.
        optimizers: Network → one or several optimisers, all under one schedule.
        steps: Length; the schedule runs to its end.
        batch: Samples a step, over all processes.
        schedule: (step, steps) → factor on each optimiser's own learning rate.
        clip: (parameters, learning rate of the first optimiser) → None, clips the gradients in place.
        ema: Decay of a running average of the weights, which is then what is validated and returned.
        autocast: Compute in bf16 where the device has it, else in fp16 on a GPU.
        validate_every: Steps between validations; 0 validates at the end alone.
        workers: Processes that make samples.
        in_use: Builds the network as it is used, where that is not as it is trained (SRCNN's borders).
        budget: Its place among quick, class, full and paper, for the card.
        material: What the samples come from, for the card.
        optimizer: The optimiser in words, for the card.
    """

    name: str
    model: Callable[[], nn.Module]
    data: Callable[[int], Samples]
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizers: Callable[[nn.Module], list[torch.optim.Optimizer]]
    steps: int
    batch: int
    schedule: Callable[[int, int], float]
    clip: Callable[[Iterable[Tensor], float], None] | None = None
    ema: float | None = None
    autocast: bool = False
    validate_every: int = 0
    workers: int = 0
    in_use: Callable[[], nn.Module] | None = None
    seed: int = 0
    budget: str = "quick"
    material: tuple[str, ...] = ()
    optimizer: str = ""


@dataclass
class Run:
    """What `fit` returns.

    Attributes:
        model: As it is used, in evaluation mode, on the CPU.
        step: Steps done; less than ``recipe.steps`` if the time was up.
        seconds: Spent in training, over all resumed parts.
        log: A dict a logged step: step, loss, lr, seconds, and what ``validate`` returned.
        device: What it was trained on, "cpu" or "cuda".
    """

    recipe: Recipe
    model: nn.Module
    step: int
    seconds: float
    log: list[dict[str, float]] = field(default_factory=list)
    device: str = "cpu"

    @property
    def finished(self) -> bool:
        """Whether the schedule ran to its end."""
        return self.step >= self.recipe.steps


def constant(step: int, steps: int) -> float:
    """A schedule: the same rate throughout."""
    return 1.0


def cosine(warmup: int = 0, floor: float = 0.01) -> Callable[[int, int], float]:
    """A schedule: ``warmup`` steps of linear rise, then half a cosine from 1 down to ``floor``.

    The rise takes no more than a tenth of the training, however short that is.
    """

    def factor(step: int, steps: int) -> float:
        rise = min(warmup, steps // 10)
        if step < rise:
            return (step + 1) / rise
        progress = (step - rise) / max(1, steps - rise)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def staircase(factor: float, *at: float) -> Callable[[int, int], float]:
    """A schedule: times ``factor`` at each of the fractions ``at`` of the training."""
    return lambda step, steps: factor ** sum(step >= fraction * steps for fraction in at)


def exponential(end: float) -> Callable[[int, int], float]:
    """A schedule: falls exponentially to ``end`` times the first rate."""
    return lambda step, steps: end ** (step / steps)


def halving(every: int) -> Callable[[int, int], float]:
    """A schedule: halved every so many steps, however long the training."""
    return lambda step, steps: 0.5 ** (step // every)


def clip_by_rate(theta: float) -> Callable[[Iterable[Tensor], float], None]:
    """VDSR's adjustable clipping (section 3.2): each element of a gradient to ±θ/γ, γ the current learning rate.

    The longest possible step, γ · θ/γ = θ, thus stays the same while the rate falls. The paper does not publish θ.
    Element by element, as written there; ports that clip the norm do something else.
    """
    return lambda parameters, rate: nn.utils.clip_grad_value_(parameters, theta / rate)


def clip_by_norm(bound: float) -> Callable[[Iterable[Tensor], float], None]:
    """Scale all gradients so that their common norm is at most ``bound``."""
    return lambda parameters, rate: nn.utils.clip_grad_norm_(parameters, bound)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The low precision that ``device`` computes natively, by capability: bf16, fp16, or None."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


@dataclass(frozen=True)
class Batches:
    """Indices of the samples of each step: those of one process out of ``processes``.

    Together the processes take samples step · batch … (step + 1) · batch − 1, each one every ``processes``-th of them.
    """

    start: int
    steps: int
    batch: int
    process: int = 0
    processes: int = 1

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.steps):
            yield list(range(step * self.batch + self.process, (step + 1) * self.batch, self.processes))


def _write_aside(path: Path, content: dict[str, Any]) -> None:
    """A checkpoint is either the old one or the new one, whatever happens in between."""
    aside = path.with_suffix(".tmp")
    torch.save(content, aside)
    os.replace(aside, path)


def _read_log(path: Path, step: int) -> list[dict[str, float]]:
    """The log up to ``step``: what a killed run logged after its last checkpoint is dropped."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:  # the last line, cut by the kill
            break
    return [entry for entry in entries if entry["step"] <= step]


def fit(
    recipe: Recipe,
    *,
    folder: str | os.PathLike | None = None,
    resume: bool = False,
    initial: dict[str, Tensor] | None = None,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    on_step: Callable[[int, float], None] | None = None,
    seconds: float | None = None,
    progress: bool = True,
    device: str | None = None,
    checkpoint_seconds: float = 60.0,
) -> Run:
    """Train by a recipe.

    Args:
        recipe: What to do; its ``seed`` decides initialisation, samples and noise.
        folder: Where checkpoint and log are kept. None keeps nothing.
        resume: Go on from the checkpoint in ``folder``; without one, start.
        initial: Weights to start from instead of fresh ones.
        validate: Network in use → scores, called every ``recipe.validate_every`` steps and at the end, and logged.
        on_step: Called with step and loss after each step: a live curve.
        seconds: Stop after so long, with a checkpoint. The schedule does not know: the rest is for ``resume``.
        progress: Show a progress bar.
        device: "cpu", or None for the best at hand.
        checkpoint_seconds: Time between checkpoints.

    Raises:
        ValueError: If ``folder`` holds a training and ``resume`` is off, or one of another recipe; if the batch cannot
            be shared out among the processes.
        FloatingPointError: When the loss is no longer finite. The last checkpoint stays.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from torch.utils.data import DataLoader
    from tqdm.auto import tqdm

    if "WORLD_SIZE" not in os.environ:  # else the first training of a process chooses the device of all later ones
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=device == "cpu")
    main = accelerator.is_main_process
    if recipe.batch % accelerator.num_processes:
        raise ValueError(f"{accelerator.num_processes} processes cannot share a batch of {recipe.batch}")

    torch.manual_seed(recipe.seed)
    model = recipe.model()
    if initial is not None:
        model.load_state_dict(initial)
    dtype = autocast_dtype(accelerator.device) if recipe.autocast else None
    # Faster in single precision too. Short recipes, whose outputs are compared between machines, keep their layout.
    layout = torch.channels_last if recipe.autocast else torch.contiguous_format
    model = model.to(accelerator.device, memory_format=layout)
    optimizers = recipe.optimizers(model)
    base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    average = {k: v.clone() for k, v in model.state_dict().items()} if recipe.ema else None
    scaler = torch.amp.GradScaler(accelerator.device.type, enabled=dtype == torch.float16)

    in_use = (recipe.in_use or recipe.model)().eval()  # before the random state is restored: it draws numbers too

    step, spent, log = 0, 0.0, []
    identity = {key: getattr(recipe, key) for key in ("name", "budget", "steps", "batch", "seed")}
    folder = Path(folder) if folder is not None else None
    checkpoint, log_file = (folder / "checkpoint.pt", folder / "log.jsonl") if folder else (None, None)
    if folder and checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if not resume:
            raise ValueError(f"{folder} holds a training at step {saved['step']}: resume it, or remove the folder")
        if saved["identity"] != identity:
            raise ValueError(f"{folder} holds another training, move it away: {saved['identity']}, not {identity}")
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        average = {k: v.to(accelerator.device) for k, v in saved["average"].items()} if recipe.ema else None
        scaler.load_state_dict(saved["scaler"])
        torch.set_rng_state(saved["random"])
        step, spent = saved["step"], saved["seconds"]
        log = _read_log(log_file, step)
    if folder and main:
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / "log.tmp"
        aside.write_text("".join(json.dumps(entry) + "\n" for entry in log))
        os.replace(aside, log_file)

    network = accelerator.prepare_model(model)
    batches = Batches(step, recipe.steps, recipe.batch, accelerator.process_index, accelerator.num_processes)
    # A generator of its own: the loader's seed for its workers must not be drawn from the network's random numbers.
    loader = DataLoader(
        recipe.data(recipe.seed), batch_sampler=batches, num_workers=recipe.workers, generator=torch.Generator()
    )
    silent = not (progress and main) or "CI" in os.environ
    bar = tqdm(total=recipe.steps, initial=step, desc=recipe.name, disable=silent)
    started = saved_at = time.monotonic()
    log_every = max(1, recipe.steps // 200)

    def weights() -> dict[str, Tensor]:
        return average if average is not None else model.state_dict()

    def save() -> None:
        if folder and main:
            _write_aside(
                checkpoint,
                {
                    "identity": identity,
                    "step": step,
                    "seconds": spent + time.monotonic() - started,
                    "model": model.state_dict(),
                    "average": average,
                    "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                    "scaler": scaler.state_dict(),
                    "random": torch.get_rng_state(),
                },
            )

    network.train()
    for observed, clean in loader:
        factor = recipe.schedule(step, recipe.steps)
        for optimizer, rates in zip(optimizers, base_rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        observed = observed.to(accelerator.device, memory_format=layout, non_blocking=True)
        clean = clean.to(accelerator.device, non_blocking=True)
        with torch.autocast(accelerator.device.type, dtype) if dtype else nullcontext():
            prediction = network(observed)
        loss = recipe.loss(prediction.float(), clean)
        scaler.scale(loss).backward()
        if recipe.clip:
            for optimizer in optimizers:
                scaler.unscale_(optimizer)
            recipe.clip(list(model.parameters()), optimizers[0].param_groups[0]["lr"])
        for optimizer in optimizers:
            scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        scaler.update()
        if average is not None:
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - recipe.ema)
                else:
                    average[name].copy_(value)

        step += 1
        late = seconds is not None and time.monotonic() - started >= seconds
        report = torch.stack([loss.detach(), loss.new_tensor(float(late))])
        value, late = accelerator.reduce(report, "mean").tolist()
        time_up = late > 0  # on one process, for all: they stop at the same step
        if not math.isfinite(value):
            bar.close()
            raise FloatingPointError(f"{recipe.name}: the loss is {value} at step {step}; try a lower learning rate")
        bar.update()
        if on_step and main:
            on_step(step, value)
        last = step == recipe.steps
        scores = {}
        if validate and main and (last or (recipe.validate_every and step % recipe.validate_every == 0)):
            in_use.load_state_dict(weights())
            scores = validate(in_use)
            bar.set_postfix(loss=f"{value:.3g}", **{k: f"{v:.2f}" for k, v in scores.items()})
        if main and (step <= 5 or step % log_every == 0 or last or scores):
            elapsed = spent + time.monotonic() - started
            rate = optimizers[0].param_groups[0]["lr"]
            log.append({"step": step, "loss": value, "lr": rate, "seconds": round(elapsed, 2), **scores})
            if folder:
                with log_file.open("a") as file:
                    file.write(json.dumps(log[-1]) + "\n")
        if last or time_up or time.monotonic() - saved_at >= checkpoint_seconds:
            save()
            saved_at = time.monotonic()
        if time_up:
            break
    bar.close()
    in_use.load_state_dict(weights())
    return Run(recipe, in_use, step, spent + time.monotonic() - started, log, accelerator.device.type)
