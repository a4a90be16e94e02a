"""The deep image prior: a network that has seen nothing is fitted to one damaged picture, and stopped in time.

    damaged = gaussian_noise(picture, 25, seed=0).clamp(0, 1)
    restore(damaged, denoising(), stop=LeastVariance()).picture

The settings are the paper's, task by task. What the damage was is an argument: ``degrade`` (low resolution) and
``mask`` (missing pixels).
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import hardware
from imtrans.models.deep_image_prior import Hourglass


@dataclass(frozen=True)
class Settings:
    """All that the paper sets for a task (its supplement, and the authors' notebooks).

    Attributes:
        iterations: Of Adam.
        down: Channels of the hourglass on the way down; the other fields up to ``last_1x1`` as in `Hourglass`.
        depth: Channels of the input z, U(0, 0.1), where it is noise.
        meshgrid: z holds the two coordinates of each pixel, in [0, 1], instead.
        input_noise: Standard deviation of fresh Gaussian noise on z in each iteration.
        rate: Adam's learning rate.
    """

    iterations: int
    down: tuple[int, ...] = (128,) * 5
    up: tuple[int, ...] = (128,) * 5
    skip: tuple[int, ...] = (4,) * 5
    kernel: int = 3
    mode: str | tuple[str, ...] = "bilinear"
    last_1x1: bool = True
    depth: int = 32
    meshgrid: bool = False
    input_noise: float = 0.03
    rate: float = 0.01

    def network(self, channels: int = 3) -> Hourglass:
        """The hourglass for pictures of ``channels``, freshly initialised."""
        z = 2 if self.meshgrid else self.depth
        return Hourglass(z, channels, self.down, self.up, self.skip, self.kernel, self.mode, self.last_1x1)

    def narrow(self, *widths: int) -> "Settings":
        """With other widths, one a level, down and up: for small pictures and short minutes."""
        levels = len(widths)
        mode = self.mode if isinstance(self.mode, str) else self.mode[:levels]
        return replace(self, down=widths, up=widths, skip=self.skip[:levels], mode=mode)


def denoising(sigma: float = 25) -> Settings:
    """Gaussian noise: more noise on z where there is more on the picture (1/20 at σ = 50).

    1,800 iterations as in the text; the notebook has 3,000.
    """
    return Settings(1800, input_noise=1 / 20 if sigma > 25 else 1 / 30)


def super_resolution(scale: int = 4) -> Settings:
    """Low resolution, ×4 or ×8: give `imtrans.degrade.lanczos_down` as ``degrade``."""
    return Settings(4000, input_noise=0.05) if scale > 4 else Settings(2000)


def inpainting() -> Settings:
    """Scattered holes, text for instance, with skips as wide as the rest (kate)."""
    return Settings(6000, skip=(128,) * 5, mode="nearest")


def hole_filling() -> Settings:
    """A large hole, from coordinates, without skips (vase)."""
    return Settings(5000, skip=(0,) * 5, mode="nearest", meshgrid=True)


def large_hole() -> Settings:
    """The largest hole, by six levels and kernels of 5×5 (library)."""
    widths = (16, 32, 64, 128, 128, 128)
    shape = {"down": widths, "up": widths, "skip": (0,) * 6, "kernel": 5, "last_1x1": False}
    return Settings(3000, **shape, mode="nearest", depth=1, input_noise=0)


def jpeg_cleanup() -> Settings:
    """The traces of JPEG, by a network that gets wider as it gets deeper (snail)."""
    widths = (8, 16, 32, 64, 128)
    return Settings(2400, down=widths, up=widths, skip=(0, 0, 0, 4, 4), depth=3, input_noise=1 / 30)


def half_the_pixels() -> Settings:
    """Half of the pixels are known, or some other share of them (barbara): a tenth of the rate, for longer."""
    return Settings(11_000, rate=0.001)


def flash() -> Settings:
    """A dark photograph restored from noise-free flash: z is the photograph with flash (3 channels), no noise on it."""
    return Settings(600, depth=3, mode=("nearest",) * 2 + ("bilinear",) * 3, input_noise=0, rate=0.1)


class Rule(Protocol):
    """When to stop: `update` is called after each iteration; ``best`` is the iteration to keep, ``done`` ends."""

    best: int
    done: bool

    def update(self, iteration: int, output: Tensor, loss: float) -> None:
        """Take what an iteration made."""


@dataclass
class LeastVariance:
    """Stop where the outputs change least: the minimum of their moving variance. Needs neither truth nor noise level.

    While structure is learned the outputs move, and once noise is learned they move again; in between lies a calm.
    Wang, Li, Zhuang, Chen, Liang and Sun, "Early Stopping for Deep Image Prior", TMLR 2023, the exponential version:
    with m the moving mean, v ← (1 − α)(v + α ‖x − m‖²), m ← (1 − α) m + α x.

    Args:
        alpha: Weight of the newest output.
        warmup: Iterations before which no minimum counts: the first outputs are flat, hence calm too.
        patience: Iterations without a lower variance after which it is over: three times 1/α, the memory of the
            variance. On the nine runs of results/prior-stopping.csv 100 does as well, while 300 waits for a late
            minimum in one of them.

    Attributes:
        variances: Mean of v over the pixels, one an iteration.
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
        """Take an output (1, C, H, W)."""
        del self.variances[iteration - 1 :]  # after a collapse iterations come again
        if not self.variances:
            self._mean, v = output.clone(), float("inf")
        else:
            step = output - self._mean
            v = self.variances[-1] if self.variances[-1] < float("inf") else 0.0
            v = (1 - self.alpha) * (v + self.alpha * step.square().mean().item())
            self._mean += self.alpha * step
        self.variances.append(v)
        if iteration <= self.warmup or v <= self._least:
            self.best, self._least = iteration, v
        self.done = iteration - self.best >= self.patience


@dataclass
class Discrepancy:
    """Stop when the residual is as large as the noise is known to be (Morozov): MSE(f(z), x0) ≤ (σ/255)².

    Args:
        sigma: Noise level of the observation in 8-bit levels; times the root of the share of known pixels where there
            is a mask, for the loss is a mean over all of them.
    """

    sigma: float
    best: int = 0
    done: bool = False

    def update(self, iteration: int, output: Tensor, loss: float) -> None:
        """Take a loss, the mean squared residual."""
        self.best = iteration
        self.done = loss <= (self.sigma / 255) ** 2


@dataclass(frozen=True)
class State:
    """Where an optimisation stands.

    Attributes:
        iteration: From 1.
        loss: Mean squared error against the observation, before this iteration's step.
        output: f(z) with this iteration's noise on z, (1, C, H, W) in (0, 1).
        average: Exponential mean of the outputs.
        collapses: How often it went back to an earlier state so far.
    """

    iteration: int
    loss: float
    output: Tensor
    average: Tensor
    collapses: int


@dataclass(frozen=True)
class Restored:
    """What `restore` returns.

    Attributes:
        picture: The mean of the outputs at ``iteration``, (1, C, H, W) in [0, 1].
        iteration: The one that the rule chose, or the last.
        losses: One an iteration.
        collapses: How often it went back to an earlier state.
    """

    picture: Tensor
    iteration: int
    losses: list[float]
    collapses: int


def identity(x: Tensor) -> Tensor:
    """What was observed is the picture itself, noise aside."""
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
    """Fit a network to an observation, an iteration at a time, for as long as somebody asks.

    min over θ of ‖(d(f_θ(z)) − x0) ⊙ m‖², by Adam. When the loss jumps, which Adam's does now and then, weights,
    moments and averages go back to those of up to 50 iterations before: all of them, cloned (the authors' own code
    keeps an alias of the weights alone, which on a CPU keeps nothing). If that happens twice at one place, the rate is
    halved as well.

    Args:
        observed: x0, (1, C, h, w) on the scale of [0, 1].
        settings: Of the task.
        degrade: d, differentiable, from pictures to what is observed.
        mask: m, (1, 1, h, w), 1 where ``observed`` is known.
        size: (H, W) of the picture; None takes that of ``observed``.
        z: The fixed input, (1, settings.depth, H, W); None draws it, or takes the coordinates.
        seed: Of weights, z, and the noise on it. Equal seeds give equal results on one CPU.
        decay: Of the mean of the outputs.
        autocast: Compute in bf16 where the device has it: half the time, and the same quality.
        device: Where it runs.

    Yields:
        A `State` an iteration, on the CPU.

    Raises:
        ValueError: If shapes do not go together, a value is not finite, or the picture is too small for the network.
        FloatingPointError: If it collapses again and again.
    """
    _check(observed, mask)
    height, width = size or observed.shape[-2:]
    shape = (1, 2 if settings.meshgrid else settings.depth, height, width)
    if z is not None and z.shape != shape:
        raise ValueError(f"z of shape {tuple(z.shape)} does not fit the network and the picture, wanted {shape}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = settings.network(observed.shape[1])
        if z is None:
            z = _coordinates(height, width) if settings.meshgrid else 0.1 * torch.rand(shape)
    noise = torch.Generator(device).manual_seed(seed)
    device = torch.device(device)
    dtype = hardware.autocast_dtype(device) if autocast else None
    if dtype == torch.float16:  # an older GPU: its gradients would vanish without a scaled loss
        dtype = None
    layout = torch.channels_last if dtype else torch.contiguous_format
    network = network.to(device, memory_format=layout)
    z, observed = z.to(device, memory_format=layout), observed.to(device)
    known = None if mask is None else mask.to(observed)
    adam = torch.optim.Adam(network.parameters(), lr=settings.rate)
    average, kept, next_kept, collapses, iteration, went_back_to = None, None, None, 0, 0, None
    while True:
        iteration += 1
        perturbed = z
        if settings.input_noise:
            perturbed = z + settings.input_noise * torch.randn(z.shape, generator=noise, device=z.device)
        with torch.autocast(device.type, dtype) if dtype else nullcontext():
            output = network(perturbed)
        degraded = degrade(output)
        if degraded.shape != observed.shape:
            raise ValueError(
                f"the degraded picture is {tuple(degraded.shape)}, the observation {tuple(observed.shape)}"
            )
        residual = degraded - observed
        loss = (residual if known is None else residual * known).square().mean()
        value = loss.item()
        # Three times the error of a while ago, or no number at all: that was a step too far.
        if kept is not None and not value < 3 * kept["loss"] + 1e-4:
            collapses += 1
            if collapses > 100:
                raise FloatingPointError("the optimisation collapses again and again: a lower rate may help")
            if went_back_to == kept["iteration"]:  # there again: without noise on z the same steps would follow
                for group in kept["adam"]["param_groups"]:
                    group["lr"] /= 2
            went_back_to = kept["iteration"]
            network.load_state_dict(kept["network"])
            adam.load_state_dict(deepcopy(kept["adam"]))  # Adam goes on with the very tensors that it is given
            average, iteration, next_kept = kept["average"], kept["iteration"], kept
            continue
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        output = output.detach().cpu()
        average = output if average is None else (decay * average).add_(output, alpha=1 - decay)
        if iteration % 25 == 0:
            # The state of 25 to 50 iterations ago: the last one may be on its way down already.
            kept, next_kept = next_kept, _snapshot(iteration, network, adam, average, value)
        yield State(iteration, value, output, average, collapses)


def _snapshot(
    iteration: int, network: nn.Module, adam: torch.optim.Optimizer, average: Tensor, loss: float
) -> dict[str, Any]:
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    state = adam.state_dict()
    moments = {
        index: {name: value.clone() if isinstance(value, Tensor) else value for name, value in entry.items()}
        for index, entry in state["state"].items()
    }
    return {
        "iteration": iteration,
        "network": weights,
        "adam": {"state": moments, "param_groups": state["param_groups"]},
        "average": average,
        "loss": loss,
    }


def _coordinates(height: int, width: int) -> Tensor:
    """(1, 2, H, W): x and y of each pixel in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([x, y])[None]


def _check(observed: Tensor, mask: Tensor | None) -> None:
    if observed.ndim != 4 or observed.shape[0] != 1 or not observed.is_floating_point():
        raise ValueError(f"wanted floats (1, C, H, W), got {observed.dtype} of shape {tuple(observed.shape)}")
    if not observed.isfinite().all():
        raise ValueError("the picture has values that are not finite; what is missing is said by a mask")
    if mask is not None and mask.shape != (1, 1, *observed.shape[-2:]):
        wanted = (1, 1, *observed.shape[-2:])
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
    **how: Any,
) -> Restored:
    """Restore one picture.

    Args:
        observed: x0, (1, C, h, w) on the scale of [0, 1].
        settings: Of the task.
        iterations: At most so many; None takes those of the settings.
        stop: A rule that ends it earlier, and chooses the iteration whose mean of outputs is returned.
        on_step: Called with each state: curves, frames.
        progress: Show a bar.
        keep_on_interrupt: On Ctrl-C return what stands.
        **how: As for `iterate`: degrade, mask, size, z, seed, decay, device.

    Raises:
        ValueError: As `iterate`, or on less than one iteration.
        FloatingPointError: As `iterate`.
    """
    from tqdm.auto import tqdm

    iterations = settings.iterations if iterations is None else iterations
    if iterations < 1:
        raise ValueError(f"at least one iteration, got {iterations}")
    losses: list[float] = []
    chosen, state = None, None
    bar = tqdm(total=iterations, desc="iterations", disable=not progress or "CI" in os.environ)
    try:
        for state in iterate(observed, settings, **how):
            del losses[state.iteration - 1 :]
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


def needed_bytes(settings: Settings, height: int, width: int, channels: int = 3) -> int:
    """An estimate of the memory for a picture, without computing anything: what the layers keep for the gradient.

    Twice the sum of all layers' outputs, in float32: the outputs, and the copies that mirroring and joining make.
    """
    total = 0

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.element_size()

    with torch.device("meta"):
        network = settings.network(channels)
        for module in network.modules():
            if not list(module.children()):
                module.register_forward_hook(count)
        network(torch.empty(1, 2 if settings.meshgrid else settings.depth, height, width))
    return 2 * total


def holds_a_hole(mask: Tensor, side: int = 33) -> bool:
    """Whether a square of ``side`` pixels without a single known one lies in a mask (1, 1, H, W), 1 = known."""
    if min(mask.shape[-2:]) < side:
        return not mask.any()
    return bool((F.max_pool2d(mask, side, stride=1) == 0).any())


def shrink_mask(mask: Tensor, factor: Fraction, size: tuple[int, int]) -> Tensor:
    """The mask of a smaller copy of a picture: a pixel is known if all pixels under the bicubic kernel are.

    Args:
        mask: (1, 1, H, W), 1 = known.
        factor: By which `imresize` shrinks the picture, below 1.
        size: (h, w) of the smaller copy.

    Returns:
        (1, 1, h, w), 1 = known.
    """
    reach = math.ceil(2 / factor)  # the kernel ends two of the smaller pixels from its middle
    hidden = 1 - mask
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        hidden = F.max_pool2d(hidden, kernel, stride=1, padding=padding)
    middles = [((torch.arange(n) + 0.5) / float(factor)).long() for n in size]
    rows, columns = (at.clamp(max=n - 1) for at, n in zip(middles, mask.shape[-2:], strict=True))
    return 1 - hidden[..., rows[:, None], columns]
