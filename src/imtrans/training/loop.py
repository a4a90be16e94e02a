"""The training loop: setup, resume, then step by step forward, backward, update, log, checkpoint."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from imtrans import hardware
from imtrans.training.checkpoints import append_to_log, load_checkpoint, read_log, save_checkpoint, write_log
from imtrans.training.recipe import Recipe, Run

if TYPE_CHECKING:
    from accelerate import Accelerator


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
        recipe: Recipe; its ``seed`` decides initialisation, samples and noise.
        folder: Folder of the checkpoint and the log. None keeps nothing.
        resume: Whether to continue from the checkpoint in ``folder``; without one, the training starts.
        initial: Weights to start from instead of fresh ones.
        validate: Function of the network for inference that returns scores. Called every ``recipe.validate_every``
            steps and at the end; the scores are logged.
        on_step: Function that is called with step and loss after each step: a live curve.
        seconds: Time after which to stop, with a checkpoint. The schedule does not shrink: ``resume`` does the rest.
        progress: Whether to show a progress bar.
        device: "cpu", or None for the best device available.
        checkpoint_seconds: Time between checkpoints.

    Raises:
        ValueError: If ``folder`` holds a training and ``resume`` is off, or one of another recipe; if the processes
            cannot share the batch evenly.
        FloatingPointError: When the loss is no longer finite. The last checkpoint is kept.
    """
    from torch.utils.data import DataLoader
    from tqdm.auto import tqdm

    # --- Setup: processes and device, network, optimisers ---
    accelerator = _new_accelerator(device)
    device, main = accelerator.device, accelerator.is_main_process
    if recipe.batch % accelerator.num_processes:
        raise ValueError(f"{accelerator.num_processes} processes cannot share a batch of {recipe.batch}")
    folder = Path(folder) if folder is not None else None
    saved = load_checkpoint(folder, recipe, resume=resume) if folder else None
    dtype, layout = _precision(recipe, accelerator, saved)

    torch.manual_seed(recipe.seed)
    model = recipe.model()
    if initial is not None:
        model.load_state_dict(initial)
    model = model.to(device, memory_format=layout)
    deployed = (recipe.deployed or recipe.model)().eval()  # here, because it draws from the random state restored below
    optimizers = recipe.optimizer.build(model)
    base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    average = {name: value.clone() for name, value in model.state_dict().items()} if recipe.ema else None

    # --- Resume: weights, moments and random state of the checkpoint ---
    step, spent, log = 0, 0.0, []
    if saved:
        step, spent, log = saved["step"], saved["seconds"], read_log(folder, saved["step"])
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        if saved["scaler"]:  # empty without fp16
            scaler.load_state_dict(saved["scaler"])
        if average is not None:
            average = {name: value.to(device) for name, value in saved["average"].items()}
        torch.set_rng_state(saved["random"])
    if folder and main:
        folder.mkdir(parents=True, exist_ok=True)
        write_log(folder, log)

    def state() -> dict[str, Any]:
        return {
            "step": step,
            "seconds": spent + time.monotonic() - started,
            "model": model.state_dict(),
            "average": average,
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "scaler": scaler.state_dict(),
            "random": torch.get_rng_state(),
            "precision": _name(dtype or torch.float32),
            "layout": _name(layout),
        }

    # --- Samples: each process takes its share of every batch ---
    network = accelerator.prepare_model(model)  # the same weights, averaging gradients over the processes
    batches = Batches(step, recipe.steps, recipe.batch, accelerator.process_index, accelerator.num_processes)
    # A generator of its own: the loader's seed for its workers must not be drawn from the network's random numbers.
    loader = DataLoader(
        recipe.data(recipe.seed), batch_sampler=batches, num_workers=recipe.workers, generator=torch.Generator()
    )
    silent = not (progress and main) or "CI" in os.environ
    bar = tqdm(total=recipe.steps, initial=step, desc=recipe.name, disable=silent)
    log_every = max(1, recipe.steps // 200)
    started = saved_at = time.monotonic()

    network.train()
    for observed, clean in loader:
        # --- Set the learning rates of this step ---
        factor = recipe.schedule(step, recipe.steps)
        for optimizer, rates in zip(optimizers, base_rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        rate = optimizers[0].param_groups[0]["lr"]

        # --- Forward and backward; the network in low precision if there is one, the loss in fp32 ---
        observed = observed.to(device, memory_format=layout, non_blocking=True)
        clean = clean.to(device, non_blocking=True)
        with torch.autocast(device.type, dtype) if dtype else nullcontext():
            prediction = network(observed)
        loss = recipe.loss(_in_single_precision(prediction), clean)
        scaler.scale(loss).backward()

        # --- Clip the gradients, update the weights and their average ---
        if recipe.clip:
            for optimizer in optimizers:
                scaler.unscale_(optimizer)
            recipe.clip(list(model.parameters()), rate)
        for optimizer in optimizers:
            scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        scaler.update()
        if average is not None:
            _update_average(average, model, recipe.ema)
        step += 1

        # --- Agree with the other processes: the mean loss, and whether the time of any is up ---
        late = seconds is not None and time.monotonic() - started >= seconds
        report = torch.stack([loss.detach(), loss.new_tensor(float(late))])
        value, late = accelerator.reduce(report, "mean").tolist()
        last, time_up = step == recipe.steps, late > 0
        if not math.isfinite(value):
            bar.close()
            raise FloatingPointError(f"{recipe.name}: the loss is {value} at step {step}; try a lower learning rate")
        bar.update()
        if on_step and main:
            on_step(step, value)

        # --- Validate and log ---
        scores = {}
        if validate and main and (last or (recipe.validate_every and step % recipe.validate_every == 0)):
            deployed.load_state_dict(model.state_dict() if average is None else average)
            scores = validate(deployed)
            bar.set_postfix(loss=f"{value:.3g}", **{name: f"{score:.2f}" for name, score in scores.items()})
        if main and (step <= 5 or step % log_every == 0 or last or scores):
            elapsed = spent + time.monotonic() - started
            log.append({"step": step, "loss": value, "lr": rate, "seconds": round(elapsed, 2), **scores})
            if folder:
                append_to_log(folder, log[-1])

        # --- Checkpoint ---
        if last or time_up or time.monotonic() - saved_at >= checkpoint_seconds:
            if folder and main:
                save_checkpoint(folder, recipe, state())
            saved_at = time.monotonic()
        if time_up:
            break

    bar.close()
    deployed.load_state_dict(model.state_dict() if average is None else average)
    return Run(recipe, deployed, step, spent + time.monotonic() - started, log, device.type)


@dataclass(frozen=True)
class Batches:
    """Indices of the samples of each step, for one process out of ``processes``.

    Together the processes take samples step · batch … (step + 1) · batch − 1, each one every ``processes``-th of them.

    Attributes:
        start: First step, counted from 0.
        steps: Number of steps of the whole training.
        batch: Samples per step, over all processes.
        process: Index of this process.
        processes: Number of processes.
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


def _new_accelerator(device: str | None) -> "Accelerator":
    """An Accelerator for this training alone: otherwise the first training of a process chooses for all later ones."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if "WORLD_SIZE" not in os.environ:
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu")


def _name(kind: torch.dtype | torch.memory_format) -> str:
    return str(kind).removeprefix("torch.")


def _precision(
    recipe: Recipe, accelerator: "Accelerator", saved: dict[str, Any] | None
) -> tuple[torch.dtype | None, torch.memory_format]:
    """Low precision (or None) and memory layout: by capability, or as in the checkpoint where the device can.

    Without ``recipe.autocast`` both are the defaults on every machine, so that outputs can be compared.
    """
    if not recipe.autocast:
        return None, torch.contiguous_format
    device = accelerator.device
    native = hardware.autocast_dtype(device)
    if saved is None:
        return native, hardware.memory_format(device)
    precision = getattr(torch, saved.get("precision", _name(native or torch.float32)))
    layout = getattr(torch, saved.get("layout", "channels_last"))  # the first checkpoints name neither
    if precision == torch.float32:
        return None, layout
    if precision == native or (precision == torch.float16 and device.type == "cuda"):
        return precision, layout
    chosen = hardware.memory_format(device)
    accelerator.print(
        f"{recipe.name}: the checkpoint was computed in {saved['precision']}, {saved['layout']}; "
        f"this {device.type} continues in {_name(native or torch.float32)}, {_name(chosen)}",
        file=sys.stderr,
    )
    return native, chosen


def _in_single_precision(prediction: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
    """What a network returns, in fp32: a tensor, or several by name."""
    if isinstance(prediction, dict):
        return {name: value.float() for name, value in prediction.items()}
    return prediction.float()


def _update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Move the running average towards the weights; counters are copied."""
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)
