"""The fit itself: `iterate`, the loop, and `restore`, the loop with a rule, a bar and a result."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imtrans import hardware
from imtrans.prior.settings import Settings
from imtrans.prior.stopping import Rule


@dataclass(frozen=True)
class State:
    """The state of a fit after an iteration.

    Attributes:
        iteration: Number of the iteration, from 1.
        loss: Mean squared error against the observation, before this iteration's step.
        output: f(z) with this iteration's noise on z, (1, C, H, W) in (0, 1).
        average: Exponential mean of the outputs, (1, C, H, W).
        collapses: How often the fit has gone back to an earlier state so far.
    """

    iteration: int
    loss: float
    output: Tensor
    average: Tensor
    collapses: int


@dataclass(frozen=True)
class Restored:
    """The result of `restore`.

    Attributes:
        picture: Mean of the outputs at ``iteration``, (1, C, H, W) in [0, 1].
        iteration: The iteration that the rule chose, or the last one.
        losses: One loss per iteration.
        collapses: How often the fit went back to an earlier state.
    """

    picture: Tensor
    iteration: int
    losses: list[float]
    collapses: int


def identity(x: Tensor) -> Tensor:
    """The picture itself: the degradation where there is nothing but noise."""
    return x


def iterate(
    observed: Tensor,
    settings: Settings,
    *,
    degrade: Callable[[Tensor], Tensor] = identity,
    mask: Tensor | None = None,
    size: tuple[int, int] | None = None,
    z: Tensor | None = None,
    seed: int = 0,
    decay: float = 0.99,
    autocast: bool = False,
    device: str | torch.device = "cpu",
) -> Iterator[State]:
    """Fit a network to an observation, one iteration at a time, for as long as the caller asks for more.

    min over θ of ‖(d(f_θ(z)) − x0) ⊙ m‖², by Adam. When the loss jumps, which happens with Adam now and then, the fit
    goes back to an earlier state, see `Backtracking`.

    Args:
        observed: The observation x0, (1, C, h, w) on the scale of [0, 1]; noise may leave that range.
        settings: Settings of the task.
        degrade: The degradation d, differentiable, from pictures to observations.
        mask: The mask m, (1, 1, h, w), 1 where ``observed`` is known.
        size: (H, W) of the restored picture; None takes that of ``observed``.
        z: The fixed input, (1, settings.z_channels, H, W); None draws it, or computes the coordinates.
        seed: Random seed of the weights, of z and of the noise on z. Equal seeds give equal results on one CPU.
        decay: Decay of the mean of the outputs, β.
        autocast: Whether to compute in bf16 where the device has it, in about half the time.
        device: The device to compute on.

    Yields:
        One `State` per iteration, on the CPU.

    Raises:
        ValueError: If shapes do not fit together, a value is not finite, or the picture is too small for the network.
        FloatingPointError: If the fit collapses more than a hundred times.
    """
    # The network and its input, from the seed alone
    _check(observed, mask)
    device = torch.device(device)
    height, width = size or observed.shape[-2:]
    shape = (1, settings.z_channels, height, width)
    if z is not None and z.shape != shape:
        raise ValueError(f"z of shape {tuple(z.shape)} does not fit the network and the picture, wanted {shape}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = settings.network(observed.shape[1])
        if z is None:
            z = _coordinates(height, width) if settings.meshgrid else 0.1 * torch.rand(shape)
    noise = torch.Generator(device).manual_seed(seed)

    # Precision, layout, device
    low_precision = autocast and hardware.autocast_dtype(device) == torch.bfloat16  # in fp16 gradients would vanish
    layout = torch.channels_last if low_precision else torch.contiguous_format
    network, z = (x.to(device, memory_format=layout) for x in (network, z))
    observed = observed.to(device)
    known = torch.ones((), device=device) if mask is None else mask.to(observed)

    # The loop
    adam = torch.optim.Adam(network.parameters(), lr=settings.rate)
    backtracking = Backtracking(network, adam)
    average, iteration = None, 0
    while True:
        iteration += 1
        perturbed = z
        if settings.input_noise:
            perturbed = z + settings.input_noise * torch.randn(z.shape, generator=noise, device=device)
        with torch.autocast(device.type, torch.bfloat16) if low_precision else nullcontext():
            output = network(perturbed)
        loss = (_residual(degrade(output), observed) * known).square().mean()
        value = loss.item()
        if backtracking.is_collapse(value):
            iteration, average = backtracking.go_back()
            continue
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        output = output.detach().cpu()
        average = output if average is None else (decay * average).add_(output, alpha=1 - decay)
        backtracking.keep(iteration, average, value)
        yield State(iteration, value, output, average, backtracking.collapses)


@dataclass(frozen=True)
class Snapshot:
    """A complete state of a fit, copied: Adam writes into the tensors that it is given and that it gives away.

    Attributes:
        iteration: Number of the iteration.
        weights: State of the network.
        adam: State of the optimiser, its moments and its rate.
        average: Mean of the outputs.
        loss: Loss of the iteration.
    """

    iteration: int
    weights: dict[str, Tensor]
    adam: dict[str, Any]
    average: Tensor
    loss: float


class Backtracking:
    """Earlier states of a fit, to return to when the loss jumps.

    A snapshot is taken every 25 iterations, and the last but one is used: the last one may already be part of the
    collapse. All of the state goes back, weights, moments and mean. If that happens twice at one place, the rate is
    halved as well, for without noise on z the very steps that led to the collapse would follow. (The authors' code
    keeps an alias of the weights alone, which on a CPU keeps nothing.)

    Args:
        network: The network that is fitted.
        adam: Its optimiser.

    Attributes:
        collapses: How often the fit has gone back.
    """

    EVERY = 25  # iterations from snapshot to snapshot
    JUMP = 3  # times the loss of the kept state is a collapse
    MOST = 100  # collapses of a fit

    def __init__(self, network: nn.Module, adam: torch.optim.Optimizer) -> None:
        self.network, self.adam = network, adam
        self.collapses = 0
        self._kept: Snapshot | None = None
        self._next: Snapshot | None = None
        self._last_target: int | None = None

    def is_collapse(self, loss: float) -> bool:
        """Whether a loss is far above that of the kept state, or not a number at all."""
        return self._kept is not None and not loss < self.JUMP * self._kept.loss + 1e-4

    def keep(self, iteration: int, average: Tensor, loss: float) -> None:
        """Take a snapshot when it is time."""
        if iteration % self.EVERY == 0:
            states = deepcopy((self.network.state_dict(), self.adam.state_dict()))
            self._kept, self._next = self._next, Snapshot(iteration, *states, average, loss)

    def go_back(self) -> tuple[int, Tensor]:
        """Return to the kept state.

        Returns:
            Its iteration and its mean of the outputs.

        Raises:
            FloatingPointError: If that has happened too often.
        """
        kept = self._kept
        self.collapses += 1
        if self.collapses > self.MOST:
            raise FloatingPointError("the optimisation collapses again and again: a lower rate may help")
        if self._last_target == kept.iteration:
            for group in kept.adam["param_groups"]:
                group["lr"] /= 2
        self._last_target, self._next = kept.iteration, kept
        self.network.load_state_dict(kept.weights)
        self.adam.load_state_dict(deepcopy(kept.adam))
        return kept.iteration, kept.average


def _residual(degraded: Tensor, observed: Tensor) -> Tensor:
    if degraded.shape != observed.shape:
        raise ValueError(f"the degraded picture is {tuple(degraded.shape)}, the observation {tuple(observed.shape)}")
    return degraded - observed


def _coordinates(height: int, width: int) -> Tensor:
    """(1, 2, H, W): x and y of each pixel in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([x, y])[None]


def _check(observed: Tensor, mask: Tensor | None) -> None:
    if observed.ndim != 4 or observed.shape[0] != 1 or not observed.is_floating_point():
        raise ValueError(f"wanted floats (1, C, H, W), got {observed.dtype} of shape {tuple(observed.shape)}")
    if not observed.isfinite().all():
        raise ValueError("the picture has values that are not finite; missing pixels are described by a mask")
    wanted = (1, 1, *observed.shape[-2:])
    if mask is not None and mask.shape != wanted:
        raise ValueError(f"a mask of shape {tuple(mask.shape)} does not fit the picture, wanted {wanted}")


def restore(
    observed: Tensor,
    settings: Settings,
    *,
    iterations: int | None = None,
    stop: Rule | None = None,
    on_step: Callable[[State], None] | None = None,
    progress: bool = True,
    keep_on_interrupt: bool = False,
    **options: Any,
) -> Restored:
    """Restore one picture.

    Args:
        observed: The observation x0, (1, C, h, w) on the scale of [0, 1]; noise may leave that range.
        settings: Settings of the task.
        iterations: Greatest number of iterations; None takes that of the settings.
        stop: Rule that ends the fit earlier, and chooses the iteration whose mean of outputs is returned.
        on_step: Function that gets each state, for curves and frames.
        progress: Whether to show a bar.
        keep_on_interrupt: Whether Ctrl-C returns the result so far.
        **options: Further arguments of `iterate`: degrade, mask, size, z, seed, decay, autocast, device.

    Raises:
        ValueError: As `iterate`, or if ``iterations`` is less than one.
        FloatingPointError: As `iterate`.
    """
    from tqdm.auto import tqdm

    iterations = settings.iterations if iterations is None else iterations
    if iterations < 1:
        raise ValueError(f"at least one iteration is needed, got {iterations}")
    losses: list[float] = []
    chosen, state = None, None
    bar = tqdm(total=iterations, desc="iterations", disable=not progress or "CI" in os.environ)
    try:
        for state in iterate(observed, settings, **options):
            del losses[state.iteration - 1 :]  # of iterations that come again after a collapse
            losses.append(state.loss)
            bar.update(state.iteration - bar.n)
            if on_step:
                on_step(state)
            if stop is not None:
                stop.update(state.iteration, state.output, state.loss)
                if stop.best == state.iteration:
                    chosen = (state.average, state.iteration)
            if state.iteration >= iterations or (stop is not None and stop.done):
                break
    except KeyboardInterrupt:
        if not keep_on_interrupt or state is None:
            raise
    finally:
        bar.close()
    picture, iteration = chosen or (state.average, state.iteration)
    return Restored(picture, iteration, losses, state.collapses)
