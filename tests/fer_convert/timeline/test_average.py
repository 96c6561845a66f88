"""The average over time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_convert.timeline.average import averages
from fer_convert.timeline.rules import Rules

RULES = Rules(smoothing_ms=400, reset_gap_ms=1000)
A, B = [1.0, 0.0], [0.0, 1.0]


def _averages(
    times: list[int], rows: list[list[float]], weights: list[float] | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    counts = np.array(weights or [1.0] * len(times))
    return averages(np.array(times), counts, np.array(rows), RULES)


def test_one_step_moves_by_what_the_time_constant_says() -> None:
    smoothed = _averages([0, 80], [A, B])
    assert smoothed[1, 1] == pytest.approx(1 - math.exp(-80 / 400), abs=1e-15)


def test_it_does_not_depend_on_the_frame_rate() -> None:
    ends = []
    for steps in (5, 30):
        times = [1000 * step // steps for step in range(steps + 1)]
        ends.append(_averages(times, [A] + [B] * steps)[-1, 1])
    assert ends[0] == pytest.approx(ends[1], abs=1e-12) == pytest.approx(1 - math.exp(-2.5))


def test_a_frame_counts_by_its_weight_against_those_before() -> None:
    smoothed = _averages([0, 80], [A, B], [0.8, 0.2])
    share = 0.2 * (1 - math.exp(-0.2)) / (0.8 * math.exp(-0.2) + 0.2 * (1 - math.exp(-0.2)))
    assert smoothed[1, 1] == pytest.approx(share, abs=1e-15)
    assert _averages([0, 80], [A, B], [0.4, 0.1])[1, 1] == pytest.approx(share, abs=1e-15)


def test_no_weight_is_below_a_twentieth_or_above_one() -> None:
    low, high = (_averages([0, 80], [A, B], [1.0, weight])[1, 1] for weight in (0.0, 7.0))
    assert low == _averages([0, 80], [A, B], [1.0, 0.05])[1, 1]
    assert high == _averages([0, 80], [A, B])[1, 1]


def test_a_longer_pause_than_the_gap_starts_afresh() -> None:
    smoothed = _averages([0, 1000, 2001], [A, B, A])
    assert 0 < smoothed[1, 0] < 1
    assert smoothed[2].tolist() == A


def test_time_that_stands_still_or_goes_back_repeats_the_average() -> None:
    smoothed = _averages([0, 80, 80, 20, 160], [A, B, A, A, B])
    assert smoothed[1].tolist() == smoothed[2].tolist() == smoothed[3].tolist()
    assert smoothed[4] == pytest.approx(_averages([0, 80, 160], [A, B, B])[2])


def test_hours_of_frames_neither_overflow_nor_leave_the_simplex() -> None:
    generator = np.random.default_rng(3)
    times = np.arange(700) * 900
    answers = generator.dirichlet([0.3] * 8, len(times))
    smoothed = averages(times, generator.uniform(0, 1, len(times)), answers, RULES)
    assert smoothed.sum(axis=1) == pytest.approx(1)
    assert smoothed.min() >= 0


def test_no_time_constant_is_no_average() -> None:
    answers = np.array([A, B])
    rules = Rules(smoothing_ms=0)
    assert averages(np.array([0, 1]), np.ones(2), answers, rules).tolist() == [A, B]
