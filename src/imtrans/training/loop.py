"""The training loop: setup, resume, then step by step forward, backward, update, log, checkpoint."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from imtrans import hardware
from imtrans.data.on_device import on_device
from imtrans.training.captured import captured
from imtrans.training.checkpoints import append_to_log, load_checkpoint, read_log, save_checkpoint, write_log
from imtrans.training.recipe import Recipe, Run
from imtrans.training.stopwatch import Stopwatch

if TYPE_CHECKING:
    from accelerate import Accelerator

REPORT_EVERY = 10  # steps between two looks of a GPU's host at the losses

# Whether the loss that is computed now is scaled before its backward pass: gradients in fp16 need that.
loss_is_scaled: ContextVar[bool] = ContextVar("loss_is_scaled", default=False)


def fit(
    recipe: Recipe,
    *,
    folder: str | os.PathLike | None = None,
    resume: bool = False,
    initial: dict[str, Tensor] | None = None,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    on_step: Callable[[int, float], None] | None = None,
    seconds: float | None = None,
    begun: float | None = None,
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
        validate: Function of the network for inference, on the device, that returns scores. Called every
            ``recipe.validate_every`` steps and at the end; the scores are logged.
        on_step: Function that is called with step and loss of each step: a live curve. On a GPU the calls
            come in groups.
        seconds: Time after which to stop, with a checkpoint. The schedule does not shrink: ``resume`` does the rest.
        begun: Time, of `time.monotonic`, from which ``seconds`` are counted; None for the first step.
        progress: Whether to show a progress bar.
        device: "cpu", or None for the best device available.
        checkpoint_seconds: Time between checkpoints.

    Raises:
        ValueError: If ``folder`` holds a training and ``resume`` is off, or one of another recipe; if the processes
            cannot share the batch evenly; on another device than the CPU and the best one.
        FloatingPointError: When the loss is no longer finite. The last checkpoint is kept.
    """
    from accelerate import DistributedDataParallelKwargs
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
    # Here, because it draws from the random state that is restored below.
    deployed = (recipe.deployed or recipe.model)().to(device).eval()
    optimizers = recipe.optimizer.build(model)
    base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    average = {name: value.clone() for name, value in model.state_dict().items()} if recipe.ema else None

    # --- Resume: weights, moments and random state of the checkpoint ---
    step, spent, log, machine = 0, 0.0, [], hardware.processor_name(device.type)
    machines = [machine]
    if saved:
        step, spent, log = saved["step"], saved["seconds"], read_log(folder, saved["step"])
        machines = list(dict.fromkeys([*saved.get("machines", [saved.get("machine", machine)]), machine]))
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
            "seconds": watch.seconds,
            "model": model.state_dict(),
            "average": average,
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "scaler": scaler.state_dict(),
            "random": torch.get_rng_state(),
            "precision": _name(dtype or torch.float32),
            "layout": _name(layout),
            "sampler": samplers,
            "machine": machine,
            "machines": machines,
        }

    # --- Samples: each process takes its share of every batch; a GPU makes its own ---
    takes_scale = getattr(model, "takes_scale", False)
    if takes_scale:  # each batch leaves the layers of the other scales without gradients
        accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=True)
    network = accelerator.prepare_model(model)  # the same weights, averaging gradients over the processes
    network.train()
    samples = recipe.data(recipe.seed)
    share = {"process": accelerator.process_index, "processes": accelerator.num_processes}
    sampler = on_device(samples, recipe.batch, device, **share) if _is_gpu(device) else None
    if sampler is None:
        # A generator of its own: the loader's seed for its workers must not be drawn from the network's random numbers.
        batches = DataLoader(
            samples,
            batch_sampler=Batches(step, recipe.steps, recipe.batch, **share),
            num_workers=recipe.workers,
            generator=torch.Generator(),
        )
    else:
        batches = (sampler(number) for number in range(step, recipe.steps))
    if _is_gpu(device) and accelerator.num_processes == 1 and not takes_scale:
        example = samples[0][0].to(device).repeat(recipe.batch, 1, 1, 1).to(memory_format=layout)
        network = captured(network, example, dtype)
    silent = not (progress and main) or "CI" in os.environ
    bar = tqdm(total=recipe.steps, initial=step, desc=recipe.name, disable=silent)
    log_every = max(1, recipe.steps // 200)
    # The first checkpoints do not name what made the samples, their logs do.
    sampler_name = "host" if sampler is None else "device"
    earlier = (saved or {}).get("sampler") or (log[0].get("sampler", "host") if log else None)
    other_sampler = sampler_name != (earlier or "host").split()[-1]
    samplers = f"{earlier}, then {sampler_name}" if earlier and other_sampler else earlier or sampler_name
    losses: list[Tensor] = []
    saved_at = time.monotonic()
    started = saved_at if begun is None else begun
    # How long a step takes is known where this machine has trained before.
    watch = Stopwatch(spent, step if saved and saved.get("machine") == machine else 0)

    for observed, clean in batches:
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
            # MDSR computes one scale at a time, the one of the batch.
            prediction = network(observed, clean.shape[-1] // observed.shape[-1]) if takes_scale else network(observed)
        token = loss_is_scaled.set(scaler.is_enabled())
        try:
            loss = recipe.loss(_in_single_precision(prediction), clean)
        finally:
            loss_is_scaled.reset(token)
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

        # --- Agree with the other processes: the mean losses, and whether the time of any is up ---
        losses.append(loss.detach())
        last = step == recipe.steps
        logs = step <= 5 or step % log_every == 0 or last or other_sampler
        validates = validate and (last or (recipe.validate_every and step % recipe.validate_every == 0))
        if _is_gpu(device) and not (logs or validates or step % REPORT_EVERY == 0):
            continue  # to read a loss, the device must wait for the host
        late = seconds is not None and time.monotonic() - started >= seconds
        report = torch.stack([*losses, loss.new_tensor(float(late))])
        *values, late = accelerator.reduce(report, "mean").tolist()
        time_up = late > 0
        watch.lap(len(values))
        for number, value in enumerate(values, start=step + 1 - len(values)):
            if not math.isfinite(value):
                bar.close()
                advice = "try a lower learning rate"
                raise FloatingPointError(f"{recipe.name}: the loss is {value} at step {number}; {advice}")
            bar.update()
            if on_step and main:
                on_step(number, value)
        losses.clear()

        # --- Validate and log ---
        scores = {}
        if validates and main:
            deployed.load_state_dict(model.state_dict() if average is None else average)
            scores = validate(deployed)
            bar.set_postfix(loss=f"{value:.3g}", **{name: f"{score:.2f}" for name, score in scores.items()})
        if main and (logs or scores):
            log.append({"step": step, "loss": value, "lr": rate, "seconds": round(watch.seconds, 2), **scores})
            if other_sampler:
                log[-1]["sampler"] = sampler_name
            if folder:
                append_to_log(folder, log[-1])
        other_sampler = False  # in all processes, so that they report together

        # --- Checkpoint ---
        if last or time_up or time.monotonic() - saved_at >= checkpoint_seconds:
            if folder and main:
                save_checkpoint(folder, recipe, state())
            saved_at = time.monotonic()
        if time_up:
            break
        watch.start()

    bar.close()
    deployed.load_state_dict(model.state_dict() if average is None else average)
    return Run(recipe, deployed.cpu(), step, watch.seconds, log, device.type, samplers, ", then ".join(machines))


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
    best = hardware.best_device()  # Accelerate knows more devices, but nothing else here does
    if device not in (None, "cpu", best):
        raise ValueError(f"the device is {' or '.join(dict.fromkeys(('cpu', best)))} here, not {device!r}")
    return Accelerator(cpu="cpu" in (device, best))


def _is_gpu(device: torch.device) -> bool:
    """Whether the device works beside its host, which then must neither feed it nor wait for it."""
    return device.type == "cuda"


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
