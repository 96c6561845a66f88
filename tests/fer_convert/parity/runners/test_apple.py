"""Apple's runtime, behind a stand-in for the proxy through which coremltools asks it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coremltools
import numpy as np
import pytest

from fer_convert.artefact import SCHEMA
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.parity.runners import COMPUTE_UNITS, AppleRunner
from fer_convert.parity.runners import apple as module
from fer_train.contract.errors import ArtefactError, ParityNotRun

LABELS = ["anger", "fear"]
PICTURES = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (10, 200)])


class FakeModel:
    """What `coremltools.models.MLModel` is on a Mac: it opens a file, and answers a picture."""

    opened: list[tuple[str, Any]]

    def __init__(self, path: str, *, compute_units: Any) -> None:
        self.opened.append((path, compute_units))
        self.user_defined_metadata = {SCHEMA: json.dumps({"labels": LABELS})}

    def get_spec(self) -> Any:
        spec = proto_module("Model_pb2").Model()
        spec.description.input.add(name="image")
        spec.description.predictedFeatureName = "classLabel"
        spec.description.predictedProbabilitiesName = "classLabel_probs"
        return spec

    def predict(self, inputs: dict[str, Any]) -> dict[str, Any]:
        (picture,) = inputs.values()
        assert list(inputs) == ["image"] and picture.mode == "RGB"
        bright = np.asarray(picture).mean() / 255
        # Core ML's dictionary has an order of its own.
        scores = {"fear": bright, "anger": 1 - bright}
        return {"classLabel": max(scores, key=lambda k: scores[k]), "classLabel_probs": scores}


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> type[FakeModel]:
    monkeypatch.setattr(module, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(FakeModel, "opened", [], raising=False)
    monkeypatch.setattr(coremltools.models, "MLModel", FakeModel)
    return FakeModel


@pytest.mark.parametrize("units", COMPUTE_UNITS)
def test_every_compute_unit_is_asked_for_by_name(mac: type[FakeModel], units: Any) -> None:
    runner = AppleRunner(Path("E.mlpackage"), units=units)
    assert mac.opened == [("E.mlpackage", coremltools.ComputeUnit[units])]
    assert runner.name.startswith("Apple Core ML, macOS") and runner.name.endswith(units)


def test_scores_are_taken_by_name_and_the_label_is_core_mls_own(mac: type[FakeModel]) -> None:
    dark, bright = AppleRunner(Path("E.mlpackage"), units="ALL").run_many(PICTURES)
    assert (dark.labels, dark.top1, bright.top1) == (("anger", "fear"), "anger", "fear")
    np.testing.assert_allclose(bright.probabilities, [55 / 255, 200 / 255])
    # A softmax's logarithm is its logits up to a constant.
    np.testing.assert_allclose(np.diff(bright.logits), np.log(200 / 55))


def test_labels_that_the_contract_does_not_list_are_an_error(
    mac: type[FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = AppleRunner(Path("E.mlpackage"), units="ALL")
    answer = {"classLabel": "joy", "classLabel_probs": {"anger": 0.1, "joy": 0.9}}
    monkeypatch.setattr(mac, "predict", lambda *_: answer)
    with pytest.raises(ArtefactError, match="labels anger, joy"):
        runner.run_many(PICTURES)


def test_elsewhere_it_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sys", SimpleNamespace(platform="linux"))
    with pytest.raises(ParityNotRun, match="needs macOS"):
        AppleRunner(Path("E.mlpackage"), units="ALL")
