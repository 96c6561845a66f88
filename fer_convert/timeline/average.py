"""The average of one face's probabilities over time, as a sum over its past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_convert.timeline.rules import Rules

#: No frame counts for less: a face that is dark for minutes still gets an answer.
MINIMUM_WEIGHT = 0.05

Floats = NDArray[np.float64]


def averages(times_ms: NDArray[np.int64], weights: Floats, answers: Floats, rules: Rules) -> Floats:
    """Return the average at each sighting of one face.

    A frame counts by its weight, by the share of the time constant it stands for
    (``1 - exp(-dt / tau)`` for the pause before it; the first stands for all that was before it)
    and by how long ago it was (``exp(-age / tau)``). A phone carries sums from frame to frame; here
    they are written out, so that the two can disagree.

    Args:
        times_ms: ``[N]``; one that does not advance repeats the average before it.
        weights: ``[N]``, clipped to 0.05..1.
        answers: ``[N, K]``, each row summing to one.
    """
    if rules.smoothing_ms <= 0:
        return answers.copy()
    weights = np.clip(weights, MINIMUM_WEIGHT, 1.0)
    result = np.empty_like(answers)
    start = 0
    while start < len(times_ms):
        counted, end = _run(times_ms, start, rules.reset_gap_ms)
        span = times_ms[counted] / rules.smoothing_ms
        stands_for = np.concatenate(([1.0], -np.expm1(-np.diff(span))))
        # [N, N]: how much frame j counts at frame i; nothing before it was taken. Ages are clipped
        # there, since exp() of the distant future overflows.
        ages = np.maximum(span[:, None] - span[None, :], 0.0)
        shares = np.tril(np.exp(-ages) * (weights[counted] * stands_for)[None, :])
        shares /= shares.sum(axis=1, keepdims=True)
        average = shares @ answers[counted]
        latest = np.searchsorted(counted, np.arange(start, end), side="right") - 1
        result[start:end] = average[latest]
        start = end
    return result


def _run(times_ms: NDArray[np.int64], start: int, gap_ms: int) -> tuple[NDArray[np.int64], int]:
    """Return which frames from ``start`` count towards one average, and where the next starts."""
    counted, latest = [start], int(times_ms[start])
    for position in range(start + 1, len(times_ms)):
        time = int(times_ms[position])
        if time - latest > gap_ms:
            return np.array(counted), position
        if time > latest:
            counted.append(position)
            latest = time
    return np.array(counted), len(times_ms)
