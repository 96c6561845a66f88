"""McNemar's exact test and the intervals that a report shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_train.learning.statistics import (
    average_intervals,
    f1_interval,
    larger_than_chance,
    mcnemar,
    wilson,
)
from fer_train.report.judgement import one_sided


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


def collapsed(*support: int, says: int = 0) -> np.ndarray:
    """The matrix [true, predicted] of a network that always gives one answer."""
    confusion = np.zeros((len(support), len(support)), dtype=np.int64)
    confusion[:, says] = support
    return confusion


def test_one_answer_for_everything_is_not_known_exactly() -> None:
    """Drawn again, every image would get the same answer; another sample might hold others."""
    few, many = (average_intervals(collapsed(*[n] * 8)) for n in (60, 6000))
    low, high = few["balanced_accuracy"]
    assert 0.11 < low < 0.125 < 0.14 < high < 0.16
    low, high = few["macro_f1"]
    assert low < 2 * 60 / (60 + 480) / 8 < 0.05 < high < 0.1
    for name, (low, high) in few.items():
        assert many[name][1] - many[name][0] < (high - low) / 8
    # Of a class with two images little is known, and less of one with none: it has no part.
    assert average_intervals(collapsed(*[60] * 7, 2))["balanced_accuracy"][1] > 0.2
    seven = average_intervals(collapsed(*[60] * 7))
    assert average_intervals(collapsed(*[60] * 7, 0)) == seven


def test_average_intervals_are_not_those_of_missing_classes() -> None:
    """A class of one image that is recognised cannot be absent from its own recall."""
    confusion = np.diag([200, 200, 1])
    confusion[0, 1] = confusion[1, 0] = 200
    low, high = average_intervals(confusion)["balanced_accuracy"]
    assert low < (0.5 + 0.5 + 1) / 3 < high
    assert low == pytest.approx(2 / 3 - (1 - wilson(1, 1)[0]) / 3, abs=0.01)


def test_average_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = np.array(
        [[0.98, 0.02, 0, 0], [0.3, 0.6, 0.1, 0], [0.5, 0.38, 0.02, 0.1], [0.2, 0.2, 0.2, 0.4]]
    )
    support = np.array([40, 30, 25, 12])
    expected = truth * support[:, None]
    recall = np.diag(truth)
    f1 = 2 * np.diag(expected) / (support + expected.sum(axis=0))
    random = np.random.default_rng(0)
    inside = {"balanced_accuracy": 0, "macro_f1": 0}
    samples = 300
    for _ in range(samples):
        drawn = np.array(
            [random.multinomial(n, row) for n, row in zip(support, truth, strict=True)]
        )
        found = average_intervals(drawn)
        for name, value in (("balanced_accuracy", recall.mean()), ("macro_f1", f1.mean())):
            inside[name] += found[name][0] <= value <= found[name][1]
    assert all(0.92 < count / samples <= 1 for count in inside.values()), inside


def test_one_answer_for_almost_everything_is_named() -> None:
    labels = [f"class {n}" for n in range(8)]
    said = one_sided(collapsed(*[60] * 8, says=3), labels)
    assert said == "answers class 3 to 100 % of the images, which 12.5 % show"
    nearly = collapsed(*[60] * 8, says=3)
    nearly[0] = [20, 0, 0, 40, 0, 0, 0, 0]
    assert (one_sided(nearly, labels) or "").startswith("answers class 3 to 95.8 % of")
    nearly[0] = [30, 0, 0, 30, 0, 0, 0, 0]
    assert one_sided(nearly, labels) is None
    # On images that are nearly all of one class, one answer is right.
    assert one_sided(collapsed(500, 10), ["a", "b"]) is None
    assert one_sided(collapsed(500), ["a"]) is None
    assert one_sided(np.zeros((2, 2), dtype=int), ["a", "b"]) is None
