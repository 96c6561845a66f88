"""How fast a task goes, and how long it and the run that it is part of still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

#: The rate is that of the last so many seconds: what it was an hour ago says little.
_WINDOW_S = 20.0


class Pace:
    """Rate and time left of a task that counts up to a total.

    Args:
        done: counted before the task was begun (a resumed epoch).
        clock: seconds, for tests.
    """

    def __init__(
        self, total: int, *, done: int = 0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.total, self.done, self._clock = total, done, clock
        self._marks = deque([(clock(), done)])

    def add(self, count: int) -> None:
        """Count ``count`` more."""
        now = self._clock()
        self.done += count
        self._marks.append((now, self.done))
        # One mark older than the window stays, so that the rate spans all of it.
        while len(self._marks) > 2 and self._marks[1][0] <= now - _WINDOW_S:
            self._marks.popleft()

    @property
    def rate(self) -> float | None:
        """Count per second; None before there is one."""
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / (now - before) if now > before and last > first else None

    @property
    def left_s(self) -> float | None:
        """Seconds left; None while the rate is unknown."""
        return None if self.rate is None else (self.total - self.done) / self.rate


class RunPace:
    """Time left of a run of epochs; knows what validation and saving take between them."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._ended: float | None = None
        self._between_s = 0.0

    def begin(self, images: int, *, done: int) -> Pace:
        """Begin the training of an epoch."""
        if self._ended is not None:
            self._between_s = self._clock() - self._ended
        return Pace(images, done=done, clock=self._clock)

    def end(self) -> None:
        """End the training of an epoch; its validation follows."""
        self._ended = self._clock()

    def left_s(self, epoch: Pace, *, epochs_left: int) -> float | None:
        """Return the seconds left of the run, as if all epochs were like the present one."""
        if epoch.rate is None or epoch.left_s is None:
            return None
        whole = epoch.total / epoch.rate + self._between_s
        return epoch.left_s + self._between_s + epochs_left * whole
