"""A network that gives one answer to (almost) everything: every other figure hides that."""

from __future__ import annotations

from collections.abc import Sequence

from fer_train.metrics import Confusion
from fer_train.report.figures import percent

#: Share of all answers from which one class has "almost all", and by how much that must exceed the
#: share of images that do show it: on images of one class a single answer is right.
_ALMOST_ALL, _TOO_MANY = 0.95, 0.05


def one_sided(confusion: Confusion | Sequence[Sequence[int]], labels: Sequence[str]) -> str | None:
    """Return "answers happiness to 100 % of the images, which 12.5 % show"; else None.

    Args:
        confusion: counts [true, predicted].
        labels: of its rows and columns.
    """
    total = sum(sum(row) for row in confusion)
    for index, label in enumerate(labels):
        said = sum(row[index] for row in confusion)
        shown = sum(confusion[index])
        if total and said >= _ALMOST_ALL * total and said - shown >= _TOO_MANY * total:
            return (
                f"answers {label} to {percent(float(said / total))} of the images, "
                f"which {percent(float(shown / total))} show"
            )
    return None
