"""Training time, without the pauses of a process that was stopped."""

import time
from collections.abc import Callable


class Stopwatch:
    """Seconds of work, measured step by step.

    A process may be stopped for a while (SIGSTOP, a laptop asleep) and continue later. A lap whose steps take more than
    ``PAUSE`` times the mean of those before it, and that takes more than five seconds, contains a pause: its steps
    count as the mean.

    Args:
        seconds: Seconds of earlier parts of a resumed training.
        steps: Number of steps in those seconds, if this machine did them; 0 to measure its steps anew.
        clock: Function that returns seconds.
    """

    PAUSE = 5
    FIRST = 10  # steps until the mean can be trusted: the first ones are slow

    def __init__(self, seconds: float = 0.0, steps: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock, self._steps, self._sum, self._since = clock, steps, seconds if steps else 0.0, clock()

    def start(self) -> None:
        """Measure from now on: what happened since the last lap, a validation for instance, does not count."""
        self._since = self._clock()

    def lap(self, steps: int = 1) -> None:
        """Add the time since the last lap or start, in which so many steps were done."""
        now = self._clock()
        each = (now - self._since) / steps
        if self._steps >= self.FIRST and each * steps > 5 and each > self.PAUSE * self._sum / self._steps:
            each = self._sum / self._steps
        self._since, self._steps, self._sum = now, self._steps + steps, self._sum + each * steps
        self.seconds += each * steps
