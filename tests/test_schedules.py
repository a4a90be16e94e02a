"""Schedules and clipping of the training loop."""

import pytest
import torch
from torch import nn

from imtrans.training import clip_by_rate, constant, cosine, exponential, halving, scaled, staircase


@pytest.mark.parametrize("steps", [1, 9, 10, 80, 999])
def test_the_warmup_takes_at_most_a_tenth_of_a_training(steps):
    """A training cut short has its high rates and its end all the same."""
    factors = [cosine(warmup=100)(step, steps) for step in range(steps)]
    assert max(factors) == 1.0 == factors[steps // 10]
    assert factors[-1] < 0.1 or steps < 10
    assert factors[: steps // 10] == sorted(factors[: steps // 10])


def test_a_constant_rate_is_1_throughout():
    assert [constant(step, 10) for step in (0, 9)] == [1, 1]


def test_a_cosine_rises_and_falls_to_its_floor():
    warm = cosine(warmup=4, floor=0.1)
    assert [warm(step, 104) for step in (0, 1, 3, 4)] == [0.25, 0.5, 1, 1]
    assert warm(54, 104) == pytest.approx(0.55)  # half way between 1 and the floor
    assert warm(104, 104) == pytest.approx(0.1)
    assert cosine()(0, 5) == 1


def test_a_staircase_steps_down_at_its_fractions():
    stairs = staircase(0.1, at=(0.25, 0.5))
    assert [stairs(step, 100) for step in (0, 24, 25, 49, 50, 99)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_an_exponential_falls_by_equal_factors():
    fall = exponential(1e-3)
    assert [fall(step, 300) for step in (0, 100, 200, 300)] == pytest.approx([1, 0.1, 0.01, 1e-3])


def test_halving_does_not_depend_on_the_length():
    assert [halving(200)(step, 7) for step in (0, 199, 200, 401)] == [1, 1, 0.5, 0.25]


def test_a_scaled_schedule_multiplies_every_rate():
    schedule = scaled(exponential(0.01), 0.5)
    assert [schedule(step, 2) for step in (0, 1, 2)] == pytest.approx([0.5, 0.05, 0.005])
    for factor in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a factor on the learning rates is above 0"):
            scaled(constant, factor)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (constant, "constant rate"),
        (cosine(warmup=100), "cosine"),
        (staircase(0.1, at=(0.25, 0.5)), "rate × 0.1 at 25%, 50%"),
        (exponential(1e-3), "rate falling exponentially to × 0.001"),
        (halving(200_000), "rate halved every 200,000 steps"),
        (scaled(cosine(), 0.5), "cosine; rates × 0.5"),
        (clip_by_rate(0.01), "gradients clipped to ±0.01/rate"),
    ],
)
def test_schedules_and_clips_print_themselves(schedule, words):
    assert str(schedule) == words


@pytest.mark.parametrize("rate", [0.1, 1e-4])
def test_clip_by_rate_bounds_the_step(rate):
    weight = nn.Parameter(torch.zeros(1000))
    gradient = torch.randn(1000)
    weight.grad = gradient.clone() * 1000
    clip_by_rate(0.01)([weight], rate)
    assert weight.grad.abs().max().item() * rate == pytest.approx(0.01)  # theta, whatever the rate


def test_clip_by_rate_changes_no_gradient_within_its_bound():
    weight = nn.Parameter(torch.zeros(1000))
    gradient = torch.randn(1000) * 1e-3
    weight.grad = gradient.clone()
    clip_by_rate(0.01)([weight], 0.1)
    assert torch.equal(weight.grad, gradient)
