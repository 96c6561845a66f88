"""From predictions to verdicts: boundaries, NaN, permuted labels, nothing to compare."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fer_convert.parity.compare import compare_artefact, parity_of_error
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import (
    ArtefactParity,
    Prediction,
    Verdict,
    worst_verdict,
)
from fer_convert.parity.thresholds import (
    ACROSS_RUNTIMES,
    HALF_RMS_FLOOR,
    THRESHOLDS,
    Thresholds,
    limits_of,
)
from fer_convert.report.questions import half_precision_questions
from fer_train.contract.errors import ArtefactError, ParityNotRun, UnsupportedOperation
from tests.fer_convert.parity.answers import CONTRACT, FakeRunner, picture, predict

METADATA = {"emotionkit.contract": json.dumps(CONTRACT)}


LOOSE = Thresholds(step="test", max_abs_dp=1.0, min_psnr_db=-1e9)


def compare(
    images: list[Fixture],
    reference: list[Prediction],
    answers: list[Prediction | Exception],
    *,
    thresholds: Thresholds = LOOSE,
    half: list[Prediction] | None = None,
    metadata: dict[str, str] = METADATA,
) -> ArtefactParity:
    return compare_artefact(
        "onnx",
        reference=reference,
        half=half,
        runner=FakeRunner(answers, metadata=metadata),
        images=images,
        thresholds=thresholds,
        contract=CONTRACT,
    )


def verdicts(parity: ArtefactParity) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in parity.checks}


def failed(parity: ArtefactParity) -> set[str]:
    return {check.name for check in parity.checks if check.verdict == "FAIL"}


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
    assert done == [(1, 2), (2, 2)]


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


HALF = replace(THRESHOLDS["mlpackage-fp16"], step="test")


def many(
    errors: Sequence[float],
    *,
    half: Sequence[float] | None = None,
    first: float = 0.9,
    label: str | None = None,
) -> ArtefactParity:
    """Images whose first class has probability ``first``, each off by its error in a runner and
    by its other error (default: the same) in PyTorch's half."""
    reference = [_two_classes(first)] * len(errors)
    return compare(
        [replace(picture(f"{i}.png", i), label=label) for i in range(len(errors))],
        reference,
        [_with_error(reference[0], error) for error in errors],
        half=[_with_error(reference[0], error) for error in half or errors],
        thresholds=HALF,
    )


def test_half_precision_is_judged_against_pytorchs_own_half() -> None:
    def same_network(error: float, own: float) -> Verdict:
        return verdicts(many([error] * 4, half=[own] * 4))["same-network"]

    assert same_network(0.0149, 0.005) == "PASS"
    assert same_network(0.0151, 0.005) == "FAIL"
    # PyTorch's half was exact by luck; rounding a probability is still allowed.
    assert same_network(2.9 * HALF_RMS_FLOOR, 0.0) == "PASS"
    assert same_network(3.1 * HALF_RMS_FLOOR, 0.0) == "FAIL"
    # One unlucky image of many is no other network: two worst images are compared by luck.
    assert verdicts(many([0.002] * 40 + [0.019], half=[0.002] * 41))["same-network"] == "PASS"


@pytest.mark.parametrize(
    ("images", "beyond", "verdict"),
    [(20, 1, "PASS"), (20, 2, "FAIL"), (100, 1, "PASS"), (200, 2, "PASS"), (200, 3, "FAIL")],
)
def test_the_limit_of_a_probability_does_not_grow_stricter_with_more_images(
    images: int, beyond: int, verdict: Verdict
) -> None:
    parity = many([0.06] * beyond + [0.001] * (images - beyond))
    assert verdicts(parity)["probabilities"] == verdict
    (check,) = (check for check in parity.checks if check.name == "probabilities")
    assert check.warns == (verdict == "PASS")
    assert f"{beyond} of {images} images differ by more than 0.05" in check.detail


def test_one_image_may_not_be_another_answer() -> None:
    assert verdicts(many([0.199] + [0.001] * 499))["probabilities"] == "PASS"
    assert verdicts(many([0.201] + [0.001] * 499))["probabilities"] == "FAIL"


@pytest.mark.parametrize(
    ("images", "flips", "verdict"),
    [(199, 1, "FAIL"), (200, 1, "PASS"), (200, 2, "FAIL"), (600, 3, "PASS")],
)
def test_decisions_beyond_near_ties_are_counted(images: int, flips: int, verdict: Verdict) -> None:
    # 0.53 to 0.47: a margin of 0.06.
    parity = many([0.04] * flips + [0.001] * (images - flips), first=0.53)
    assert verdicts(parity)["decisions"] == verdict
    near_ties = many([0.03] * 10, first=0.52)
    assert verdicts(near_ties)["decisions"] == "PASS"
    assert len(near_ties.flips) == 10


def test_a_loss_of_accuracy_fails_unless_chance_makes_it() -> None:
    lost_by_chance = many([0.03] * 6, first=0.52, label="anger")
    assert verdicts(lost_by_chance)["accuracy"] == "PASS"  # 1 in 64
    lost = many([0.03] * 7, first=0.52, label="anger")
    assert verdicts(lost)["accuracy"] == "FAIL"  # 1 in 128
    assert "7 lost and 0 won" in next(c.detail for c in lost.checks if c.name == "accuracy")
    assert verdicts(many([0.03] * 7, first=0.52, label="disgust"))["accuracy"] == "PASS"  # won
    for unknown in (None, "contempt"):
        (check,) = (
            c for c in many([0.03] * 7, first=0.52, label=unknown).checks if c.name == "accuracy"
        )
        assert check.verdict == "PASS" and "was not compared" in check.detail


def test_logits_only_warn_in_reduced_precision() -> None:
    reference = [predict(4, 0, 0)]
    parity = compare(
        [picture("face.png", 0)],
        reference,
        [predict(4.1, 0, 0)],
        half=[predict(4.1, 0, 0)],
        thresholds=HALF,
    )
    assert parity.verdict == "PASS"
    (warning,) = parity.warnings
    assert "logit PSNR is 3" in warning
    full = replace(HALF, reduced=None)
    assert failed(
        compare([picture("face.png", 0)], reference, [predict(4.1, 0, 0)], thresholds=full)
    ) == {"logits"}


@pytest.mark.parametrize(
    ("own", "verdict"), [("none", "FAIL"), ("one", "PASS"), ("every", "NOT RUN")]
)
def test_an_overflow_is_half_precisions_own_where_pytorchs_half_overflows_too(
    own: str, verdict: Verdict
) -> None:
    reference, nan = predict(4, 0, 0), predict(math.nan, 0, 0)
    half = {"none": [reference] * 2, "one": [reference, nan], "every": [nan, nan]}[own]
    parity = compare(
        [picture("a.png", 0), picture("b.png", 1)],
        [reference] * 2,
        [reference, nan],
        half=half,
        thresholds=HALF,
    )
    assert verdicts(parity)["same-network"] == verdict
    assert parity.verdict == "FAIL"
    assert parity.only_imprecise == (verdict != "FAIL")


@pytest.mark.parametrize("half", [None, [predict(math.nan, 0, 0)]])
def test_without_a_yardstick_the_first_question_stays_open(half: list[Prediction] | None) -> None:
    reference = [predict(1, 0, 0)]
    parity = compare(
        [picture("face.png", 0)], reference, list(reference), half=half, thresholds=HALF
    )
    assert parity.verdict == "NOT RUN"
    answers = half_precision_questions(parity)
    assert answers is not None
    assert answers["same_network"]["verdict"] == "NOT RUN"
    assert answers["precise_enough"]["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("error", "own", "words"),
    [
        (0.005, 0.005, "changes nothing that matters"),
        (0.22, 0.2, "half precision is not enough"),
        (0.01, 0.001, "something other than the precision"),
        (0.22, 0.001, "does not hold the trained network"),
    ],
)
def test_the_two_answers_are_told_apart_in_words(error: float, own: float, words: str) -> None:
    reference = predict(1, 0, 0)
    parity = compare(
        [picture("face.png", 0)],
        [reference],
        [_with_error(reference, error)],
        half=[_with_error(reference, own)],
        thresholds=HALF,
    )
    answers = half_precision_questions(parity)
    assert answers is not None and words in answers["conclusion"]


def test_full_precision_has_no_such_questions(
    images: list[Fixture], reference: list[Prediction]
) -> None:
    assert half_precision_questions(compare(images, reference, list(reference))) is None


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


def _two_classes(first: float) -> Prediction:
    return predict(math.log(first), math.log(1 - first), -50)


def _with_error(prediction: Prediction, error: float) -> Prediction:
    """Move ``error`` of probability from the first class to the second."""
    moved = prediction.probabilities.copy()
    moved[0] -= error
    moved[1] += error
    best = prediction.labels[int(moved.argmax())]
    return replace(prediction, probabilities=moved, top1=best)
