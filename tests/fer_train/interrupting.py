"""Interrupting a training at a chosen moment."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fer_train.machine.signals import StopRequest
from fer_train.progress.reporter import PlainReporter
from fer_train.progress.text import EpochPlan, StepFigures


class Interrupter(PlainReporter):
    """Raises the stop flag after so many steps, or one epoch, as a signal would."""

    def __init__(self, stop: StopRequest, *, after_steps: int, after_epoch: int) -> None:
        super().__init__(quiet=True)
        self.stop = stop
        self.left = after_steps
        self.after_epoch = after_epoch

    def note(self, topic: str, text: str) -> None:
        if topic == "epoch" and text.startswith(f"{self.after_epoch}/"):
            self.stop.signum = signal.SIGTERM

    @contextmanager
    def epoch(self, plan: EpochPlan) -> Iterator[Callable[[StepFigures], None]]:
        def count(figures: StepFigures) -> None:
            self.left -= 1
            if self.left == 0:
                self.stop.signum = signal.SIGTERM

        yield count
