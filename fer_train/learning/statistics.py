"""Whether two figures differ by more than chance, and how far one figure may be off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Confusion = NDArray[np.int64]  # [true class, predicted class]
Interval = tuple[float, float]

#: Resamplings behind an interval; seeded, so that a report can be made again.
_DRAWS, _SEED = 2000, 0

#: Two-sided 95 % point of the normal distribution.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Two classifiers on the same images.

    Attributes:
        only_first, only_second: images that only one of them gets right.
        p: probability of a difference at least this large if both were equally good (exact,
            two-sided).
    """

    images: int
    only_first: int
    only_second: int
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """Compare which images two classifiers get right, [N] each.

    Images that both get right or wrong say nothing about the difference; of the others each side
    would win half if both were equally good (McNemar 1947, with the exact binomial).
    """
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    n = b + c
    # Whole numbers throughout: no binomial underflows, whatever n is.
    tail, term = 0, 1
    for k in range(min(b, c) + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    p = min(1.0, 2 * tail / 2**n)
    return McNemar(images=len(first), only_first=b, only_second=c, p=p)


def larger_than_chance(test: McNemar, *, first: str, second: str) -> str:
    """Return the result of `mcnemar` as a sentence."""
    n = test.only_first + test.only_second
    if not n:
        return f"Of {test.images:,} images, {first} and {second} get exactly the same ones right."
    verdict = "larger than chance" if test.p < 0.05 else "not larger than chance explains"
    p = "p < 0.001" if test.p < 1e-3 else f"p = {test.p:.3f}"
    return (
        f"Their difference in accuracy is {verdict} ({p}): of {test.images:,} images, "
        f"{test.only_first} are right only in {first} and {test.only_second} only in {second}."
    )


def average_intervals(confusion: Confusion) -> dict[str, Interval]:
    """Return 95 % intervals of ``balanced_accuracy`` and ``macro_f1``.

    Both are means over the classes that have images. How many images a class has is no chance: it
    was chosen, so it stays.

    The classes' recalls are independent shares, and Wilson's bounds of each combine into bounds of
    their mean (`_mean_interval`). Their F1s are not independent, an image missed by one class is
    a false alarm of another: each class's images are drawn again 2000 times from its row of the
    matrix [true, predicted], and the middle 95 % of the macro-F1 is taken. Where a class is always
    or never recognised nothing varies in such draws, though another sample would; therefore the
    interval is at least that of independent F1s.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    present = np.flatnonzero(support).tolist()
    if not present:
        return {"balanced_accuracy": (0.0, 1.0), "macro_f1": (0.0, 1.0)}
    hits = np.diag(counts)
    recall = [(hits[i] / support[i], wilson(int(hits[i]), int(support[i]))) for i in present]
    f1 = [
        (
            2 * hits[i] / (support[i] + predicted[i]),
            f1_interval(int(hits[i]), int(support[i]), int(predicted[i])),
        )
        for i in present
    ]
    low, high = _mean_interval(f1)
    drawn_low, drawn_high = _drawn_macro_f1(counts, present)
    return {
        "balanced_accuracy": _mean_interval(recall),
        "macro_f1": (min(low, drawn_low), max(high, drawn_high)),
    }


def f1_interval(hits: int, support: int, predicted: int) -> Interval:
    """Return the 95 % interval of one class's F1.

    F1 is 2J / (1 + J) for the share J of hits among all images that are or are called this class.
    J is a plain share, so Wilson's interval applies to it, and the formula only rises with J.
    """
    union = support + predicted - hits
    low, high = wilson(hits, union)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def wilson(hits: int, total: int) -> Interval:
    """Return the 95 % interval of the share ``hits / total`` (Wilson, JASA 22, 1927).

    Unlike share ± 1.96 standard errors it stays within 0..1 and is not empty at 0 or ``total``
    hits. Without any trial nothing is known: 0..1.
    """
    if total == 0:
        return 0.0, 1.0
    share, shrink = hits / total, 1 + _Z**2 / total
    centre = (share + _Z**2 / (2 * total)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    # At the ends the formula gives exactly 0 and 1, its rounding not always.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == total else centre + half
    return low, high


def _mean_interval(figures: Sequence[tuple[float, Interval]]) -> Interval:
    """Return the interval of the mean of independent figures from (figure, its interval).

    The distances to the bounds add up as standard errors do (Zou and Donner, Statistics in Medicine
    27, 2008). Unlike resampling it is not empty where every figure is 0 or 1.
    """
    values, bounds = np.array([f for f, _ in figures]), np.array([b for _, b in figures])
    mean, n = float(values.mean()), len(values)
    low = mean - float(np.sqrt(np.square(values - bounds[:, 0]).sum())) / n
    high = mean + float(np.sqrt(np.square(bounds[:, 1] - values).sum())) / n
    return max(low, 0.0), min(high, 1.0)


def _drawn_macro_f1(counts: Confusion, present: Sequence[int]) -> Interval:
    """Return the middle 95 % of macro-F1 when every class's images are drawn again."""
    random = np.random.default_rng(_SEED)
    predicted = np.zeros((_DRAWS, counts.shape[1]), dtype=np.int64)
    hits = np.zeros((_DRAWS, len(counts)), dtype=np.int64)
    for i in present:
        total = int(counts[i].sum())
        drawn = random.multinomial(total, counts[i] / total, size=_DRAWS)
        predicted += drawn
        hits[:, i] = drawn[:, i]
    f1 = 2 * hits / np.maximum(counts.sum(axis=1) + predicted, 1)
    low, high = np.quantile(f1[:, present].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
