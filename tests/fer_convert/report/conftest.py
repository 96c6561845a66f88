"""One report with everything in it: a pass, NaN, a flipped label, a runtime that did not run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.artefact import Artefact
from fer_convert.parity.compare import compare_artefact, not_converted, not_run
from fer_convert.parity.result import ArtefactParity, Prediction
from fer_convert.parity.thresholds import THRESHOLDS
from fer_convert.report import Report, Subject
from fer_convert.report.json import to_document
from tests.fer_convert.report.made_reports import CONTRACT, IMAGES, LABELS, make_report


class Answers:
    """A runner that repeats prepared predictions in order."""

    def __init__(self, predictions: list[Prediction], name: str) -> None:
        self.name = name
        self.metadata = {"emotionkit.contract": json.dumps(CONTRACT)}
        self._predictions = iter(predictions)

    def run_many(self, images: np.ndarray) -> list[Prediction]:
        return [next(self._predictions) for _ in images]


def predict(*logits: float) -> Prediction:
    values = np.array(logits)
    odds = np.exp(values - values.max())
    top1 = LABELS[int(np.nanargmax(values))]
    return Prediction(labels=LABELS, logits=values, probabilities=odds / odds.sum(), top1=top1)


REFERENCE = [predict(3, 0, 0), predict(0, 1, 1.1), predict(0, 0, 2)]


def parity(
    key: Any, predictions: list[Prediction], *, name: str = "fake 1.0", half: Any = REFERENCE
) -> ArtefactParity:
    return compare_artefact(
        key,
        reference=REFERENCE,
        half=half,
        runner=Answers(predictions, name),
        images=IMAGES,
        thresholds=THRESHOLDS[key],
        contract=CONTRACT,
    )


def artefact(kind: Any, *, size: int = 1_000_000) -> Artefact:
    return Artefact(
        kind=kind,
        path=Path(f"/secret/place/EmotionNet.{kind}"),
        precision="fp16" if kind.endswith("fp16") else "fp32",
        storage="dense",
        bytes=size,
        sha256="ab" * 32,
        seconds=1.5,
    )


@pytest.fixture
def failing() -> Report:
    slightly_off = [predict(3, 0.01, 0), predict(0, 1.11, 1.1), REFERENCE[2]]
    broken = [*REFERENCE[:2], predict(math.nan, 0, 1)]
    return make_report(
        [
            Subject(artefact=None, parity=parity("module", REFERENCE)),
            Subject(artefact=artefact("onnx"), parity=parity("onnx", broken)),
            Subject(
                artefact=artefact("mlpackage-fp16", size=120_000_000),
                parity=parity("mlpackage-fp16", slightly_off),
            ),
            Subject(
                artefact=artefact("mlmodel"),
                parity=not_run("mlmodel", "needs macOS", runtime="Apple Core ML", required=False),
            ),
        ]
    )


@pytest.fixture
def passing() -> Report:
    return make_report([Subject(artefact=artefact("onnx"), parity=parity("onnx", REFERENCE))])


@pytest.fixture
def refusing() -> Report:
    """All that was made is PASS, and one artefact was not made."""
    made = replace(artefact("onnx"), note="It takes one picture at a time.")
    return make_report(
        [
            Subject(artefact=made, parity=parity("onnx", REFERENCE)),
            Subject(artefact=None, parity=not_converted("mlmodel", "no function for op 'celu'.")),
        ]
    )


@pytest.fixture
def passed_over() -> Report:
    """Half precision is too coarse, PyTorch's own no better, and full precision is published."""
    coarse = [predict(2, 0, 0), predict(0, 1.4, 1.1), predict(0, 0, 1.2)]
    return make_report(
        [
            Subject(
                artefact=artefact("mlpackage-fp16"),
                parity=parity("mlpackage-fp16", coarse, half=coarse),
            ),
            Subject(
                artefact=artefact("mlpackage-fp32", size=2_000_000),
                parity=parity("mlpackage-fp32", REFERENCE),
            ),
        ]
    )


@pytest.fixture
def not_judged() -> Report:
    """PyTorch cannot run the network in half precision, and full precision is published."""
    return make_report(
        [
            Subject(
                artefact=artefact("mlpackage-fp16"),
                parity=parity("mlpackage-fp16", REFERENCE, half=None),
            ),
            Subject(
                artefact=artefact("mlpackage-fp32", size=2_000_000),
                parity=parity("mlpackage-fp32", REFERENCE),
            ),
        ]
    )


@pytest.fixture
def document(failing: Report) -> dict[str, Any]:
    return to_document(failing)
