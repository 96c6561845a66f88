"""From probabilities to one answer."""

from __future__ import annotations

import numpy as np

from fer_convert.timeline.answer import steady_answers
from fer_convert.timeline.rules import Rules

RULES = Rules(enter=0.55, leave=0.4, minimum_dwell_ms=400)


def _told(*shares: tuple[int, float]) -> list[int | None]:
    """What is told for (time, probability of column 1)."""
    rows = np.array([[(1 - share) / 2, share, (1 - share) / 2] for _, share in shares])
    return steady_answers([time for time, _ in shares], rows, RULES)


def test_it_is_entered_high_and_left_low() -> None:
    told = _told((0, 0.54), (80, 0.55), (1000, 0.4), (2000, 0.39), (3000, 0.54))
    assert told == [None, 1, 1, None, None]


def test_no_change_follows_another_within_the_dwell() -> None:
    told = _told((0, 0.9), (399, 0.1), (400, 0.1), (480, 0.9), (800, 0.9))
    assert told == [1, 1, None, None, 1]


def test_another_sure_emotion_takes_over_at_once() -> None:
    rows = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert steady_answers([0, 400], rows, RULES) == [0, 1]


def test_leave_is_never_above_enter() -> None:
    rows = np.array([[0.6, 0.2, 0.2], [0.5, 0.25, 0.25], [0.45, 0.3, 0.25]])
    odd = Rules(enter=0.5, leave=0.7, minimum_dwell_ms=0)
    assert steady_answers([0, 1, 2], rows, odd) == [0, 0, None]


def test_of_equal_columns_the_first_is_the_answer() -> None:
    odd = Rules(enter=0.5, leave=0.4)
    assert steady_answers([0], np.array([[0.5, 0.5]]), odd) == [0]
