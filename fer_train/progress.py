"""What a person sees while training: a live bar on a terminal, plain lines elsewhere.

Everything goes to stderr; stdout belongs to ``--json``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What the bar shows after a step; loss and accuracy are the epoch's running figures."""

    images: int
    loss: float
    accuracy: float
    lr: float
    grad_norm: float


class Reporter(Protocol):
    """How a run talks to its user."""

    def note(self, topic: str, text: str) -> None:
        """Say one thing that was decided or found."""

    def counting(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show a task over ``total`` images; the yielded function takes how many more are done."""

    def epoch(
        self, number: int, *, epochs: int, images: int
    ) -> AbstractContextManager[Callable[[StepFigures], None]]:
        """Show one epoch; the yielded function takes each step's figures."""


class PlainReporter:
    """One line per fact and per epoch, without control codes; or nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def note(self, topic: str, text: str) -> None:
        if not self.quiet:
            print(f"{topic:<10}{text}", file=sys.stderr, flush=True)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: None

    @contextmanager
    def epoch(
        self, number: int, *, epochs: int, images: int
    ) -> Iterator[Callable[[StepFigures], None]]:
        yield lambda figures: None


class RichReporter:
    """Live bars with rate and time left; facts scroll above them."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def note(self, topic: str, text: str) -> None:
        from rich.markup import escape

        self.console.print(f"[bold]{topic:<10}[/bold]{escape(text)}", soft_wrap=True)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        with self._bar() as bar:
            task = bar.add_task(what, total=total, figures="", rate="")
            yield lambda count: bar.advance(task, count)

    @contextmanager
    def epoch(
        self, number: int, *, epochs: int, images: int
    ) -> Iterator[Callable[[StepFigures], None]]:
        with self._bar() as bar:
            task = bar.add_task(f"epoch {number}/{epochs}", total=images, figures="", rate="")

            def show(step: StepFigures) -> None:
                speed = bar.tasks[0].speed
                bar.update(
                    task,
                    advance=step.images,
                    rate="" if speed is None else f"{speed:.0f} img/s",
                    figures=f"loss {step.loss:.3f}  acc {step.accuracy:.3f}  "
                    f"lr {step.lr:.1e}  |g| {step.grad_norm:.2f}",
                )

            yield show

    def _bar(self) -> Any:
        from rich import progress

        return progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[figures]}"),
            console=self.console,
            transient=True,
        )


def choose_reporter(*, quiet: bool) -> Reporter:
    """Return live bars when stderr is a terminal and the user did not ask for silence."""
    if quiet or not sys.stderr.isatty():
        return PlainReporter(quiet=quiet)
    return RichReporter()
