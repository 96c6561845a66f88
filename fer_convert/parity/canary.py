"""The canary: few faces that notice most, and the rule by which a phone judges its answers.

EmotionKit has the same rule (``Canary.swift``); cases in golden.json hold the two together.
Format and reasons: ``docs/design/014-canary.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity.measures import decision_margin
from fer_convert.parity.result import ImageMeasure, Prediction
from fer_convert.parity.thresholds import Thresholds

#: How many faces a canary has.
LEAST, MOST = 4, 8

#: Pictures are kept this small and enlarged by repeating pixels: some kB, whatever the input size.
LARGEST_SIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLimits:
    """How far a phone's answers may be from the checkpoint's: those of the published form.

    Attributes:
        max_abs_dp: no probability of any face may differ by more.
        usual_abs_dp, beyond_usual: nor by more than this on more faces than that.
        near_tie: the first label may only change where the checkpoint's first two probabilities
            are at most this far apart; nowhere if None.
    """

    max_abs_dp: float
    usual_abs_dp: float
    beyond_usual: int
    near_tie: float | None


def canary_limits(thresholds: Thresholds, *, faces: int) -> CanaryLimits:
    """Return the limits of a published form for so many faces."""
    reduced = thresholds.reduced
    if reduced is None:
        most = thresholds.max_abs_dp
        return CanaryLimits(max_abs_dp=most, usual_abs_dp=most, beyond_usual=0, near_tie=None)
    return CanaryLimits(
        max_abs_dp=thresholds.max_abs_dp,
        usual_abs_dp=reduced.usual_abs_dp,
        beyond_usual=reduced.beyond_usual(faces),
        near_tie=reduced.near_tie,
    )


def passes(
    limits: CanaryLimits,
    *,
    expected: Sequence[NDArray[np.float64]],
    answers: Sequence[NDArray[np.float64]],
) -> bool:
    """Tell whether answers are within the limits; both in the same order of labels."""
    beyond = 0
    for wanted, seen in zip(expected, answers, strict=True):
        if not (np.isfinite(seen).all() and (seen >= 0).all() and seen.sum() > 0):
            return False
        own = seen / seen.sum()
        difference = float(np.abs(own - wanted).max())
        tie = limits.near_tie is not None and decision_margin(wanted) <= limits.near_tie
        if difference > limits.max_abs_dp or (own.argmax() != wanted.argmax() and not tie):
            return False
        beyond += difference > limits.usual_abs_dp
    return beyond <= limits.beyond_usual


def choose_faces(
    references: Sequence[Prediction],
    measures: Sequence[ImageMeasure],
    *,
    limits: CanaryLimits,
) -> list[int]:
    """Return the positions of up to ``MOST`` faces, the best first.

    The best is the one whose probabilities the published file itself moves most, while it stays
    within what is usual; one of each first label comes before a second of any, and a near tie,
    where a changed label says nothing, after all others. Fewer than ``LEAST`` are none.
    """
    usable = [
        i
        for i, m in enumerate(measures)
        if m.finite and m.top1_agrees and m.max_abs_dp <= limits.usual_abs_dp
    ]
    tie = -math.inf if limits.near_tie is None else limits.near_tie
    best_first = sorted(usable, key=lambda i: (measures[i].margin <= tie, -measures[i].max_abs_dp))
    seen: dict[str, int] = {}
    rounds = {}
    for i in best_first:
        rounds[i] = seen.setdefault(references[i].top1, 0)
        seen[references[i].top1] += 1
    chosen = sorted(best_first, key=lambda i: (measures[i].margin <= tie, rounds[i]))[:MOST]
    return chosen if len(chosen) >= LEAST else []


def small_side(input_size: int) -> tuple[int, int]:
    """Return the side that a picture is kept at, and how often each pixel is repeated."""
    repeat = -(-input_size // LARGEST_SIDE)
    return -(-input_size // repeat), repeat


def enlarge(picture: NDArray[np.uint8], *, repeat: int, size: int) -> NDArray[np.uint8]:
    """Return uint8 ``[size, size, 3]``, every pixel repeated, the last ones cut off."""
    return picture.repeat(repeat, axis=0).repeat(repeat, axis=1)[:size, :size]
