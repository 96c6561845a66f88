"""McNemar's exact test and the intervals that a report shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_train.intervals import wilson
from fer_train.report.significance import (
    average_intervals,
    f1_interval,
    larger_than_chance,
    mcnemar,
)


def pair(both: int, only_first: int, only_second: int) -> tuple[np.ndarray, np.ndarray]:
    first = [True] * both + [True] * only_first + [False] * only_second
    second = [True] * both + [False] * only_first + [True] * only_second
    return np.array(first), np.array(second)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 5), (10, 2), (2, 10), (0, 8), (30, 12)])
def test_mcnemar_is_the_exact_two_sided_binomial(b: int, c: int) -> None:
    test = mcnemar(*pair(20, b, c))
    n = b + c
    probabilities = [math.comb(n, k) / 2**n for k in range(n + 1)]
    seen = probabilities[b]
    # Two-sided by its definition: all outcomes no likelier than the one seen.
    exact = sum(p for p in probabilities if p <= seen * (1 + 1e-9))
    assert test.p == pytest.approx(min(1.0, exact), rel=1e-12)
    assert (test.only_first, test.only_second, test.images) == (b, c, 20 + n)


def test_mcnemar_holds_for_many_images() -> None:
    assert mcnemar(*pair(0, 3000, 2000)).p < 1e-40
    assert mcnemar(*pair(0, 2500, 2500)).p == 1.0


def test_sentence_says_what_the_test_says() -> None:
    assert "larger than chance (p < 0.001)" in larger_than_chance(
        mcnemar(*pair(0, 40, 5)), first="a", second="b"
    )
    assert "not larger than chance" in larger_than_chance(
        mcnemar(*pair(9, 3, 2)), first="a", second="b"
    )
    assert (
        larger_than_chance(mcnemar(*pair(9, 0, 0)), first="a", second="b")
        == "Of 9 images, a and b get exactly the same ones right."
    )


def test_f1_interval_holds_the_f1_and_comes_from_wilson() -> None:
    hits, support, predicted = 30, 50, 45
    low, high = f1_interval(hits, support, predicted)
    assert low < 2 * hits / (support + predicted) < high
    # F1 = 2J / (1 + J), so J = F1 / (2 - F1).
    assert (low / (2 - low), high / (2 - high)) == pytest.approx(wilson(30, 65))


def test_average_intervals_hold_the_figures_and_narrow_with_images() -> None:
    confusion = np.array([[30, 10, 0], [5, 20, 5], [2, 2, 6]])
    few, many = average_intervals(confusion), average_intervals(100 * confusion)
    recall = np.diag(confusion) / confusion.sum(axis=1)
    low, high = few["balanced_accuracy"]
    assert low < recall.mean() < high
    low100, high100 = many["balanced_accuracy"]
    # A hundred times the images: a tenth of the width.
    assert (high100 - low100) == pytest.approx((high - low) / 10, rel=0.15)
    assert average_intervals(confusion) == few
    assert average_intervals(np.zeros((3, 3), dtype=int))["macro_f1"] == (0.0, 1.0)
