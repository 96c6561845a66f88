"""Made answers compared by limits of the test's own."""

from __future__ import annotations

import json
from dataclasses import replace

from fer_convert.parity.compare import compare_artefact
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.result import ArtefactParity, Prediction, Verdict
from fer_convert.parity.thresholds import (
    THRESHOLDS,
    Thresholds,
)
from tests.fer_convert.parity.answers import CONTRACT, FakeRunner

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


HALF = replace(THRESHOLDS["mlpackage-fp16"], step="test")
