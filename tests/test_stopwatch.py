"""Training time by steps, with a clock that the test holds."""

import pytest

from imtrans.training.stopwatch import Stopwatch


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def laps(watch: Stopwatch, clock: Clock, *seconds: float) -> float:
    for each in seconds:
        clock.now += each
        watch.lap()
    return watch.seconds


def test_the_steps_add_up(clock):
    assert laps(Stopwatch(clock=clock), clock, 0.5, 0.25, 1.0) == pytest.approx(1.75)


def test_a_resumed_training_counts_on_from_its_earlier_seconds(clock):
    assert laps(Stopwatch(60.0, clock=clock), clock, 0.5) == pytest.approx(60.5)


def test_a_pause_counts_as_one_usual_step(clock):
    watch = Stopwatch(clock=clock)
    laps(watch, clock, *[0.5] * 20)
    assert laps(watch, clock, 3600.0, 0.5) == pytest.approx(11.0)


def test_a_step_that_is_somewhat_slower_counts_in_full(clock):
    watch = Stopwatch(clock=clock)
    laps(watch, clock, *[0.5] * 20)
    assert laps(watch, clock, 4.0) == pytest.approx(14.0)


def test_a_short_stop_of_slow_steps_is_a_pause(clock):
    watch = Stopwatch(clock=clock)
    laps(watch, clock, *[2.0] * 20)
    assert laps(watch, clock, 12.0) == pytest.approx(42.0)


def test_a_training_that_was_resumed_on_its_machine_knows_what_a_pause_is(clock):
    assert laps(Stopwatch(40.0, steps=20, clock=clock), clock, 60.0) == pytest.approx(42.0)


def test_a_training_that_was_resumed_elsewhere_counts_its_first_steps_in_full(clock):
    assert laps(Stopwatch(40.0, clock=clock), clock, 60.0) == pytest.approx(100.0)


def test_a_pause_between_two_looks_at_a_gpu_is_seen(clock):
    watch = Stopwatch(clock=clock)
    for seconds in (1.0, 1.0, 9.0):  # ten steps each
        clock.now += seconds
        watch.lap(steps=10)
    assert watch.seconds == pytest.approx(3.0)


def test_the_first_steps_may_be_slow_without_being_a_pause(clock):
    assert laps(Stopwatch(clock=clock), clock, 0.1, 30.0) == pytest.approx(30.1)


def test_what_happens_between_a_lap_and_a_start_does_not_count(clock):
    watch = Stopwatch(clock=clock)
    laps(watch, clock, 0.5)
    clock.now += 12.0  # a validation
    watch.start()
    assert laps(watch, clock, 0.5) == pytest.approx(1.0)


def test_several_steps_may_share_a_lap(clock):
    watch = Stopwatch(clock=clock)
    clock.now += 6.0
    watch.lap(steps=12)
    assert laps(watch, clock, 3600.0) == pytest.approx(6.5)
