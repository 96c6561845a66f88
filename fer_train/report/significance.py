"""Whether two figures differ by more than chance, and how far one figure may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_train.intervals import wilson
from fer_train.metrics import Confusion

Interval = tuple[float, float]

#: Resamplings behind an interval; seeded, so that a report can be made again.
_DRAWS, _SEED = 2000, 0


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


def f1_interval(hits: int, support: int, predicted: int) -> Interval:
    """Return the 95 % interval of one class's F1.

    F1 is 2J / (1 + J) for the share J of hits among all images that are or are called this class.
    J is a plain share, so Wilson's interval applies to it, and the formula only rises with J.
    """
    union = support + predicted - hits
    low, high = wilson(hits, union)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def average_intervals(confusion: Confusion) -> dict[str, Interval]:
    """Return 95 % intervals of ``balanced_accuracy`` and ``macro_f1``.

    Averages over classes have no formula: the images are drawn again 2000 times from the
    confusion matrix [true, predicted], and the middle 95 % of the figures is taken.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    total = int(counts.sum())
    if not total:
        return {"balanced_accuracy": (0.0, 1.0), "macro_f1": (0.0, 1.0)}
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(total, counts.ravel() / total, size=_DRAWS)
    drawn = drawn.reshape(_DRAWS, *counts.shape)
    hits = np.diagonal(drawn, axis1=1, axis2=2)
    support, predicted = drawn.sum(axis=2), drawn.sum(axis=1)
    present = support > 0
    classes = present.sum(axis=1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    figures = {
        "balanced_accuracy": (recall * present).sum(axis=1) / classes,
        "macro_f1": (f1 * present).sum(axis=1) / classes,
    }
    return {name: _middle(values) for name, values in figures.items()}


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


def _middle(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
