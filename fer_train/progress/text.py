"""What progress says, as text of a given width: figures are dropped, lines never wrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fer_train.progress.pace import Pace

#: Least width of each cell: a loss of 10 or a rate of 10000 keeps its column.
_WIDTHS = (5, 7, 6, 7, 6, 6, 6, 7, 6, 5, 6, 4)


class Figure(NamedTuple):
    """A piece of a line.

    Attributes:
        rank: where the line is too long, figures of the highest rank are left out first.
        title: heads its column in a table.
    """

    text: str
    rank: int
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPlan:
    """An epoch that begins, or goes on after a resume.

    Attributes:
        epochs: of the whole run.
        epochs_left: that follow this one; fewer than the numbers say after an early stop.
        images_done, batches_done: before the run was resumed.
    """

    number: int
    epochs: int
    epochs_left: int
    images: int
    batches: int
    images_done: int = 0
    batches_done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What is shown after a step; loss and accuracy are the epoch's running figures."""

    images: int
    batches: int
    loss: float
    accuracy: float
    lr: float
    grad_norm: float


def fitting(figures: Sequence[Figure], width: int, *, gap: int) -> list[Figure]:
    """Return the figures that fit into ``width`` columns side by side, the low ranks kept."""
    kept = list(figures)
    while sum(map(_width, kept)) + gap * (len(kept) - 1) > width and len(kept) > 1:
        kept.remove(max(kept, key=lambda figure: figure.rank))
    return kept


def step_figures(
    step: StepFigures, *, plan: EpochPlan, batch: int, pace: Pace, run_left_s: float | None
) -> list[Figure]:
    """Return the figures of a running epoch."""
    return [
        Figure(_of("batch", batch, plan.batches), 1),
        Figure(f"loss {step.loss:.3f}", 2),
        Figure(f"acc {step.accuracy:.3f}", 3),
        Figure("" if pace.rate is None else f"{pace.rate:4.0f} img/s", 6),
        Figure(f"left {duration(pace.left_s)}", 4),
        Figure(f"run {duration(run_left_s)}", 5),
        Figure(f"lr {step.lr:.1e}", 7),
        Figure(f"|g| {step.grad_norm:5.2f}", 8),
        Figure(_of("image", pace.done, pace.total), 9),
    ]


def count_figures(pace: Pace) -> list[Figure]:
    """Return the figures of a task that counts images."""
    return [
        Figure(_of("", pace.done, pace.total), 1),
        Figure("" if pace.rate is None else f"{pace.rate:.0f}/s", 3),
        Figure(f"left {duration(pace.left_s)}", 2),
    ]


def epoch_cells(row: Mapping[str, Any], *, epochs: int, improved: bool) -> list[Figure]:
    """Return the cells of a finished epoch, each as wide as its column.

    Args:
        row: of the history.
    """
    number = f"{row['epoch']:>{len(str(epochs))}}/{epochs}"
    cells = [
        Figure(number, 0, "epoch"),
        Figure(f"{row['train_loss']:.4f}", 2, "loss"),
        Figure(f"{row['train_accuracy']:.4f}", 5, "acc"),
        Figure(f"{row['val_loss']:.4f}", 2, "val loss"),
        Figure(f"{row['val_accuracy']:.4f}", 3, "val acc"),
        Figure(f"{row['val_balanced_accuracy']:.4f}", 4, "bal.acc"),
        Figure(f"{row['val_macro_f1']:.4f}", 2, "F1"),
        Figure(f"{row['lr']:.1e}", 8, "lr"),
        Figure(f"{row['grad_norm']:.2f}", 9, "|g|"),
        Figure(f"{row['images_per_second']:.0f}", 7, "img/s"),
        Figure(duration(row["seconds"]), 6, "time"),
        Figure("best" if improved else "", 1),
    ]
    return [
        Figure(f"{cell.text:>{max(least, len(cell.title))}}", cell.rank, cell.title)
        for cell, least in zip(cells, _WIDTHS, strict=True)
    ]


def header_of(cells: Sequence[Figure]) -> str:
    """Return the titles above cells of `epoch_cells`."""
    return "  ".join(f"{cell.title:>{len(cell.text)}}" for cell in cells).rstrip()


def epoch_line(row: Mapping[str, Any], epochs: int, *, improved: bool) -> str:
    """Return a finished epoch as one long line that needs no header."""
    return (
        f"{row['epoch']}/{epochs}  "
        f"train loss {row['train_loss']:.4f} acc {row['train_accuracy']:.4f}  "
        f"val loss {row['val_loss']:.4f} acc {row['val_accuracy']:.4f} "
        f"balanced {row['val_balanced_accuracy']:.4f} F1 {row['val_macro_f1']:.4f}  "
        f"lr {row['lr']:.1e}  |g| {row['grad_norm']:.2f}  "
        f"{row['images_per_second']:.0f} img/s  {row['seconds']:.1f} s"
        f"{'  best' if improved else ''}"
    )


def duration(seconds: float | None) -> str:
    """Return 0:07, 12:30 or 1:02:33; dashes for what is not known."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _of(what: str, done: int, total: int) -> str:
    # As wide at the beginning as at the end: what stands beside it does not move.
    return f"{what} {done:>{len(str(total))}}/{total}".lstrip()


def _width(figure: Figure) -> int:
    return len(figure.text)
