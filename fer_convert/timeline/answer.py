"""From averaged probabilities to one steady answer, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_convert.timeline.rules import Rules


def steady_answers(
    times_ms: Sequence[int], averages: NDArray[np.float64], rules: Rules
) -> list[int | None]:
    """Return the answer at each sighting of one face: a column of ``averages``, or None.

    The most probable emotion is the answer where it reaches ``enter``. Where none does, the answer
    is kept down to ``leave``, and is then None. Two changes are ``minimum_dwell_ms`` apart. Of
    equal columns the first is the most probable, so they stand in display order.
    """
    columns = averages.argmax(axis=1).tolist()
    rows = averages.tolist()
    leave = min(rules.leave, rules.enter)
    told: list[int | None] = []
    answer: int | None = None
    open_from: int | None = None
    for time, top, row in zip(times_ms, columns, rows, strict=True):
        wanted = answer
        if row[top] >= rules.enter:
            wanted = top
        elif answer is not None and row[answer] < leave:
            wanted = None
        if wanted != answer and (open_from is None or time >= open_from):
            answer, open_from = wanted, time + rules.minimum_dwell_ms
        told.append(answer)
    return told
