"""Temperature, reliability and intervals against what is known of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from fer_train.contract.checkpoint import TEMPERATURE_RANGE
from fer_train.learning.calibration import (
    at_limit,
    calibration_line,
    calibration_record,
    cross_entropy,
    fit_temperature,
    reliability,
)
from fer_train.learning.metrics import Answers
from fer_train.learning.statistics import wilson
from fer_train.report.html import calibration_sentence


def answers(logits: object, targets: object) -> Answers:
    values = np.array(targets)
    shares = values.astype(np.float32) if values.ndim == 2 else values.astype(np.int64)
    return Answers(logits=np.array(logits, dtype=np.float32), targets=shares)


@st.composite
def any_answers(draw: st.DrawFn) -> Answers:
    """Up to 40 images, hard or soft targets, logits from none to absurd sizes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, classes = draw(st.integers(1, 40)), draw(st.integers(2, 9))
    logits = generator.normal(size=(count, classes)) * 10 ** draw(st.floats(-6, 6))
    if draw(st.booleans()):
        return answers(logits, generator.dirichlet(np.full(classes, 0.3), size=count))
    return answers(logits, generator.integers(0, classes, size=count))


def sampled(*, true_temperature: float, count: int, seed: int) -> Answers:
    """Logits whose softmax at ``true_temperature`` is the distribution the targets come from."""
    generator = torch.Generator().manual_seed(seed)
    honest = 2 * torch.randn(count, 8, generator=generator)
    targets = honest.softmax(dim=1).multinomial(1, generator=generator)[:, 0]
    return answers((honest * true_temperature).numpy(), targets.numpy())


@pytest.mark.parametrize("true", [0.3, 1.0, 2.5])
def test_a_known_temperature_is_recovered(true: float) -> None:
    said = sampled(true_temperature=true, count=20_000, seed=0)
    fitted = fit_temperature(said)
    assert fitted == pytest.approx(true, rel=0.03)
    # And honest confidence has no calibration error left but chance.
    assert reliability(said, temperature=fitted).ece < 0.01
    if true != 1.0:
        assert reliability(said).ece > 0.1


def test_soft_targets_are_fitted_exactly() -> None:
    """Shares that are softmax(logits / T) themselves are matched by T alone."""
    logits = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    shares = F.softmax(torch.from_numpy(logits).double() / 1.7, dim=1).numpy()
    assert fit_temperature(answers(logits, shares)) == pytest.approx(1.7, rel=1e-5)


@given(any_answers())
def test_the_temperature_is_the_best_one(said: Answers) -> None:
    low, high = TEMPERATURE_RANGE
    fitted = fit_temperature(said)
    assert low <= fitted <= high
    assert fitted == fit_temperature(said)
    best = cross_entropy(said, temperature=fitted)
    others = [1.0] if fitted == 1.0 else [1.0, low, high, fitted * 0.97, fitted * 1.03]
    for other in others:
        if low <= other <= high:
            assert best <= cross_entropy(said, temperature=other) * (1 + 1e-12) + 1e-12


@given(any_answers(), st.floats(*TEMPERATURE_RANGE), st.integers(1, 30))
def test_reliability_counts_every_image_once(said: Answers, temperature: float, bins: int) -> None:
    found = reliability(said, temperature=temperature, bins=bins)
    assert 0 <= found.ece <= 1
    assert len(found.bins) == bins and found.bins[0].low == 0 and found.bins[-1].high == 1
    assert sum(row.count for row in found.bins) == len(said.logits)
    for row in found.bins:
        if row.count:
            assert row.low - 1e-12 <= row.confidence <= row.high + 1e-12
            assert 0 <= row.accuracy <= 1
    # The temperature changes no decision, so no accuracy.
    right = sum(row.accuracy * row.count for row in found.bins)
    assert right == pytest.approx((said.logits.argmax(axis=1) == said.classes).sum())


def test_expected_calibration_error_by_hand() -> None:
    """Two classes: sure by 0.85 and right 1 of 2 times; sure by 0.65 and always right."""
    sure, unsure = np.log(0.85 / 0.15), np.log(0.65 / 0.35)
    said = answers([[sure, 0], [sure, 0], [unsure, 0], [0, unsure]], [0, 1, 0, 1])
    found = reliability(said, bins=10)
    assert found.ece == pytest.approx((2 * 0.35 + 2 * 0.35) / 4, abs=1e-6)
    assert [row.count for row in found.bins] == [0, 0, 0, 0, 0, 0, 2, 0, 2, 0]
    assert found.bins[8].accuracy == 0.5 and found.bins[6].accuracy == 1.0


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        pytest.param([[5.0, 0.0]], [0], 1.0, id="one image, correct"),
        pytest.param([[5.0, 0.0]], [1], 20.0, id="one image, wrong"),
        pytest.param([[3e38, 0.0], [0.0, 3e38]], [0, 1], 1.0, id="all correct, any margin"),
        pytest.param([[3e38, 0.0], [0.0, 3e38]], [1, 1], 20.0, id="half wrong, any margin"),
        pytest.param([[2.0, 2.0], [0.0, 0.0]], [0, 1], 1.0, id="undecided"),
        pytest.param([[1e-3, 0.0]] * 99 + [[0.0, 1e-9]], [0] * 100, 0.05, id="far too timid"),
    ],
)
def test_answers_without_a_minimum(logits: object, targets: object, expected: float) -> None:
    assert fit_temperature(answers(logits, targets)) == expected


def test_the_record_is_json_and_says_what_the_temperature_did() -> None:
    said = sampled(true_temperature=3.0, count=2000, seed=1)
    record = calibration_record(said, temperature=fit_temperature(said), fitted_on="val")
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == {
        "temperature",
        "fitted_on",
        "ece_before",
        "ece_after",
        "cross_entropy_before",
        "cross_entropy_after",
        "before",
        "after",
    }
    assert record["ece_after"] < record["ece_before"]
    assert record["cross_entropy_after"] < record["cross_entropy_before"]
    assert record["cross_entropy_before"] == pytest.approx(
        F.cross_entropy(torch.from_numpy(said.logits), torch.from_numpy(said.targets)).item()
    )
    assert len(record["before"]) == len(record["after"]) == 15


@pytest.mark.parametrize(("logit", "word"), [(3.0, "largest"), (1e-3, "smallest"), (None, "")])
def test_a_temperature_at_the_end_of_its_range_is_no_improvement(
    logit: float | None, word: str
) -> None:
    """One answer to everything, right for one image in eight; and next to no logits, all right."""
    said = sampled(true_temperature=3.0, count=2000, seed=1)
    if logit == 3.0:
        said = answers([[logit, *[0] * 7]] * 16, [n % 8 for n in range(16)])
    elif logit is not None:
        said = answers([[logit, 0]] * 99 + [[0.0, 1e-9]], [0] * 100)
    temperature = fit_temperature(said)
    record = calibration_record(said, temperature=temperature, fitted_on="val")
    text, sentence = calibration_line(record), calibration_sentence(record)
    limit = at_limit(temperature)
    if limit is None:
        assert not word and text.endswith(f"at temperature {temperature:.4g}")
        assert "allowed" not in sentence and "brings ECE" in sentence
    else:
        assert limit.startswith(f"the {word} allowed") and text.endswith(limit)
        assert limit in sentence and "brings ECE" not in sentence


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),  # 0 of 20 from the other side
    ],
)
def test_wilsons_interval(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_an_interval_holds_its_share(one: int, other: int) -> None:
    hits, total = sorted((one, other))
    low, high = wilson(hits, total)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= hits / total <= high
    else:
        assert (low, high) == (0, 1)
