"""``ferconv predict`` on a small model in both formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_convert.coreml_runtime import load
from fer_convert.coreml_runtime.errors import RefusedInput
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.nets import Ferconv
from tests.fer_convert.saved_classifier import save_classifier


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """A 4 x 4 classifier: the mean of red, green and blue, through a softmax."""
    path = tmp_path / "model.mlmodel"
    save_classifier(path)
    return path


@pytest.fixture
def green(tmp_path: Path) -> Path:
    path = tmp_path / "green.png"
    Image.new("RGB", (20, 10), (10, 200, 30)).save(path)
    return path


def test_bars_show_the_most_probable_labels(artefact: Path, green: Path, ferconv: Ferconv) -> None:
    done = ferconv("predict", artefact, green, "--top", 2)
    assert done.code == 0, done.err
    bars = [line for line in done.out.splitlines() if "%" in line]
    assert [line.split()[0] for line in bars] == ["glad", "sad"]
    assert "█" in bars[0]
    assert "not by Core ML" in done.out


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ((), ("reference", "declared")),
        (("--engine", "fast"), ("fast", "fp32")),
        (("--precision", "fp16"), ("reference", "fp16")),
    ],
)
def test_json_holds_what_the_runtime_computes(
    artefact: Path, green: Path, ferconv: Ferconv, options: tuple[str, ...], how: tuple[str, str]
) -> None:
    done = ferconv("predict", artefact, green, green, "--json", *options)
    assert done.code == 0, done.err
    record = json.loads(done.out)
    first, second = record["predictions"]
    assert (first["engine"], first["precision"]) == how
    assert first == second
    pixels = np.full((4, 4, 3), (10, 200, 30), np.uint8)
    answer = load(artefact).predict({"image": pixels}, engine="reference")
    assert first["outputs"]["classLabel"] == answer["classLabel"] == "glad"
    assert first["outputs"]["scores"] == pytest.approx(answer["scores"], abs=1e-3)


def test_many_pictures_are_worth_compiling_the_model(
    artefact: Path, green: Path, ferconv: Ferconv
) -> None:
    for count, engine in ((8, "reference"), (9, "fast")):
        record = json.loads(ferconv("predict", artefact, *[green] * count, "--json").out)
        assert [one["engine"] for one in record["predictions"]] == [engine] * count


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing.mlmodel", "green.png"), 4, "No Core ML model at"),
        (("green.png", "green.png"), 50, "is a picture, not a Core ML model"),
        (("model.mlmodel", "model.mlmodel"), 22, "model.mlmodel"),
        (("model.mlmodel", "green.png", "--engine", "fast", "--precision", "fp16"), 50, "fp32"),
        (("model.mlmodel", "green.png", "--function", "other"), 50, "no 'other'"),
    ],
)
def test_errors_say_what_is_wrong(
    artefact: Path,
    green: Path,
    ferconv: Ferconv,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    here = artefact.parent
    paths = [a if a.startswith("-") or "." not in a else here / a for a in arguments]
    done = ferconv("predict", *paths)
    assert done.code == code, done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_labels_cannot_write_on_the_terminal(artefact: Path, green: Path, ferconv: Ferconv) -> None:
    spec = proto_module("Model_pb2").Model.FromString(artefact.read_bytes())
    hostile = "\x1b]0;owned\x07\x1b[2J\rgl\u202ead\nforged 99.0 %"
    spec.neuralNetworkClassifier.stringClassLabels.vector[1] = hostile
    artefact.write_bytes(spec.SerializeToString())
    done = ferconv("predict", artefact, green, "--top", 3)
    assert done.code == 0, done.err
    shown = r"\x1b]0;owned\x07\x1b[2J\rgl\u202ead\nforged 99.0 %"
    bars = [line for line in done.out.splitlines() if line.endswith("%")]
    assert len(bars) == 3 and bars[0].startswith(f"  {shown} █")
    assert done.out.replace("\n", "").isprintable()
    done = ferconv("predict", artefact, green, "--json")
    assert json.loads(done.out)["predictions"][0]["outputs"]["classLabel"] == hostile
    assert done.out.replace("\n", "").isprintable()


def test_names_in_hints_cannot_write_on_the_terminal(artefact: Path) -> None:
    spec = proto_module("Model_pb2").Model.FromString(artefact.read_bytes())
    spec.description.input[0].name = spec.neuralNetworkClassifier.layers[0].input[0] = (
        "im\x1b[2Jage"
    )
    artefact.write_bytes(spec.SerializeToString())
    with pytest.raises(RefusedInput) as caught:
        load(artefact).predict({"image": np.zeros((4, 4, 3), np.uint8)})
    assert r"Did you mean: im\x1b[2Jage?" in str(caught.value)


def test_an_array_is_shown_on_one_line(artefact: Path, green: Path, ferconv: Ferconv) -> None:
    spec = proto_module("Model_pb2").Model.FromString(artefact.read_bytes())
    network = proto_module("NeuralNetwork_pb2").NeuralNetwork()
    network.arrayInputShapeMapping = network.imageInputShapeMapping = 1
    unary = network.layers.add(name="u", input=["image"], output=["a\x1bb"]).unary
    unary.shift, unary.type = 1e-3, 4
    spec.neuralNetwork.CopyFrom(network)
    spec.description.ClearField("predictedFeatureName")
    spec.description.ClearField("predictedProbabilitiesName")
    del spec.description.output[:]
    spec.description.output.add(name="a\x1bb").type.multiArrayType.dataType = 65568
    artefact.write_bytes(spec.SerializeToString())
    done = ferconv("predict", artefact, green)
    assert done.code == 0, done.err
    (shown,) = done.out.splitlines()[4:]
    assert shown.startswith(r"  a\x1bb: float32 [1, 3, 4, 4] [22048.5") and shown.endswith("] …")


def test_one_bad_picture_does_not_stop_the_others(
    artefact: Path, green: Path, ferconv: Ferconv
) -> None:
    torn, gone = green.with_name("torn.png"), green.with_name("gone.png")
    torn.write_bytes(green.read_bytes()[:40])
    done = ferconv("predict", artefact, green, torn, green, gone)
    assert done.code == 22  # of the first bad one
    assert done.out.count("glad") == 2 and "torn" not in done.out
    assert "torn.png cannot be decoded" in done.err and f"no image {gone}" in done.err
    done = ferconv("predict", artefact, torn, green, "--json")
    assert done.code == 22
    bad, good = json.loads(done.out)["predictions"]
    assert bad["image"] == str(torn) and bad["error"]["exit_code"] == 22
    assert "cannot be decoded" in bad["error"]["message"] and "outputs" not in bad
    assert good["outputs"]["classLabel"] == "glad"
    assert ferconv("predict", artefact, gone).out == ""


def test_scores_are_no_percentages(artefact: Path, green: Path, ferconv: Ferconv) -> None:
    done = ferconv("predict", artefact, green, "--json")
    assert json.loads(done.out)["predictions"][0]["probabilities"] is True
    save_classifier(artefact, softmax=False)
    done = ferconv("predict", artefact, green)
    assert done.code == 0, done.err
    assert "%" not in done.out and "█" not in done.out
    glad, sad, calm, note = done.out.splitlines()[4:]
    # The mean of each channel / 64.
    assert [line.split() for line in (glad, sad, calm)] == [
        ["glad", "3.1250"],
        ["sad", "0.4688"],
        ["calm", "0.1562"],
    ]
    assert "no probabilities" in note
    done = ferconv("predict", artefact, green, "--json")
    assert json.loads(done.out)["predictions"][0]["probabilities"] is False


def test_a_hidden_score_counts_too(artefact: Path, tmp_path: Path, ferconv: Ferconv) -> None:
    """All scores lie in 0..1 here, and only their sum tells that they are no probabilities."""
    save_classifier(artefact, softmax=False)
    Image.new("RGB", (4, 4), (32, 32, 32)).save(tmp_path / "grey.png")
    done = ferconv("predict", artefact, tmp_path / "grey.png", "--top", 1)
    assert done.code == 0, done.err
    assert "0.5000" in done.out and "no probabilities" in done.out
