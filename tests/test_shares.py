from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from imtrans.models.srcnn import SRCNN
from imtrans.recipes import srcnn
from imtrans.runs import Options, Training, shares
from imtrans.runs.shares import Pace, in_turn, measure, plan, share
from imtrans.training import Run


class Clock:
    """A clock that the test holds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_time_is_shared_in_proportion():
    assert share(60, (3, 2, 1)) == [30, 20, 10]


@pytest.mark.parametrize("bad", [(1, 0), (-1, 2)])
def test_a_share_is_above_zero(bad):
    with pytest.raises(ValueError, match="above 0"):
        share(60, bad)


def test_a_schedule_counts_start_steps_and_validations():
    pace = Pace(start=10, step=0.5, validation=4)
    steps = pace.steps_within(100, validations=5)
    needed = 10 + (steps - 1) * 0.5 + 5 * 4
    assert needed <= 95 < needed + 0.5


def test_a_schedule_has_at_least_one_step():
    assert Pace(start=100, step=1).steps_within(10) == 1


def test_trainings_as_long_as_planned_all_end_in_time():
    clock, end = Clock(), 1600.0
    paces = [Pace(5, 0.2, 3), Pace(20, 1.0, 8), Pace(1, 0.01, 1)]
    done = []

    def train(number, seconds):
        begun = clock.now
        clock.now += 3.0  # the measurement
        steps = paces[number].steps_within(seconds - 3.0, 6)
        clock.now += paces[number].start + paces[number].step * (steps - 1) + 6 * paces[number].validation
        assert clock.now - begun <= seconds
        done.append(clock.now)

    in_turn(600, (3, 2, 1), train, clock)
    assert len(done) == 3
    assert end - 0.06 * 600 < done[-1] <= end


def test_what_one_training_is_late_by_the_others_bear_together():
    clock, given = Clock(), []

    def train(number, seconds):
        given.append(seconds)
        clock.now += seconds + (30 if number == 0 else 0)

    in_turn(120, (2, 1, 1), train, clock)
    assert given == [60, 15, 15]
    assert clock.now == 1000 + 120


def test_the_time_of_a_training_that_is_passed_over_goes_to_the_others():
    clock, given = Clock(), []

    def train(number, seconds):
        given.append(seconds)
        clock.now += 0 if number == 0 else seconds

    in_turn(90, (1, 1, 1), train, clock)
    assert given == [30, 45, 45]


def test_a_training_is_measured_by_its_own_steps(monkeypatch):
    clock = Clock()

    def build():
        clock.now += 7  # pictures are read
        return srcnn.quick(scale=3)

    def fit(recipe, *, on_step, **_):
        clock.now += 5  # kernels are compiled
        for step in range(10):
            clock.now += 0.25
            on_step(step, 0.0)
        return Run(recipe, torch.nn.Identity(), 10, 0.0)

    def validate(model):
        clock.now += 2

    monkeypatch.setattr(shares, "fit", fit)
    pace = measure(build, lambda: validate, clock=clock)
    assert pace.step == pytest.approx(0.25)
    assert pace.start == pytest.approx(12.25)
    assert pace.validation == pytest.approx(2)


def reported(step_seconds, steps, every, first=5.0):
    """(step, time) of the calls of ``on_step``: a slow first step, later ones in groups of ``every``."""
    ends, now = [(1, first)], first
    for step in range(every, steps + 1, every):
        now = first + step_seconds * (step - 1)
        ends += [(step - every + i, now + 2e-6 * i) for i in range(1, every + 1) if step - every + i > 1]
    return ends


@pytest.mark.parametrize("every", [1, 10])
@pytest.mark.parametrize("step_seconds", [0.002, 0.05, 0.2, 0.6])
def test_the_time_per_step_is_found_from_steps_reported_in_tens(step_seconds, every):
    assert shares.seconds_per_step(reported(step_seconds, 60, every)) == pytest.approx(step_seconds, rel=0.01)


def test_a_single_group_says_nothing_about_the_time_per_step():
    assert shares.seconds_per_step([(step, 3.0 + 1e-6 * step) for step in range(1, 11)]) is None


def test_slow_steps_are_measured_for_longer(monkeypatch):
    clock, asked = Clock(), []

    def fit(recipe, *, seconds, on_step, **_):
        asked.append((recipe.steps, seconds))
        clock.now += 6  # kernels are compiled
        steps = 1 if seconds else recipe.steps
        for step in range(1, steps + 1):
            clock.now += 4.0
            on_step(step, 0.0)
        return Run(recipe, SRCNN(), steps, 0.0)

    monkeypatch.setattr(shares, "fit", fit)
    recipe = srcnn.quick(scale=3)
    _, pace = shares.timed(recipe, 3.0, clock=clock)
    assert asked == [(recipe.steps, 3.0), (3, None)]
    assert pace == Pace(start=pytest.approx(10), step=pytest.approx(4))


def test_to_build_the_validator_belongs_to_the_start(monkeypatch):
    clock = Clock()

    def fit(recipe, *, on_step, **_):
        for step in (1, 2, 3):
            clock.now += 1.0
            on_step(step, 0.0)
        return Run(recipe, SRCNN(), 3, 0.0)

    def watch():
        clock.now += 30
        return lambda network: None

    monkeypatch.setattr(shares, "fit", fit)
    assert measure(partial(srcnn.quick, scale=3), watch, clock=clock).start == pytest.approx(31)


def test_a_real_training_is_measured():
    seen = []
    recipe = srcnn.quick(scale=3)
    pace = measure(lambda: replace(recipe, loss=F.l1_loss), lambda: seen.append, seconds=0.3, device="cpu")
    assert 0 < pace.step < 1
    assert pace.start < 60
    assert len(seen) == 1


def test_validations_are_counted_with_the_last_one():
    recipe = srcnn.quick(scale=3)
    assert shares.validations(replace(recipe, steps=100, validate_every=20)) == 5
    assert shares.validations(replace(recipe, steps=101, validate_every=20)) == 6
    assert shares.validations(replace(recipe, steps=100, validate_every=0)) == 1


@pytest.fixture
def slow(monkeypatch):
    """A clock on which each training is measured in 8 seconds, to have a slow start and half a second per step."""
    clock = Clock()

    def measure(build, watch, **_):
        build()
        clock.now += 8
        return Pace(start=20, step=0.5, validation=4)

    monkeypatch.setattr(shares, "measure", measure)
    return clock


def test_a_plan_counts_its_measurement_and_keeps_the_other_options(slow):
    given = Options(seed=3, rate_factor=0.5)
    planned, stop = plan(Training("srcnn-x3"), given, 308, clock=slow)
    times_validated = shares.validations(srcnn.quick(scale=3))
    assert replace(planned, steps=None) == given
    assert planned.steps == Pace(20, 0.5, 4).steps_within(300, times_validated)
    assert stop == 300


def test_planned_trainings_are_validated_as_often_as_their_recipe(slow):
    planned, _ = plan(Training("srcnn-x3"), Options(), 10_000, clock=slow)
    recipe = Training("srcnn-x3").recipe(planned)
    assert recipe.steps == planned.steps > 10_000
    assert shares.validations(recipe) == pytest.approx(shares.validations(srcnn.quick(scale=3)), abs=1)


def test_a_plan_that_has_no_time_stops_after_the_first_step(slow):
    planned, stop = plan(Training("srcnn-x3"), Options(), 2, clock=slow)
    assert planned.steps == 1
    assert stop == 0


def test_of_a_training_in_stages_the_last_one_is_timed(monkeypatch):
    class Staged:
        def stretched(self, factor):
            return f"the first stage {factor} times as long"

    seen = []

    def fit(recipe, *, on_step, **_):
        seen.append(recipe.data)
        on_step(1, 0.0)
        return Run(recipe, SRCNN(), 1, 0.0)

    monkeypatch.setattr(shares, "fit", fit)
    measure(lambda: replace(srcnn.quick(scale=3), data=Staged()), lambda: lambda network: None)
    assert set(seen) == {"the first stage 0 times as long"}


def test_a_validation_is_timed_on_the_device_of_the_training(monkeypatch):
    def fit(recipe, *, on_step, **_):
        on_step(1, 0.0)
        return Run(recipe, SRCNN(), 1, 0.0, device="meta")

    monkeypatch.setattr(shares, "fit", fit)
    devices = []
    measure(
        partial(srcnn.quick, scale=3), lambda: lambda network: devices.append(next(network.parameters()).device.type)
    )
    assert devices == ["meta"]
