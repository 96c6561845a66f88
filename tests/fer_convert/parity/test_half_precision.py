"""What decides in half precision, and the two questions about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fer_convert.parity.bench import spread
from fer_convert.parity.compare import compare_artefact, run_all
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import ArtefactParity, Prediction, Verdict
from fer_convert.parity.thresholds import (
    HALF_RMS_FLOOR,
)
from fer_convert.report.questions import half_precision_questions
from tests.fer_convert.parity.answers import CONTRACT, FakeRunner, picture, predict
from tests.fer_convert.parity.comparing import HALF, METADATA, compare, failed, verdicts


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


def test_the_yardstick_may_be_of_some_of_the_images() -> None:
    """Both errors are then of those: the fourth image is not among them."""
    reference = [_two_classes(0.9)] * 4
    answers = [_with_error(reference[0], error) for error in (0.001, 0.001, 0.001, 0.04)]
    parity = compare_artefact(
        "mlpackage-fp16",
        reference=reference,
        half=[_with_error(reference[0], 0.001)] * 2,
        half_of=[0, 2],
        runner=FakeRunner(list(answers), metadata=METADATA),
        images=[picture(f"{i}.png", i) for i in range(4)],
        thresholds=HALF,
        contract=CONTRACT,
    )
    assert verdicts(parity)["same-network"] == "PASS"
    assert any("over 2 images" in check.detail for check in parity.checks)
    assert [measure.image for measure in parity.half] == ["0.png", "2.png"]
    assert spread(3, most=4) == [0, 1, 2]
    assert spread(10, most=4) == [0, 2, 5, 7]


def test_many_images_are_run_some_at_a_time() -> None:
    """No batch is larger than what fits, and none of the images is lost or asked twice."""
    answers: list[Prediction | Exception] = [predict(i / 100, 0, 0) for i in range(150)]
    runner, done = FakeRunner(answers, metadata=METADATA), []
    images = [picture(f"{i}.png", i) for i in range(150)]
    seen, milliseconds = run_all(runner, images, progress=lambda now, of: done.append((now, of)))
    assert [p.logits[0] for p in seen] == [i / 100 for i in range(150)] and milliseconds >= 0
    assert done == [(64, 150), (128, 150), (150, 150)]
    large = replace(images[0], image=np.zeros((400, 400, 3), np.uint8))
    done.clear()
    run_all(runner, [large] * 4, progress=lambda now, of: done.append((now, of)))
    assert done == [(3, 4), (4, 4)]


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


def _two_classes(first: float) -> Prediction:
    return predict(math.log(first), math.log(1 - first), -50)


def _with_error(prediction: Prediction, error: float) -> Prediction:
    """Move ``error`` of probability from the first class to the second."""
    moved = prediction.probabilities.copy()
    moved[0] -= error
    moved[1] += error
    best = prediction.labels[int(moved.argmax())]
    return replace(prediction, probabilities=moved, top1=best)
