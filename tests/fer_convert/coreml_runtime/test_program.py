"""What a loaded model says about itself, and what it accepts and returns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fer_convert.coreml_runtime as runtime
from fer_convert.coreml_runtime import RefusedInput, UnsupportedOperation, load
from fer_convert.coreml_runtime.read.proto import proto_module

LABELS = tuple(f"face-{i}" for i in range(8))


KINDS = ["nn", "fp32", "fp16"]


Array = np.ndarray[Any, Any]


def expected_scores(module: nn.Module, rgb: Array) -> Array:
    with torch.inference_mode():
        return module(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())[0].numpy()


def test_the_public_surface() -> None:
    assert sorted(runtime.__all__, key=str.casefold) == [
        "__version__", "Answer", "ArtefactError", "ExecutionFailed", "load", "load_program",
        "Pipeline", "Program", "RefusedInput", "UnsupportedOperation",
    ]  # fmt: skip
    assert all(hasattr(runtime, name) for name in runtime.__all__)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_file_says(tiny_saved: dict[str, Path], kind: str) -> None:
    program = load(tiny_saved[kind])
    assert program.format == ("neuralnetwork" if kind == "nn" else "mlprogram")
    assert program.spec_version == (4 if kind == "nn" else 7)
    assert program.labels == LABELS
    image = program.inputs[0]
    assert (image.name, image.kind, image.width, image.height) == ("image", "image", 16, 16)
    assert image.color_layout == "RGB"
    assert {output.kind for output in program.outputs} == {"string", "dictionary"}
    assert program.label_name == "classLabel"
    assert program.probabilities_name in {output.name for output in program.outputs}
    meta = program.metadata
    assert (meta.author, meta.license, meta.version, meta.description) == (
        "nobody", "MIT", "1.2", "a test",
    )  # fmt: skip
    assert meta.user["emotionkit.contract"] == '{"demo": false}'
    counts = program.operation_counts
    assert counts["convolution" if kind == "nn" else "conv"] == 1
    assert counts["softmaxND" if kind == "nn" else "softmax"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_predict_answers_as_core_ml(
    tiny_saved: dict[str, Path], tiny: nn.Module, picture: Array, kind: str
) -> None:
    program = load(tiny_saved[kind])
    answer = program.predict({"image": Image.fromarray(picture)})
    assert set(answer) == {program.label_name, program.probabilities_name}
    scores = answer[program.probabilities_name]
    wanted = expected_scores(tiny, picture)
    assert tuple(scores) == LABELS
    np.testing.assert_allclose(list(scores.values()), wanted, atol=0.02 if kind == "fp16" else 1e-5)
    assert answer["classLabel"] == LABELS[int(wanted.argmax())] == max(scores, key=scores.get)


def test_pictures_arrays_and_floats_are_the_same_input(
    tiny_saved: dict[str, Path], picture: Array
) -> None:
    program = load(tiny_saved["fp32"])
    planes = picture.transpose(2, 0, 1)[None].astype(np.float32)
    forms = [picture, Image.fromarray(picture), planes]
    first, *others = (program.run({"image": form})[program.probabilities_name] for form in forms)
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Image.new("RGB", (16, 17)), r"takes \[16, 16\] pixels \(height, width\), got \[17, 16\]"),
        (np.zeros((15, 16, 3), np.uint8), r"got \[15, 16\]"),
        (Image.new("L", (16, 16)), "takes a picture of mode RGB, got L"),
        (np.zeros((16, 16, 4), np.uint8), "takes 3 channels, got 4"),
        (np.zeros((16, 16, 3), np.int64), "takes a picture, uint8"),
        (np.zeros((16, 16), np.uint8), "takes a picture, uint8"),
        (
            np.zeros((1, 3, 16, 15), np.float32),
            r"takes \[16, 16\] pixels \(height, width\), got \[16, 15\]",
        ),
        (None, "takes a picture, uint8"),
    ],
)
def test_other_inputs_are_refused(tiny_saved: dict[str, Path], given: Any, message: str) -> None:
    with pytest.raises(RefusedInput, match=message):
        load(tiny_saved["nn"]).predict({"image": given})


def test_names_are_checked(tiny_saved: dict[str, Path], picture: Array) -> None:
    program = load(tiny_saved["nn"])
    with pytest.raises(RefusedInput, match="has no input 'imag'"):
        program.run({"imag": picture})
    with pytest.raises(RefusedInput, match="needs the input image"):
        program.run({})
    with pytest.raises(RefusedInput, match="has no value 'logitz'"):
        program.run({"image": picture}, capture=["logitz"])


@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_other_values_can_be_captured(
    tiny_saved: dict[str, Path], tiny: nn.Sequential, picture: Array, kind: str
) -> None:
    program = load(tiny_saved[kind])
    relu = next(op for op in program.graph.operations if "relu" in op.type.lower())
    first = relu.outputs[0].name
    values = program.run({"image": picture}, capture=[str(program.logits_name), first, "image"])
    with torch.inference_mode():
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
        hidden, logits = tiny[:2](x), tiny[:5](x)
    tolerance = {"rtol": 5e-3, "atol": 0.3} if kind == "fp16" else {"rtol": 1e-5, "atol": 1e-4}
    np.testing.assert_allclose(values[str(program.logits_name)], logits, **tolerance)
    np.testing.assert_allclose(values[first], hidden, **tolerance)
    np.testing.assert_array_equal(values["image"], x)


def is_half(array: Array) -> bool:
    return bool(np.array_equal(array, array.astype(np.float16).astype(np.float32)))


@pytest.mark.parametrize("kind", KINDS)
def test_precision_decides_what_is_rounded(
    tiny_saved: dict[str, Path], picture: Array, kind: str
) -> None:
    program = load(tiny_saved[kind])
    names = [o.name for op in program.graph.operations for o in op.outputs if not o.inner]
    rounded = program.run({"image": picture}, precision="fp16", capture=names)
    assert all(is_half(rounded[name]) for name in names)
    plain = program.run({"image": picture}, precision="fp32", capture=names)
    assert not any(is_half(plain[name]) for name in (program.logits_name, names[-1]))
    declared = program.run({"image": picture}, capture=names)
    twin = rounded if kind == "fp16" else plain
    for name in names:
        np.testing.assert_array_equal(declared[name], twin[name])


def test_fp16_overflows_where_half_precision_does(
    run_mil: Callable[..., list[Any]], tmp_path: Path, save_network: Callable[..., Path]
) -> None:
    def double(network: Any) -> None:
        network.layers.add(name="d", input=["x", "x"], output=["y"]).add.SetInParent()

    program = load(save_network(double, (2,)))
    x = np.array([40000, 20000], np.float32)
    assert program.run({"x": x}, precision="fp16")["y"].tolist() == [float("inf"), 40000]
    assert program.run({"x": x}, precision="fp32")["y"].tolist() == [80000, 40000]


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_dropped_after_their_last_reader(tiny_saved: dict[str, Path], kind: str) -> None:
    program = load(tiny_saved[kind])
    plan = program._plan("declared")
    freed = [name for step in plan.steps for name in step.frees]
    assert len(freed) == len(set(freed))
    everything = {result.name for step in plan.steps for result in step.results} | {
        i.name for i in plan.inputs
    }
    assert set(freed) | plan.keeps == everything
    read_at = {name: i for i, step in enumerate(plan.steps) for name in step.call.reads}
    for i, step in enumerate(plan.steps):
        assert all(read_at.get(name, i) <= i for name in step.frees)


@pytest.mark.parametrize("kind", ["nn", "fp32"])
@pytest.mark.parametrize("layout", ["RGB", "BGR"])
def test_layout_scale_and_bias_of_the_image(
    convert: Callable[..., Path], tiny: nn.Module, picture: Array, kind: str, layout: str
) -> None:
    """The network sees the channels in the declared order, ``scale * value + bias of that channel``
    - as a NeuralNetwork's preprocessing, or as operations of an ML Program."""
    bias = [-10.0, 20.0, 5.0]
    path = convert(tiny, 16, kind, color_layout=layout, scale=0.5, bias=bias)
    program = load(path)
    assert program.inputs[0].color_layout == layout
    ordered = picture if layout == "RGB" else picture[..., ::-1]
    wanted = expected_scores(tiny, ordered * np.float32(0.5) + np.array(bias, np.float32))
    seen = program.run({"image": picture})[program.probabilities_name]
    np.testing.assert_allclose(seen, wanted, atol=1e-5)
    other = expected_scores(tiny, picture[..., ::-1] * 0.5 if layout == "RGB" else picture * 0.5)
    assert np.abs(seen - other).max() > 1e-3, "the test could not tell the layouts apart"


@pytest.mark.parametrize("kind", ["nn", "fp32"])
def test_greyscale_images(convert: Callable[..., Path], picture: Array, kind: str) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(1, 8, 16), nn.Flatten(), nn.Linear(8, 8), nn.Softmax(1)).eval()
    program = load(convert(module, 16, kind, color_layout="G", scale=1 / 255, bias=0.25))
    assert program.inputs[0].color_layout == "GRAYSCALE"
    grey = picture[..., 0]
    with torch.inference_mode():
        wanted = module(torch.from_numpy(grey)[None, None] / 255 + 0.25)[0]
    for form in (grey, Image.fromarray(grey)):
        seen = program.run({"image": form})[program.probabilities_name]
        np.testing.assert_allclose(seen, wanted, atol=1e-5)
    with pytest.raises(RefusedInput, match="mode L, got RGB"):
        program.run({"image": Image.fromarray(picture)})


def edited_network(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    spec = proto_module("Model_pb2").Model()
    spec.ParseFromString(source.read_bytes())
    edit(spec)
    target.write_bytes(spec.SerializeToString())
    return target


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.glmClassifier.SetInParent(), "holds a glmClassifier"),
        (
            lambda s: setattr(s.description.input[0].type.imageType, "colorSpace", 0),
            "colour space 0; supported: GRAYSCALE, RGB, BGR",
        ),
        (
            lambda s: s.neuralNetworkClassifier.layers.add().custom.SetInParent(),
            "lacks 1 neuralnetwork operation of this model: custom",
        ),
    ],
)
def test_models_that_would_need_more(
    tiny_saved: dict[str, Path], tmp_path: Path, edit: Callable[[Any], None], message: str
) -> None:
    path = edited_network(tiny_saved["nn"], tmp_path / "edited.mlmodel", edit)
    with pytest.raises(UnsupportedOperation, match=message):
        load(path)


def test_labels_must_match_the_scores(
    tiny_saved: dict[str, Path], tmp_path: Path, picture: Array
) -> None:
    def drop(spec: Any) -> None:
        del spec.neuralNetworkClassifier.stringClassLabels.vector[-1]

    program = load(edited_network(tiny_saved["nn"], tmp_path / "edited.mlmodel", drop))
    with pytest.raises(runtime.ArtefactError, match="7 labels and computes 8 scores"):
        program.predict({"image": picture})


def test_the_witness_is_independent_and_silent(tiny_saved: dict[str, Path]) -> None:
    """Loading and running imports neither coremltools nor torchvision, and prints nothing."""
    code = (
        "import sys\n"
        "from fer_convert.coreml_runtime import load\n"
        "assert 'torch' not in sys.modules\n"
        f"program = load({str(tiny_saved['fp16'])!r})\n"
        "import numpy as np\n"
        "program.predict({'image': np.zeros((16, 16, 3), np.uint8)})\n"
        "forbidden = {'coremltools', 'torchvision', 'fer_convert.export'}\n"
        "assert not forbidden & set(sys.modules), forbidden & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_protobuf_classes_are_shared_with_coremltools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is imported first: here ours was, and then ours is imported once more."""
    ours = proto_module("Model_pb2").Model
    from coremltools.proto.Model_pb2 import Model as theirs

    assert ours is theirs
    for name in [name for name in sys.modules if name.startswith("_fer_convert_coreml_proto")]:
        monkeypatch.delitem(sys.modules, name)
    again = proto_module.__wrapped__("Model_pb2").Model
    assert again is theirs
