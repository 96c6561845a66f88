"""Progress on a terminal: one live line that fits its width; facts and epochs scroll above it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fer_train.progress.pace import Pace, RunPace
from fer_train.progress.text import (
    EpochPlan,
    Figure,
    StepFigures,
    count_figures,
    epoch_cells,
    fitting,
    header_of,
    step_figures,
)

#: Columns of the bar: fewer are no bar, more say nothing more.
_BAR_MIN, _BAR_MAX = 6, 30


class LiveReporter:
    """A live line with rate and time left; facts and a table of epochs scroll above it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._run = RunPace()
        self._header = ""

    def note(self, topic: str, text: str) -> None:
        self.console.print(f"[bold]{topic:<10}[/bold]{escape(text)}", soft_wrap=True)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        pace = Pace(total)
        with self._live(lambda: self._line(what, pace, count_figures(pace))):
            yield pace.add

    @contextmanager
    def epoch(self, plan: EpochPlan) -> Iterator[Callable[[StepFigures], None]]:
        pace = self._run.begin(plan.images, done=plan.images_done)
        batch, last = plan.batches_done, None
        head = f"epoch {plan.number}/{plan.epochs}"

        def show(step: StepFigures) -> None:
            nonlocal batch, last
            pace.add(step.images)
            batch, last = batch + step.batches, step

        def line() -> RenderableType:
            if last is None:
                return self._line(head, pace, [])
            left = self._run.left_s(pace, epochs_left=plan.epochs_left)
            figures = step_figures(last, plan=plan, batch=batch, pace=pace, run_left_s=left)
            return self._line(head, pace, figures)

        with self._live(line):
            yield show
        self._run.end()

    def finished(self, row: Mapping[str, Any], *, epochs: int, improved: bool) -> None:
        cells = fitting(
            epoch_cells(row, epochs=epochs, improved=improved), self.console.width - 1, gap=2
        )
        header = header_of(cells)
        if header != self._header:
            # Once; and again where a resized terminal has room for other columns.
            self._header = header
            self.console.print(Text(header, style="bold"), soft_wrap=True)
        text = Text("  ".join(cell.text for cell in cells), style="green" if improved else "")
        self.console.print(text, soft_wrap=True)

    def _live(self, line: Callable[[], RenderableType]) -> Live:
        return Live(get_renderable=line, console=self.console, transient=True, refresh_per_second=8)

    def _line(self, head: str, pace: Pace, figures: Sequence[Figure]) -> RenderableType:
        """Return ``head``, a bar and as many figures as fit, in one row of the terminal."""
        # The last column stays free: some terminals wrap when it is written.
        width = self.console.width - 1
        room = width - len(head) - _BAR_MIN - 2
        gap = 2 if len(fitting(figures, room, gap=2)) == len(figures) else 1
        kept = fitting([figure for figure in figures if figure.text], room, gap=gap)
        text = (" " * gap).join(figure.text for figure in kept)
        bar = min(width - len(head) - len(text) - 2, _BAR_MAX)
        cells: list[RenderableType] = [Text(head, style="bold"), Text(text)]
        if bar >= _BAR_MIN:
            done = ProgressBar(total=max(pace.total, 1), completed=pace.done, width=bar)
            cells.insert(1, done)
        row = Table.grid(padding=(0, 1, 0, 0))
        for _ in cells:
            row.add_column(no_wrap=True, overflow="crop")
        row.add_row(*cells)
        return row
