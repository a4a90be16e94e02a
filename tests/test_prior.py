"""Deep image prior: what decides a result, what is fitted, when it stops, and how it comes back from a collapse."""

import math
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from imtrans import hardware, prior
from imtrans.data import photos
from imtrans.degrade import gaussian_noise, lanczos_down, pixel_mask
from imtrans.prior import Discrepancy, LeastVariance, Settings, iterate, restore, settings
from imtrans.resize import imresize

SMALL = settings.denoising().narrow(6)  # one level: 3 pixels on a side are enough
STILL = replace(SMALL, input_noise=0)
PAPER = {
    # (channels of z, noise on z, rate, iterations); z of two channels holds coordinates
    "denoising": (settings.denoising(), (32, 1 / 30, 0.01, 1800)),
    "denoising 50": (settings.denoising(50), (32, 1 / 20, 0.01, 1800)),
    "super-resolution": (settings.super_resolution(), (32, 0.03, 0.01, 2000)),
    "super-resolution 8": (settings.super_resolution(8), (32, 0.05, 0.01, 4000)),
    "inpainting": (settings.inpainting(), (32, 0.03, 0.01, 6000)),
    "hole": (settings.hole_filling(), (2, 0.03, 0.01, 5000)),
    "large hole": (settings.large_hole(), (1, 0, 0.01, 3000)),
    "JPEG": (settings.jpeg_cleanup(), (3, 1 / 30, 0.01, 2400)),
    "half": (settings.half_the_pixels(), (32, 0.03, 0.001, 11_000)),
    "flash": (settings.flash(), (3, 0, 0.1, 600)),
}


def cat(channels: int = 1, height: int = 14, width: int = 17) -> torch.Tensor:
    return photos.photo("chelsea").picture[:, :channels, 110 : 110 + height, 150 : 150 + width]


def states(observed, task, count, **how):
    return list(islice(iterate(observed, task, **how), count))


def fit(observed, task=SMALL, iterations=4, **how):
    return restore(observed, task, iterations=iterations, progress=False, **how)


# --- the paper's settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("task", PAPER)
def test_settings_are_those_of_the_paper(task):
    chosen, wanted = PAPER[task]
    assert (chosen.z_channels, chosen.input_noise, chosen.rate, chosen.iterations) == wanted
    with torch.device("meta"):
        network = chosen.network(1)
    assert next(network.parameters()).shape[1] == chosen.z_channels
    assert network.head[0].out_channels == 1


@pytest.mark.parametrize(
    ("task", "channels", "count"),
    [
        ("denoising", 3, 2_217_831),
        ("inpainting", 3, 3_002_627),
        ("hole", 3, 2_157_955),
        ("large hole", 3, 2_996_467),
        ("JPEG", 3, 572_827),
        ("half", 1, 2_217_573),
        ("flash", 3, 2_184_307),
    ],
)
def test_networks_have_the_parameters_of_the_authors_code(task, channels, count):
    with torch.device("meta"):
        network = PAPER[task][0].network(channels)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("task", PAPER)
def test_narrow_settings_fit_small_pictures(task):
    chosen = PAPER[task][0]
    network = chosen.narrow(4, 6, 5).network()
    picture = network(torch.rand(1, PAPER[task][1][0], network.smallest, network.smallest + 3))
    assert picture.shape == (1, 3, network.smallest, network.smallest + 3)


@pytest.mark.parametrize("task", PAPER)
def test_narrow_settings_keep_the_skips_and_the_enlargement_of_the_outer_levels(task):
    chosen = PAPER[task][0]
    with torch.device("meta"):
        wide, level = chosen.network().body, chosen.narrow(4, 6, 5).network().body
    for width in (4, 6, 5):
        assert level.down[0].out_channels == level.up[1].out_channels == width
        assert level.mode == wide.mode
        assert (level.skip[0].out_channels if level.skip else 0) == (wide.skip[0].out_channels if wide.skip else 0)
        wide, level = wide.inner, level.inner


# --- what decides a result -------------------------------------------------------------------------------


def test_the_seed_decides_and_nothing_else():
    x = cat(3)
    before = torch.get_rng_state()
    first = fit(x, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again, other = fit(x, seed=3), fit(x, seed=4)
    assert torch.equal(first.picture, again.picture)
    assert first.losses == again.losses
    assert not torch.equal(first.picture, other.picture)
    assert first.losses[0] != other.losses[0]


def test_two_at_a_time_do_not_disturb_each_other():
    x, alone = cat(), [states(cat(), SMALL, 3, seed=seed) for seed in (0, 1)]
    both = list(islice(zip(iterate(x, SMALL, seed=0), iterate(x, SMALL, seed=1), strict=True), 3))
    for k in (0, 1):
        assert [pair[k].loss for pair in both] == [state.loss for state in alone[k]]


@dataclass(frozen=True)
class Watched(Settings):
    """Settings whose network notes what goes in."""

    def network(self, channels=3):
        network = super().network(channels)
        network.seen = SEEN
        network.register_forward_pre_hook(lambda module, inputs: module.seen.append(inputs[0].detach().clone()))
        return network


SEEN = []


def watch(task, observed, count, **how):
    """What the network gets in each of ``count`` iterations."""
    SEEN.clear()
    states(observed, Watched(**vars(task)), count, **how)
    return list(SEEN)


def test_z_is_noise_with_fresh_noise_on_it():
    still = watch(STILL, cat(1, 40, 44), 3)
    z = still[0]
    assert z.shape == (1, 32, 40, 44)
    assert all(torch.equal(z, other) for other in still)
    assert z.min() >= 0
    assert z.max() <= 0.1
    assert z.mean().item() == pytest.approx(0.05, abs=1e-3)
    assert z.std().item() == pytest.approx(0.1 / 12**0.5, abs=1e-3)
    noise = torch.stack(watch(SMALL, cat(1, 40, 44), 3)) - z
    assert noise.std().item() == pytest.approx(1 / 30, rel=0.02)
    assert abs(noise.mean().item()) < 1e-3
    assert abs((noise[0] * noise[1]).mean().item()) < 1e-5


def test_z_may_be_coordinates_or_a_picture_of_ones_own():
    x = cat(3, 9, 12)
    (z,) = watch(replace(STILL, meshgrid=True), x, 1)
    columns, rows = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 9))
    np.testing.assert_allclose(z[0].numpy(), np.stack([columns, rows]), atol=1e-6)
    flash = settings.flash().narrow(6)
    assert torch.equal(watch(flash, x, 2, z=1 - x)[1], 1 - x)
    first, second = (fit(x, flash, z=z, iterations=5).picture for z in (1 - x, x.flip(-1)))
    assert not torch.allclose(first, second, atol=1e-3)


def test_the_first_output_is_that_of_a_fresh_network():
    x, z = cat(1, 9, 12), torch.rand(1, 32, 9, 12)
    torch.manual_seed(7)
    with torch.no_grad():
        wanted = STILL.network(1)(z)
    (state,) = states(x, STILL, 1, z=z, seed=7)
    assert torch.equal(state.output, wanted)
    assert state.loss == pytest.approx((wanted - x).square().mean().item())


# --- what is fitted --------------------------------------------------------------------------------------


def test_a_fit_approaches_the_observation():
    x = cat(3)
    fitted = fit(x, iterations=120, decay=0.9)
    assert np.mean(fitted.losses[-10:]) < 0.2 * np.mean(fitted.losses[:3])
    assert fitted.picture.shape == x.shape
    assert (fitted.picture - x).square().mean() < 0.2 * x.var()
    assert 0 < fitted.picture.min() < fitted.picture.max() < 1
    assert not fitted.picture.requires_grad


def test_a_step_is_one_of_adam():
    """Two losses by torch alone: a forward pass, a step, a forward pass."""
    x, z = cat(1, 9, 12), torch.rand(1, 32, 9, 12)
    torch.manual_seed(0)
    network = STILL.network(1)
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        loss = nn.functional.mse_loss(network(z), x)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert fit(x, STILL, z=z, iterations=3).losses == pytest.approx(losses, rel=1e-5)


def test_hidden_pixels_have_no_influence():
    x, mask = cat(3), pixel_mask(14, 17, 0.6, seed=0)
    painted = torch.where(mask > 0, x, torch.rand_like(x) * 9)
    first, second = (fit(y, mask=mask) for y in (x, painted))
    assert torch.equal(first.picture, second.picture)
    assert first.losses == second.losses
    assert fit(x).losses == fit(x, mask=torch.ones(1, 1, 14, 17)).losses != first.losses
    for state in states(x, SMALL, 3, mask=mask):
        assert state.loss == pytest.approx((((state.output - x) * mask) ** 2).mean().item(), rel=1e-5)


def test_low_resolution_is_what_is_compared():
    small = cat(3, 4, 5)
    down = partial(lanczos_down, scale=4)
    for state in states(small, SMALL, 3, degrade=down, size=(16, 20)):
        assert state.output.shape == state.average.shape == (1, 3, 16, 20)
        assert state.loss == pytest.approx((down(state.output) - small).square().mean().item(), rel=1e-5)
    fitted = fit(small, degrade=down, size=(16, 20), iterations=120, decay=0.9)
    assert (down(fitted.picture) - small).square().mean() < 0.2 * small.var()


def test_the_average_is_the_exponential_mean_of_the_outputs():
    for how, decay in (({}, 0.99), ({"decay": 0.5}, 0.5)):
        found = states(cat(), SMALL, 12, **how)
        assert [state.iteration for state in found] == list(range(1, 13))
        average = found[0].output.double()
        for state in found:
            average = average if state.iteration == 1 else decay * average + (1 - decay) * state.output
            torch.testing.assert_close(state.average.double(), average, atol=1e-6, rtol=0)


def test_autocast_computes_in_bf16_where_the_processor_has_it():
    x = cat(3)
    low, high = (states(x, STILL, 30, autocast=autocast) for autocast in (True, False))
    assert low[0].output.dtype == torch.float32
    assert (low[0].output - high[0].output).abs().max() < 0.05
    assert low[-1].loss < 0.5 * low[0].loss
    assert [s.loss for s in states(x, STILL, 5, autocast=True)] == [s.loss for s in low[:5]]


def test_fp16_is_never_used_since_gradients_would_vanish(monkeypatch):
    """A GPU that has fp16 alone: it computes in single precision, so that the picture is the same."""
    monkeypatch.setattr(hardware, "autocast_dtype", lambda device: torch.float16)
    low, high = (states(cat(3), STILL, 2, autocast=autocast) for autocast in (True, False))
    assert torch.equal(low[-1].output, high[-1].output)


# --- when it stops ---------------------------------------------------------------------------------------


def moving_variance(outputs: np.ndarray, alpha: float) -> np.ndarray:
    """v ← (1 − α)(v + α ‖x − m‖²), m ← (1 − α) m + α x, a pixel at a time; infinite where there is one output."""
    mean, variance, found = outputs[0], np.zeros_like(outputs[0]), [math.inf]
    for x in outputs[1:]:
        variance = (1 - alpha) * (variance + alpha * (x - mean) ** 2)
        mean = (1 - alpha) * mean + alpha * x
        found.append(variance.mean())
    return np.array(found)


def feed(rule, outputs, start=1):
    """Until it is over; the last iteration."""
    for iteration, output in enumerate(outputs, start):
        rule.update(iteration, torch.from_numpy(output), 0.0)
        if rule.done:
            break
    return iteration


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_the_moving_variance_is_that_of_the_outputs(alpha):
    outputs = np.random.default_rng(0).random((60, 1, 3, 5, 6))
    rule = LeastVariance(alpha)
    feed(rule, outputs)
    np.testing.assert_allclose(rule.variances, moving_variance(outputs, alpha), rtol=1e-12)
    # Of independent outputs it tends to their variance, times (1 − α) and what the mean's own adds.
    assert rule.variances[-1] == pytest.approx((1 - alpha) / 12 * (1 + alpha / (2 - alpha)), rel=0.15)


def calm_at(place: int, count: int) -> np.ndarray:
    """Outputs that move by |t − place| steps' worth, calm from the start to 20 as well."""
    random = np.random.default_rng(0)
    sizes = [0.0 if t < 20 else abs(t - place) / place for t in range(count)]
    return np.cumsum([size * random.standard_normal((1, 1, 8, 8)) for size in sizes], axis=0)


def test_the_variance_rule_stops_where_the_outputs_change_least():
    outputs = calm_at(120, 400)
    rule = LeastVariance(0.05, warmup=60, patience=70)
    last = feed(rule, outputs)
    wanted = 61 + int(np.argmin(moving_variance(outputs, 0.05)[60:last]))
    assert rule.best == wanted
    assert 115 < wanted < 150
    assert last == wanted + 70
    assert len(rule.variances) == last
    # Without the warm-up the calm of the beginning would be taken for it.
    hasty = LeastVariance(0.05, warmup=0, patience=70)
    feed(hasty, outputs)
    assert hasty.best < 21


def test_before_the_end_of_the_warm_up_the_last_output_is_the_best():
    rule = LeastVariance(warmup=30)
    feed(rule, calm_at(10, 25))
    assert rule.best == 25
    assert not rule.done


def test_the_variance_rule_forgets_iterations_that_come_again():
    """After a collapse: one variance an iteration, and the best one keeps its number."""
    outputs = calm_at(120, 300)
    rule = LeastVariance(0.05, warmup=60, patience=300)
    feed(rule, outputs[:160])
    best = rule.best
    assert 115 < best < 150
    feed(rule, outputs[100:], start=101)
    assert len(rule.variances) == 300
    assert rule.best == pytest.approx(best, abs=8)
    assert np.argmin(rule.variances[60:]) + 61 == pytest.approx(best, abs=8)
    np.testing.assert_allclose(rule.variances[200:], moving_variance(outputs, 0.05)[200:], rtol=0.05)


def test_the_discrepancy_rule_stops_at_the_noise_level():
    rule = Discrepancy(25)
    level = (25 / 255) ** 2
    for iteration, loss in enumerate((4 * level, 1.01 * level), 1):
        rule.update(iteration, torch.zeros(1), loss)
        assert (rule.best, rule.done) == (iteration, False)
    rule.update(3, torch.zeros(1), 0.99 * level)
    assert (rule.best, rule.done) == (3, True)
    noisy = gaussian_noise(cat(1, 20, 24), 50, seed=0)
    fitted = fit(noisy, iterations=400, stop=Discrepancy(50))
    assert fitted.losses[-1] <= (50 / 255) ** 2 < min(fitted.losses[:-1])
    assert fitted.iteration == len(fitted.losses) < 400


class Fixed:
    """Iteration 5 is the best, after 9 it is over."""

    best, done = 0, False

    def update(self, iteration, output, loss):
        self.best, self.done = min(iteration, 5), iteration == 9


def test_the_picture_is_that_of_the_chosen_iteration():
    x, seen = cat(), []
    fitted = fit(x, iterations=20, stop=Fixed(), on_step=seen.append)
    assert fitted.iteration == 5
    assert torch.equal(fitted.picture, seen[4].average)
    assert [state.iteration for state in seen] == list(range(1, 10))
    assert fitted.losses == [state.loss for state in seen]
    assert fitted.collapses == 0
    without = fit(x, iterations=9)
    assert (without.iteration, without.losses) == (9, fitted.losses)
    assert torch.equal(without.picture, seen[-1].average)
    assert fit(x, replace(SMALL, iterations=3), iterations=None).iteration == 3


def test_a_rule_sees_every_output():
    rule, outputs = LeastVariance(warmup=2), []
    fit(cat(), iterations=8, stop=rule, on_step=lambda state: outputs.append(state.output.numpy()))
    np.testing.assert_allclose(rule.variances, moving_variance(np.stack(outputs), rule.alpha), rtol=1e-4)


def test_an_interrupt_returns_the_result_so_far():
    x, seen = cat(), []

    def interrupt(state):
        seen.append(state)
        if state.iteration == 6:
            raise KeyboardInterrupt

    fitted = fit(x, iterations=20, on_step=interrupt, keep_on_interrupt=True)
    assert fitted.iteration == len(fitted.losses) == 6
    assert torch.equal(fitted.picture, seen[-1].average)
    with pytest.raises(KeyboardInterrupt):
        fit(x, iterations=20, on_step=interrupt)

    def at_once(picture):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # nothing stands yet
        fit(x, degrade=at_once, keep_on_interrupt=True)


# --- collapses -------------------------------------------------------------------------------------------


def spoiled(calls: set[int], factor: float = math.nan):
    """A degradation that is the identity, but in some of its calls."""
    count = 0

    def degrade(x):
        nonlocal count
        count += 1
        return factor * x if count in calls else x

    return degrade


def order(calls, iterations=80, factor=math.nan):
    """Which iterations are there, one after the other, and their states."""
    found = []
    for state in iterate(cat(1, 9, 12), STILL, degrade=spoiled(calls, factor)):
        found.append(state)
        if state.iteration == iterations:
            break
    return [state.iteration for state in found], found


@pytest.fixture(scope="module")
def undisturbed():
    torch.set_num_threads(1)
    return order(set())[1]


def span(*pieces):
    return [i for first, last in pieces for i in range(first, last + 1)]


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ({51}, [(1, 50), (26, 80)]),  # from now on there is something to go back to
        ({77}, [(1, 76), (51, 80)]),
        ({60, 112}, [(1, 59), (26, 76), (51, 80)]),
    ],
)
def test_a_collapse_restores_weights_moments_and_average(calls, wanted, undisturbed):
    """Weights, moments, average: without noise on z all is computed again, to the bit, as if nothing had been."""
    iterations, found = order(calls)
    assert iterations == span(*wanted)
    assert found[-1].collapses == len(calls)
    for state in found:
        same = undisturbed[state.iteration - 1]
        assert state.loss == same.loss
        assert torch.equal(state.output, same.output)
        assert torch.equal(state.average, same.average)


@pytest.mark.parametrize(
    ("calls", "wanted", "share"),
    [
        ({60, 61, 62}, [(1, 59), (26, 80)], 1 / 4),
        ({60, 75}, [(1, 59), (26, 39), (26, 80)], 1 / 2),
        # At 55 the state of 50 is that of this time, too young to go back to.
        ({60, 90}, [(1, 59), (26, 54), (26, 80)], 1 / 2),
    ],
)
def test_a_second_collapse_at_one_place_halves_the_rate(calls, wanted, share, undisturbed, monkeypatch):
    """Without noise on z the very steps that led to the collapse would follow."""
    rates = []

    class Noted(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Noted)
    iterations, found = order(calls)
    assert iterations == span(*wanted)
    assert found[-1].collapses == len(calls)
    last_time = len(found) - 55  # of the iterations 26 to 80
    assert rates == pytest.approx([STILL.rate] * last_time + [share * STILL.rate] * 55)
    for state in found[: last_time + 1]:  # the first one after it still has the weights that were kept
        assert torch.equal(state.output, undisturbed[state.iteration - 1].output)


def test_a_snapshot_is_a_copy():
    """Between two collapses at one place Adam makes steps, and none of them may reach the state that is kept."""
    (_, stepped), (_, at_once) = order({60, 75}), order({60, 61})  # 15 steps from the kept state, and none
    for state, wanted in zip(stepped[-55:], at_once[-55:], strict=True):  # iterations 26 to 80, both at half the rate
        assert (state.iteration, state.loss) == (wanted.iteration, wanted.loss)
        assert torch.equal(state.output, wanted.output)
        assert torch.equal(state.average, wanted.average)


@pytest.mark.parametrize(("factor", "collapses"), [(30.0, 1), (math.inf, 1), (1.001, 0)])
def test_a_collapse_is_a_jump_of_the_loss(factor, collapses):
    assert order({60}, 65, factor)[1][-1].collapses == collapses


def test_a_collapse_leaves_one_loss_per_iteration():
    x = cat(1, 9, 12)
    bumpy = fit(x, STILL, iterations=80, degrade=spoiled({60, 112}))
    smooth = fit(x, STILL, iterations=80)
    assert bumpy.collapses == 2
    assert bumpy.losses == smooth.losses
    assert torch.equal(bumpy.picture, smooth.picture)
    noisy = fit(x, SMALL, iterations=70, degrade=spoiled({60}), stop=(rule := LeastVariance(warmup=10)))
    assert len(noisy.losses) == len(rule.variances) == 70
    assert noisy.losses[:25] == fit(x, SMALL, iterations=25).losses


def test_more_than_100_collapses_raise():
    with pytest.raises(FloatingPointError, match="collapses again and again"):
        fit(cat(1, 9, 12), iterations=70, degrade=spoiled(set(range(60, 1000))))
    with pytest.raises(FloatingPointError, match="collapses again and again"):
        fit(cat(1, 9, 12), iterations=70, degrade=lambda x: x * math.nan)


# --- what is refused, and what it takes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "how", "message"),
    [
        (torch.rand(1, 12, 12), {}, "wanted floats"),
        (torch.rand(2, 1, 12, 12), {}, "wanted floats"),
        (torch.zeros(1, 1, 12, 12, dtype=torch.uint8), {}, "wanted floats"),
        (torch.full((1, 1, 12, 12), math.nan), {}, "not finite; missing pixels"),
        (torch.rand(1, 1, 2, 12), {}, "needs 3 pixels on each side, got 2×12"),
        (torch.rand(1, 3, 12, 12), {"mask": torch.ones(1, 3, 12, 12)}, r"does not fit .* wanted \(1, 1, 12, 12\)"),
        (torch.rand(1, 3, 12, 12), {"mask": torch.ones(1, 1, 12, 11)}, "does not fit"),
        (torch.rand(1, 3, 12, 12), {"z": torch.rand(1, 3, 12, 12)}, r"z of shape .* wanted \(1, 32, 12, 12\)"),
        (torch.rand(1, 3, 12, 12), {"z": torch.rand(1, 32, 13, 12)}, "z of shape"),
        (torch.rand(1, 3, 12, 12), {"degrade": partial(lanczos_down, scale=4)}, r"degraded picture is \(1, 3, 3, 3\)"),
        (torch.rand(1, 3, 12, 12), {"size": (24, 24)}, r"is \(1, 3, 24, 24\), the observation \(1, 3, 12, 12\)"),
        (torch.rand(1, 3, 12, 12), {"degrade": lambda x: x[:, :1]}, "degraded picture is"),
        (torch.rand(1, 1, 12, 12), {"iterations": 0}, "at least one iteration is needed, got 0"),
    ],
)
def test_wrong_arguments_are_refused(observed, how, message):
    with pytest.raises(ValueError, match=message):
        fit(observed, **how)


def test_the_memory_estimate_is_about_what_the_gradient_needs():
    task = settings.denoising().narrow(16, 24, 32)
    kept = {}

    def keep(x):
        kept[x.untyped_storage().data_ptr()] = x  # held, so that no address comes twice
        return x

    network = task.network()
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        network(torch.rand(1, 32, 48, 56)).sum()
    taken = sum(x.untyped_storage().nbytes() for pointer, x in kept.items() if pointer not in weights)
    needed = prior.needed_bytes(task, 48, 56)
    assert 0.5 * needed < taken < 1.1 * needed


def test_the_memory_estimate_grows_with_the_picture():
    task = settings.denoising()
    small, large = (prior.needed_bytes(task, side, side) for side in (512, 1024))
    assert large == 4 * small
    assert prior.needed_bytes(task.narrow(16, 16), 512, 512) < small
    assert small < prior.needed_bytes(settings.inpainting(), 512, 512)
    assert prior.needed_bytes(settings.hole_filling(), 40_000, 40_000) > 1e12  # and nothing is computed
    with pytest.raises(ValueError, match="needs 33 pixels"):
        prior.needed_bytes(task, 32, 512)


def test_a_hole_is_a_square_without_a_known_pixel():
    mask = torch.ones(1, 1, 60, 70)
    assert not prior.holds_a_hole(mask)
    mask[..., 5:37, 8:60] = 0  # 32 rows
    assert not prior.holds_a_hole(mask)
    assert prior.holds_a_hole(mask, side=32)
    mask[..., 37, 8:41] = 0  # 33×33 at last
    assert prior.holds_a_hole(mask)
    mask[..., 20, 30] = 1
    assert not prior.holds_a_hole(mask)
    assert not prior.holds_a_hole(pixel_mask(60, 70, 0.1, seed=0))
    assert not prior.holds_a_hole(pixel_mask(20, 70, 0.1, seed=0))
    assert prior.holds_a_hole(torch.zeros(1, 1, 20, 70))


def test_a_shrunk_mask_knows_the_pixels_whose_bicubic_kernel_sees_known_ones_alone():
    mask = pixel_mask(36, 48, 0.99, seed=2)
    assert not mask.all()
    shrunk = prior.shrink_mask(mask, Fraction(1, 3), (12, 16))
    seen = imresize(1 - mask, Fraction(1, 3)) != 0  # where a missing pixel has a weight
    assert not (shrunk.bool() & seen).any()
    assert shrunk.any()


@pytest.mark.parametrize(
    ("task", "how", "wanted"),
    [
        ("denoise", {}, settings.denoising()),
        ("inpaint", {"mask": pixel_mask(40, 44, 0.5, seed=0)}, settings.inpainting()),
        ("inpaint", {"mask": torch.zeros(1, 1, 40, 44)}, settings.hole_filling()),
        ("super-resolve", {"scale": 4}, settings.super_resolution(4)),
        ("super-resolve", {"scale": 8}, settings.super_resolution(8)),
    ],
)
def test_a_plan_has_the_settings_of_its_task(task, how, wanted):
    found = prior.plan(task, cat(1, 40, 44), **how)
    assert found.settings == wanted
    assert isinstance(found.stop, LeastVariance) == (task == "denoise")


def test_a_plan_is_what_restore_needs():
    small, mask = cat(3, 10, 11), pixel_mask(10, 11, 0.5, seed=0)
    enlarging = prior.plan("super-resolve", small, scale=2)
    assert enlarging.size == (20, 22)
    assert fit(small, SMALL, **enlarging.options).picture.shape == (1, 3, 20, 22)
    filling = prior.plan("inpaint", small, mask=mask)
    assert fit(small, SMALL, **filling.options).losses == fit(small, SMALL, mask=mask).losses


def test_a_plan_has_a_mask_to_inpaint_and_only_then():
    for task, mask in (("inpaint", None), ("denoise", torch.ones(1, 1, 14, 17))):
        with pytest.raises(ValueError, match="only then, a mask is needed"):
            prior.plan(task, cat(), mask=mask)


def test_the_duration_is_that_of_the_second_iteration():
    calls = []

    def slow(x):
        calls.append(x)
        time.sleep(0.2 if len(calls) == 2 else 0)
        return x

    assert 0.2 < prior.seconds_per_iteration(cat(), SMALL, degrade=slow) < 5
    assert len(calls) == 2
