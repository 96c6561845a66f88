"""From predictions to verdicts: boundaries, NaN, permuted labels, nothing to compare."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from fer_convert.parity.compare import compare_artefact, parity_of_error
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import Prediction, Verdict, worst_verdict
from fer_convert.parity.thresholds import (
    ACROSS_RUNTIMES,
    THRESHOLDS,
    limits_of,
)
from fer_train.contract.errors import ArtefactError, ParityNotRun, UnsupportedOperation
from tests.fer_convert.parity.answers import CONTRACT, FakeRunner, predict
from tests.fer_convert.parity.comparing import HALF, LOOSE, METADATA, compare, failed


def test_the_same_predictions_pass(images: list[Fixture], reference: list[Prediction]) -> None:
    done: list[tuple[int, int]] = []
    parity = compare_artefact(
        "onnx",
        reference=reference,
        half=None,
        runner=FakeRunner(list(reference), metadata=METADATA),
        images=images,
        thresholds=THRESHOLDS["onnx"],
        contract=CONTRACT,
        progress=lambda now, of: done.append((now, of)),
    )
    assert parity.verdict == "PASS"
    assert parity.reasons == ()
    assert (parity.max_abs_dp, parity.top1_agreement) == (0, 1)
    assert parity.min_psnr_db == math.inf
    assert parity.milliseconds is not None and parity.milliseconds >= 0
    assert done == [(2, 2)]


def test_the_verdict_is_the_worst_image(images: list[Fixture], reference: list[Prediction]) -> None:
    parity = compare(
        images,
        reference,
        [predict(3.9, 0, 0), reference[1]],
        thresholds=replace(LOOSE, max_abs_dp=1e-4),
    )
    assert failed(parity) == {"probabilities"}
    assert "easy.png" in parity.reasons[0]
    assert "allowed 1e-04" in parity.reasons[0]
    assert parity.worst is not None and parity.worst.image == "easy.png"


@pytest.mark.parametrize(("slack", "verdict"), [(1.0, "PASS"), (1 - 1e-9, "FAIL")])
def test_a_limit_includes_its_own_value(
    images: list[Fixture], reference: list[Prediction], slack: float, verdict: Verdict
) -> None:
    answers: list[Prediction | Exception] = [predict(3.9, 0, 0), reference[1]]
    seen = compare(images, reference, answers)
    assert seen.max_abs_dp is not None and seen.min_psnr_db is not None
    at_limit = replace(LOOSE, max_abs_dp=seen.max_abs_dp * slack)
    assert compare(images, reference, answers, thresholds=at_limit).verdict == verdict
    at_limit = replace(LOOSE, min_psnr_db=seen.min_psnr_db / slack)
    assert compare(images, reference, answers, thresholds=at_limit).verdict == verdict


@pytest.mark.parametrize("side", ["artefact", "checkpoint"])
def test_nan_fails_whatever_the_limits(
    images: list[Fixture], reference: list[Prediction], side: str
) -> None:
    broken = [reference[0], predict(math.nan, 1, 0)]
    first, second = (reference, broken) if side == "artefact" else (broken, reference)
    parity = compare(images, first, list(second))
    assert "finite" in failed(parity)
    assert parity.worst is not None and parity.worst.image == "tie.png"
    assert parity.max_abs_dp is not None and math.isnan(parity.max_abs_dp)
    assert parity.min_psnr_db is not None and math.isnan(parity.min_psnr_db)


def test_comparing_nothing_fails() -> None:
    parity = compare([], [], [])
    assert parity.verdict == "FAIL"
    assert "comparing nothing" in parity.reasons[0]


def test_a_reference_per_image_is_required(images: list[Fixture]) -> None:
    with pytest.raises(ValueError, match="one reference prediction per image"):
        compare(images, [predict(1, 0, 0)], [predict(1, 0, 0)] * 2)


def test_labels_in_another_order_fail_even_when_every_figure_agrees(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    permuted: list[Prediction | Exception] = [
        Prediction(
            labels=p.labels[::-1],
            logits=p.logits[::-1],
            probabilities=p.probabilities[::-1],
            top1=p.top1,
        )
        for p in reference
    ]
    parity = compare(images, reference, permuted)
    assert parity.max_abs_dp == 0
    assert failed(parity) == {"labels"}
    assert "0 fear, 1 disgust, 2 anger" in parity.reasons[0]


def test_other_classes_fail_without_figures(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    other = predict(1, 0, 0, labels=("anger", "disgust", "joy"))
    parity = compare(images, reference, [other, other])
    assert failed(parity) == {"labels", "compared"}
    assert parity.measures == ()


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({}, "has no emotionkit.contract"),
        ({"emotionkit.contract": "{"}, "is not JSON"),
        ({"emotionkit.contract": "[]"}, "not a JSON object"),
        (
            {"emotionkit.contract": json.dumps({**CONTRACT, "version": 2})},
            "version is 2, expected 1",
        ),
        ({"emotionkit.contract": json.dumps({**CONTRACT, "more": 1})}, "more is 1, expected null"),
    ],
)
def test_the_contract_must_be_repeated(
    images: list[Fixture], reference: list[Prediction], metadata: dict[str, str], complaint: str
) -> None:
    parity = compare(images, reference, list(reference), metadata=metadata)
    assert failed(parity) == {"contract"}
    assert complaint in parity.reasons[0]


def test_a_module_in_memory_carries_no_contract(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    limits = replace(LOOSE, requires_contract=False)
    assert compare(images, reference, list(reference), thresholds=limits, metadata={}).verdict == (
        "PASS"
    )


def test_an_artefact_that_contradicts_itself_fails(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    liar = replace(reference[0], top1="fear")
    parity = compare(images, reference, [liar, reference[1]], half=reference, thresholds=HALF)
    assert failed(parity) == {"named-label", "decisions"}


def test_a_flip_of_a_near_tie_is_forgiven_and_listed_in_reduced_precision_only(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    answers: list[Prediction | Exception] = [reference[0], predict(0, 1.0, 1.001)]
    assert failed(compare(images, reference, answers)) == {"decisions"}
    forgiving = compare(images, reference, answers, half=reference, thresholds=HALF)
    assert forgiving.verdict == "PASS"
    assert forgiving.flips == ("tie.png",)
    assert any("tie.png (margin" in check.detail for check in forgiving.checks)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ArtefactError("weight.bin is truncated"), "FAIL"),
        (RuntimeError("invalid protobuf"), "FAIL"),
        (UnsupportedOperation("no operation einsum"), "NOT RUN"),
        (ParityNotRun("needs macOS"), "NOT RUN"),
        (ImportError("no module named onnxruntime"), "NOT RUN"),
    ],
)
def test_a_runner_that_raises_is_a_verdict(
    images: list[Fixture], reference: list[Prediction], error: Exception, verdict: Verdict
) -> None:
    parity = compare(images, reference, [reference[0], error])
    assert parity.verdict == verdict
    assert str(error) in parity.reasons[0]
    assert parity.measures == ()
    assert parity_of_error("onnx", error, runtime="none").verdict == verdict


def test_worst_verdict() -> None:
    assert worst_verdict(["PASS", "PASS"]) == "PASS"
    assert worst_verdict(["PASS", "NOT RUN"]) == "NOT RUN"
    assert worst_verdict(["NOT RUN", "FAIL", "PASS"]) == "FAIL"
    assert worst_verdict([]) == "NOT RUN"


def test_a_reference_in_another_runtime_widens_only_the_steps_within_torch() -> None:
    for key, own in THRESHOLDS.items():
        assert limits_of(key, foreign_reference=False) is own
        seen = limits_of(key, foreign_reference=True)
        assert seen.max_abs_dp == max(own.max_abs_dp, ACROSS_RUNTIMES)
        assert replace(seen, max_abs_dp=own.max_abs_dp) == own


def test_every_step_of_the_ladder_has_limits() -> None:
    from typing import get_args

    from fer_convert.artefact import ArtefactKind

    assert set(THRESHOLDS) == {"module", *get_args(ArtefactKind)}
    halved = [key for key, limits in THRESHOLDS.items() if limits.reduced is not None]
    assert halved == ["mlpackage-fp16"]
