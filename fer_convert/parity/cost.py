"""What another file costs on labelled faces: accuracy and calibration, before and after.

The same faces are asked twice, so every figure is paired: what counts are the faces whose answer
changed, not how hard all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_convert.parity.exact import Interval, paired_interval, sign_test
from fer_convert.parity.measures import by_name
from fer_convert.parity.result import Change, Cost, Prediction

Array = NDArray[np.float64]

#: Resamplings behind an interval; seeded, so that a report can be made again.
_DRAWS, _SEED = 1000, 0

#: Bins of confidence, equally wide, as fertrain's calibration has them.
_BINS = 15


def cost_of(
    names: Sequence[str],
    labels: Sequence[str | None],
    *,
    reference: Sequence[Prediction],
    predictions: Sequence[Prediction],
) -> Cost | None:
    """Compare two sets of answers to the same images.

    Args:
        labels: what each image shows; None, or a label that the reference does not know, leaves
            the image out.

    Returns:
        None where no image counts, or an answer is no number: the verdict says so already.
    """
    known = [i for i, label in enumerate(labels) if label in reference[i].labels]
    if not known:
        return None
    order = reference[known[0]].labels
    truth = np.array([order.index(str(labels[i])) for i in known])
    first, second = (
        _Answers.of([every[i] for i in known], truth=truth, order=order)
        for every in (reference, predictions)
    )
    if not (np.isfinite(first.confidence).all() and np.isfinite(second.confidence).all()):
        return None
    lost, won = first.right & ~second.right, second.right & ~first.right
    draws = _draws(truth)
    balanced = _change(_Answers.balanced, first, second, draws)
    low, high = _balanced_interval(truth, lost, won)
    balanced = _at_least(balanced, (low - balanced.difference, high - balanced.difference))
    # A class whose answers did not change does not vary in draws, though another sample would.
    reach = tuple(bound - balanced.difference for bound in balanced.interval)
    return Cost(
        images=len(known),
        accuracy=Change(
            before=float(first.right.mean()),
            after=float(second.right.mean()),
            interval=paired_interval(int(lost.sum()), int(won.sum()), len(known)),
        ),
        balanced_accuracy=balanced,
        macro_f1=_at_least(_change(_Answers.macro_f1, first, second, draws), (reach[0], reach[1])),
        ece=_change(_Answers.ece, first, second, draws),
        lost=tuple(names[known[i]] for i in np.flatnonzero(lost)),
        won=tuple(names[known[i]] for i in np.flatnonzero(won)),
        chance=sign_test(int(lost.sum()), of=int(lost.sum() + won.sum())),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """One side's answers to N faces; the figures are of D draws ``weights`` [D, N] of them."""

    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    confidence: Array
    classes: int

    @classmethod
    def of(
        cls, answers: Sequence[Prediction], *, truth: NDArray[np.int64], order: tuple[str, ...]
    ) -> _Answers:
        shares = np.stack([by_name(one, one.probabilities, labels=order) for one in answers])
        # A name that is none of the labels is simply wrong.
        places = {label: place for place, label in enumerate(order)}
        named = np.array([places.get(one.top1, -1) for one in answers])
        return cls(truth, named, shares.max(axis=1), len(order))

    @property
    def right(self) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = self.truth == self.named
        return result

    def balanced(self, weights: Array) -> Array:
        support, hits = self._counted(weights, self.truth), self._hits(weights)
        present = support[0] > 0
        recalls: Array = (hits[:, present] / support[:, present]).mean(axis=1)
        return recalls

    def macro_f1(self, weights: Array) -> Array:
        support, hits = self._counted(weights, self.truth), self._hits(weights)
        named = self._counted(weights, self.named)
        present = support[0] > 0
        f1: Array = (2 * hits / np.maximum(support + named, 1))[:, present].mean(axis=1)
        return f1

    def ece(self, weights: Array) -> Array:
        places = np.clip(np.ceil(self.confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
        gap = np.zeros((len(self.truth), _BINS))
        gap[np.arange(len(places)), places] = self.right - self.confidence
        distance: Array = np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1)
        return distance

    def _hits(self, weights: Array) -> Array:
        return self._counted(weights * self.right, self.truth)

    def _counted(self, weights: Array, classes: NDArray[np.int64]) -> Array:
        each: Array = weights @ (classes[:, None] == np.arange(self.classes)).astype(np.float64)
        return each


def _change(
    figure: Callable[[_Answers, Array], Array], first: _Answers, second: _Answers, draws: Array
) -> Change:
    """The first row of ``draws`` is the faces as they are; the others are resamplings."""
    before, after = figure(first, draws), figure(second, draws)
    low, high = np.quantile((after - before)[1:], [0.025, 0.975])
    return Change(
        before=float(before[0]), after=float(after[0]), interval=(float(low), float(high))
    )


def _at_least(change: Change, reach: Interval) -> Change:
    """Widen an interval to what is at least known of it, relative to the difference."""
    low, high = change.interval
    return Change(
        before=change.before,
        after=change.after,
        interval=(min(low, change.difference + reach[0]), max(high, change.difference + reach[1])),
    )


def _draws(truth: NDArray[np.int64]) -> Array:
    """How often each face is in each sample: once in the first; drawn again within its class in
    the others, since how many faces a class has is no chance."""
    random = np.random.default_rng(_SEED)
    weights = np.ones((_DRAWS + 1, len(truth)))
    for place in np.unique(truth):
        own = np.flatnonzero(truth == place)
        weights[1:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), _DRAWS)
    return weights


def _balanced_interval(
    truth: NDArray[np.int64], lost: NDArray[np.bool_], won: NDArray[np.bool_]
) -> Interval:
    """The interval of the mean of the classes' differences, from the exact one of each.

    The distances to the bounds add up as standard errors do (Zou and Donner, Statistics in Medicine
    27, 2008).
    """
    rows = []
    for place in np.unique(truth):
        own = truth == place
        down, up, count = int(lost[own].sum()), int(won[own].sum()), int(own.sum())
        rows.append(((up - down) / count, *paired_interval(down, up, count)))
    middle, low, high = np.array(rows).T
    below, above = np.sqrt(np.square(middle - low).sum()), np.sqrt(np.square(high - middle).sum())
    mean = float(middle.mean())
    return mean - float(below) / len(rows), mean + float(above) / len(rows)
