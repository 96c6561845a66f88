"""Measures on cases small enough for paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_convert.parity.measures import (
    PEAK_FLOOR_FRACTION,
    decision_margin,
    logit_psnr_db,
    measure,
    peak_floor,
)
from fer_convert.parity.result import Prediction
from fer_train.contract.errors import LabelMismatch
from tests.fer_convert.parity.answers import LABELS, predict


def test_identical_predictions_have_no_error() -> None:
    seen = measure("a", reference=predict(2, 1, 0), candidate=predict(2, 1, 0))
    assert (seen.max_abs_dp, seen.mean_abs_dp, seen.kl) == (0, 0, 0)
    assert seen.psnr_db == math.inf
    assert seen.cosine == pytest.approx(1)
    assert seen.top1_agrees and seen.ranks_agree and seen.finite


def test_an_additive_constant_of_the_logits_is_no_error() -> None:
    seen = measure("a", reference=predict(2, 1, 0), candidate=predict(102, 101, 100))
    assert seen.psnr_db > 250
    assert seen.max_abs_dp < 1e-15


def test_figures_worked_out_by_hand() -> None:
    # p = (1/2, 1/4, 1/4), q = (1/4, 1/2, 1/4).
    reference = predict(math.log(2), 0, 0)
    candidate = predict(0, math.log(2), 0)
    seen = measure("a", reference=reference, candidate=candidate)
    assert seen.max_abs_dp == pytest.approx(1 / 4)
    assert seen.mean_abs_dp == pytest.approx(1 / 6)
    assert seen.kl == pytest.approx(math.log(2) / 4)  # 1/2 ln 2 - 1/4 ln 2
    assert seen.margin == pytest.approx(1 / 4)
    # Errors (ln 2, -ln 2, 0): rms = ln 2 * sqrt(2/3), against a spread of ln 2.
    assert seen.psnr_db == pytest.approx(10 * math.log10(3 / 2))
    assert seen.cosine == pytest.approx(-1 / 2)  # (2,-1,-1).(-1,2,-1) / 6
    assert not seen.top1_agrees
    assert not seen.ranks_agree


def test_classes_are_matched_by_name() -> None:
    permuted = predict(0, 2, 1, labels=("fear", "anger", "disgust"))
    seen = measure("a", reference=predict(2, 1, 0), candidate=permuted)
    assert seen.max_abs_dp == 0
    assert seen.top1_agrees


def test_a_permutation_of_names_alone_is_an_error() -> None:
    renamed = predict(2, 1, 0, labels=("disgust", "anger", "fear"))
    seen = measure("a", reference=predict(2, 1, 0), candidate=renamed)
    assert seen.max_abs_dp > 0.4
    assert not seen.top1_agrees


def test_other_classes_cannot_be_measured() -> None:
    with pytest.raises(LabelMismatch, match="contempt"):
        measure(
            "a",
            reference=predict(2, 1, 0),
            candidate=predict(2, 1, 0, labels=("anger", "disgust", "contempt")),
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["logits", "probabilities"])
def test_a_value_that_is_not_finite_spoils_the_image(bad: float, field: str) -> None:
    good = predict(2, 1, 0)
    values = {"logits": good.logits.copy(), "probabilities": good.probabilities.copy()}
    values[field][1] = bad
    broken = Prediction(labels=LABELS, top1="anger", **values)
    for reference, candidate in ((good, broken), (broken, good), (broken, broken)):
        seen = measure("a", reference=reference, candidate=candidate)
        assert not seen.finite
        assert math.isnan(seen.max_abs_dp)
        assert math.isnan(seen.psnr_db)
        assert not seen.top1_agrees


def test_constant_logits() -> None:
    flat, bent = predict(1, 1, 1), predict(1, 1, 1.5)
    same = measure("a", reference=flat, candidate=predict(7, 7, 7))
    assert (same.psnr_db, same.cosine) == (math.inf, 1.0)
    # No opinion to measure against, but an error all the same.
    other = measure("a", reference=flat, candidate=bent)
    assert (other.psnr_db, other.cosine) == (-math.inf, 0.0)


def test_the_peak_floor_keeps_a_flat_image_from_condemning_rounding() -> None:
    certain, flat = predict(10, 0, 0), predict(0.001, 0, 0)
    floor = peak_floor([certain, certain, flat])
    assert floor == pytest.approx(10 * PEAK_FLOOR_FRACTION)
    nudged = predict(0.001 + 1e-5, 0, 0)
    alone = measure("a", reference=flat, candidate=nudged)
    in_company = measure("a", reference=flat, candidate=nudged, min_peak=floor)
    assert in_company.psnr_db - alone.psnr_db == pytest.approx(60)


def test_the_peak_floor_of_useless_references_is_zero() -> None:
    assert peak_floor([]) == 0
    assert peak_floor([predict(1, 1, 1)]) == 0
    assert peak_floor([predict(1, math.nan, 1)]) == 0


def test_a_probability_that_underflows_has_a_finite_kl() -> None:
    candidate = Prediction(
        labels=LABELS,
        logits=np.array([20.0, 0.0, -20.0]),
        probabilities=np.array([1.0, 0.0, 0.0]),
        top1="anger",
    )
    seen = measure("a", reference=predict(20, 0, -19), candidate=candidate)
    assert 0 <= seen.kl < 1e-12


def test_psnr_is_twenty_decibels_per_decade() -> None:
    x, y = np.zeros(4), np.full(4, 0.01)
    assert logit_psnr_db(x, y, peak=1.0) == pytest.approx(40)
    assert logit_psnr_db(x, y / 10, peak=1.0) == pytest.approx(60)


def test_margin_of_a_tie_is_zero_and_of_nan_is_nan() -> None:
    assert decision_margin(np.array([0.4, 0.4, 0.2])) == 0
    assert math.isnan(decision_margin(np.array([0.4, math.nan, 0.2])))
