"""Exact statistics of counts: nothing here is an approximation for large numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

Interval = tuple[float, float]

#: Two-sided error of a 95 % interval.
ERROR = 0.05

_HALVINGS = 45  # of [0, 1]: to 3e-14


def sign_test(lost: int, *, of: int) -> float:
    """Return how often a fair coin shows at least ``lost`` tails ``of`` as many throws."""
    # Whole numbers throughout: no binomial underflows, whatever ``of`` is.
    tail, term = 0, math.comb(of, lost)
    for k in range(lost, of + 1):
        tail += term
        term = term * (of - k) // (k + 1)
    return tail / (1 << of)


def paired_interval(lost: int, won: int, total: int) -> Interval:
    """Return the 95 % interval of a difference in accuracy, from the answers that changed.

    Never empty: both shares have their Clopper-Pearson interval, each with half of the error, so
    that it holds whatever ties them together.
    """
    (lost_low, lost_high), (won_low, won_high) = (
        clopper_pearson(count, total, error=ERROR / 2) for count in (lost, won)
    )
    return won_low - lost_high, won_high - lost_low


@cache
def clopper_pearson(hits: int, total: int, *, error: float = ERROR) -> Interval:
    """Return the exact interval of the share ``hits / total`` (Biometrika 26, 1934).

    Without any trial nothing is known: 0 to 1.
    """
    low = _crossing(lambda p: _at_least(hits, total, p), error / 2) if hits else 0.0
    high = (
        _crossing(lambda p: _at_least(hits + 1, total, p), 1 - error / 2) if hits < total else 1.0
    )
    return low, high


def _at_least(hits: int, total: int, share: float) -> float:
    """Probability of ``hits`` or more of ``total``, each of probability 0 < ``share`` < 1."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    k = np.arange(hits, total + 1)
    logs = factorials[total] - factorials[k] - factorials[total - k]
    return float(np.exp(logs + k * math.log(share) + (total - k) * math.log1p(-share)).sum())


def _crossing(rising: Callable[[float], float], level: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return (low + high) / 2
