"""What a file costs on labelled faces: figures by hand, and intervals that keep their promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fer_convert.parity.cost import cost_of
from fer_convert.parity.exact import clopper_pearson, paired_interval, sign_test
from fer_convert.parity.result import Cost, Prediction
from tests.fer_convert.parity.answers import LABELS, predict


def says(label: str, certainty: float = 3.0) -> Prediction:
    """Half a logit apart for the others, so that nothing ties."""
    return predict(*(certainty if one == label else 0.0 for one in LABELS))


def asked(truth: Sequence[str | None], before: Sequence[str], after: Sequence[str]) -> Cost:
    names = [f"{i}.png" for i in range(len(truth))]
    cost = cost_of(
        names, truth, reference=[says(b) for b in before], predictions=[says(a) for a in after]
    )
    assert cost is not None
    return cost


def test_figures_by_hand() -> None:
    a, d, f = LABELS
    #        right  lost  won  wrong, and one without a label
    truth = [a, a, d, d, None]
    cost = asked(truth, [a, a, f, f, a], [a, d, d, f, d])
    assert cost.images == 4
    assert (cost.accuracy.before, cost.accuracy.after) == (0.5, 0.5)
    assert (cost.balanced_accuracy.before, cost.balanced_accuracy.after) == (0.5, 0.5)
    # Before: anger F1 1, disgust 0. After: anger 2/3, disgust 2/(2+2). Fear has no faces.
    assert cost.macro_f1.before == pytest.approx(0.5)
    assert cost.macro_f1.after == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (cost.lost, cost.won) == (("1.png",), ("2.png",))
    assert cost.chance == 0.75
    # All answers have one confidence, so they share a bin: |share right - confidence|.
    confidence = math.exp(3) / (math.exp(3) + 2)
    assert (cost.ece.before, cost.ece.after) == pytest.approx((confidence - 0.5,) * 2)


def test_no_change_is_no_certainty_but_for_calibration() -> None:
    """Nothing changed on these faces; on others something might."""
    truth = [LABELS[i % 3] for i in range(60)]
    cost = asked(truth, truth, truth)
    for change in (cost.accuracy, cost.balanced_accuracy, cost.macro_f1):
        low, high = change.interval
        assert change.difference == 0 and low == pytest.approx(-high) and 0.02 < high < 0.15
    assert cost.ece.interval == (0, 0)
    assert cost.chance == 1


def test_a_loss_is_seen_once_there_are_faces_enough() -> None:
    truth = ["anger"] * 150 + ["fear"] * 50
    after = ["disgust"] * 15 + truth[15:]
    cost = asked(truth, truth, after)
    assert cost.accuracy.difference == pytest.approx(-0.075)
    assert -0.15 < cost.accuracy.interval[0] < cost.accuracy.interval[1] < 0
    assert cost.balanced_accuracy.difference == pytest.approx(-0.05)
    assert cost.macro_f1.interval[0] < cost.macro_f1.difference < cost.macro_f1.interval[1]
    assert len(cost.lost) == 15 and cost.chance == 2.0**-15


def test_answers_are_compared_by_name_and_a_foreign_name_is_wrong() -> None:
    other = predict(0, 3, 0, labels=("fear", "anger", "disgust"))
    cost = cost_of(["a"], ["anger"], reference=[says("anger")], predictions=[other])
    assert cost is not None and cost.accuracy.after == 1
    liar = replace(says("anger"), top1="joy")
    cost = cost_of(["a"], ["anger"], reference=[says("anger")], predictions=[liar])
    assert cost is not None and cost.lost == ("a",)


def test_nothing_to_count() -> None:
    nan = predict(math.nan, 0, 1)
    assert cost_of(["a"], [None], reference=[says("anger")], predictions=[says("anger")]) is None
    assert cost_of(["a"], ["joy"], reference=[says("anger")], predictions=[says("anger")]) is None
    assert cost_of(["a"], ["anger"], reference=[says("anger")], predictions=[nan]) is None


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # R: binom.test(hits, total)$conf.int
    [(0, 10, 0, 0.3084971), (3, 10, 0.0667395, 0.6524529), (10, 10, 0.6915029, 1), (0, 0, 0, 1)],
)
def test_exact_intervals_of_a_share(hits: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, total) == pytest.approx((low, high), abs=1e-6)


def test_the_paired_interval_covers_what_it_should() -> None:
    """2 % lost and 1 % won by chance: the difference of -1 % lies inside at least 95 times of a
    hundred."""
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        lost, won, _ = random.multinomial(400, [0.02, 0.01, 0.97])
        low, high = paired_interval(int(lost), int(won), 400)
        inside += low <= -0.01 <= high
    assert inside >= 190


def test_the_sign_test() -> None:
    assert sign_test(0, of=0) == 1
    assert sign_test(7, of=7) == 1 / 128
    assert sign_test(2000, of=4000) == pytest.approx(0.5063, abs=1e-4)
