"""What a person sees while training: a live line on a terminal, plain lines elsewhere.

Everything goes to stderr; stdout belongs to ``--json``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from fer_train.progress.pace import Pace, RunPace
from fer_train.progress.text import (
    EpochPlan,
    Figure,
    StepFigures,
    count_figures,
    epoch_line,
    step_figures,
)

#: Plain output says this often how far a long task is, so that a log is never silent for long.
_INTERVAL_S = 30.0


class Reporter(Protocol):
    """How a run talks to its user."""

    def note(self, topic: str, text: str) -> None:
        """Say one thing that was decided or found."""

    def counting(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show a task over ``total`` images; the yielded function takes how many more are done."""

    def epoch(self, plan: EpochPlan) -> AbstractContextManager[Callable[[StepFigures], None]]:
        """Show the training of an epoch; the yielded function takes each step's figures."""

    def finished(self, row: Mapping[str, Any], *, epochs: int, improved: bool) -> None:
        """Say how an epoch ended.

        Args:
            row: of the history.
            epochs: of the whole run.
            improved: it is the best one so far.
        """


class PlainReporter:
    """One line per fact and per epoch, and within long ones, without control codes; or nothing.

    Args:
        clock: seconds, for tests.
    """

    def __init__(
        self, *, quiet: bool = False, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.quiet = quiet
        self._clock = clock
        self._run = RunPace(clock=clock)

    def note(self, topic: str, text: str) -> None:
        if not self.quiet:
            print(f"{topic:<10}{text}", file=sys.stderr, flush=True)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        pace = Pace(total, clock=self._clock)
        due = self._every_interval()

        def count_up(count: int) -> None:
            pace.add(count)
            if due():
                self.note("", f"{what} {_joined(count_figures(pace))}")

        yield count_up

    @contextmanager
    def epoch(self, plan: EpochPlan) -> Iterator[Callable[[StepFigures], None]]:
        pace = self._run.begin(plan.images, done=plan.images_done)
        batch = plan.batches_done
        due = self._every_interval()

        def show(step: StepFigures) -> None:
            nonlocal batch
            pace.add(step.images)
            batch += step.batches
            if due():
                left = self._run.left_s(pace, epochs_left=plan.epochs_left)
                figures = step_figures(step, plan=plan, batch=batch, pace=pace, run_left_s=left)
                self.note("", f"epoch {plan.number}/{plan.epochs}  {_joined(figures)}")

        yield show
        self._run.end()

    def finished(self, row: Mapping[str, Any], *, epochs: int, improved: bool) -> None:
        self.note("epoch", epoch_line(row, epochs, improved=improved))

    def _every_interval(self) -> Callable[[], bool]:
        last = self._clock()

        def due() -> bool:
            nonlocal last
            if self._clock() - last < _INTERVAL_S:
                return False
            last = self._clock()
            return True

        return due


def choose_reporter(*, quiet: bool) -> Reporter:
    """Return a live line when stderr is a terminal and the user did not ask for silence."""
    dumb = os.environ.get("TERM") in ("dumb", "unknown")
    if quiet or dumb or not sys.stderr.isatty():
        return PlainReporter(quiet=quiet)
    # Imported here: rich takes a while, and output into a file does not need it.
    from fer_train.progress.live import LiveReporter

    return LiveReporter()


def _joined(figures: list[Figure]) -> str:
    return "  ".join(figure.text for figure in figures if figure.text)
