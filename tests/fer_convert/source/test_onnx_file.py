"""ONNX files of PyTorch and of others: the network that is built answers as onnxruntime does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from fer_convert.source import load_source
from fer_convert.source.onnx_pads import with_numbers
from fer_train.contract.errors import CheckpointCorrupt, InstallationBroken, NonFiniteWeights
from tests.inputs.programs import SIDE, classifier
from tests.inputs.programs_of_others import as_cntk_writes, as_keras_writes, from_pytorch

GREY = '{"input_size": 32, "color": "gray", "scale": "0..255", "crop_margin": 0}'
RGB = '{"input_size": 32, "color": "rgb", "scale": "0..1", "crop_margin": 0}'


def _pixels() -> np.ndarray:
    return np.random.default_rng(5).random((1, 3, SIDE, SIDE)).astype(np.float32)


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def _asked(file: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(file))
    answer: np.ndarray = session.run(None, {"pixels": pixels})[0][0].astype(np.float64)
    return answer


@pytest.mark.parametrize(
    ("write", "preprocess", "arrange", "ends_in_softmax"),
    [
        (lambda file: from_pytorch(classifier(classes=7), file), RGB, lambda x: x, False),
        (as_cntk_writes, GREY, lambda x: x[:, :1], False),
        (as_keras_writes, RGB, lambda x: x.transpose(0, 2, 3, 1), True),
    ],
)
def test_network_and_reference_answer_as_the_file(
    tmp_path: Path,
    write: Callable[[Path], None],
    preprocess: str,
    arrange: Callable[[np.ndarray], np.ndarray],
    ends_in_softmax: bool,
) -> None:
    file = tmp_path / "net.onnx"
    write(file)
    source = load_source(file, labels="fer2013", preprocess=preprocess)
    pixels = _pixels()
    asked = _asked(file, np.ascontiguousarray(arrange(pixels)))
    expected = asked if ends_in_softmax else _softmax(asked)
    assert source.reference is not None
    np.testing.assert_allclose(_softmax(source.reference(pixels)), expected, atol=1e-6)
    logits = source.network(torch.from_numpy(pixels))[0].double().numpy()
    np.testing.assert_allclose(_softmax(logits), expected, atol=1e-5)
    assert (source.kind, source.architecture) == ("onnx", "onnx")


def test_a_damaged_file_and_broken_weights_have_their_own_errors(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    as_cntk_writes(file)
    whole = file.read_bytes()
    model = onnx.load(str(file))
    model.graph.node[0].op_type = "NoSuchOperation"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointCorrupt, match="refused by onnxruntime"):
        load_source(file, labels="fer2013", preprocess=GREY)
    model = onnx.load_from_string(whole)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "e")
    bias.CopyFrom(numpy_helper.from_array(np.full((1, 7), np.nan, np.float32), "e"))
    file.write_bytes(model.SerializeToString())
    with pytest.raises(NonFiniteWeights, match="first in e"):
        load_source(file, labels="fer2013", preprocess=GREY)


def test_without_the_extra_the_command_that_installs_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.onnx"
    as_cntk_writes(file)
    monkeypatch.setitem(sys.modules, "onnx2torch", None)
    with pytest.raises(InstallationBroken, match=r"pip install 'fer-toolchain\[onnx-in\]'"):
        load_source(file, labels="fer2013", preprocess=GREY)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("operation", ["Conv", "MaxPool"])
@pytest.mark.parametrize(("side", "kernel", "stride"), [(9, 3, 2), (8, 4, 3), (10, 3, 1)])
def test_padding_in_numbers_is_what_auto_pad_means(
    operation: str, mode: str, side: int, kernel: int, stride: int
) -> None:
    said = {
        "auto_pad": mode,
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
    }
    if operation == "Conv":
        del said["kernel_shape"]  # then the weights say it
    inputs = ["x", "w"] if operation == "Conv" else ["x"]
    weight = np.random.default_rng(0).normal(size=(2, 2, kernel, kernel)).astype(np.float32)
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operation, inputs, ["y"], **said)],
        "net",
        [helper.make_tensor_value_info("x", floats, [1, 2, side, side])],
        [helper.make_tensor_value_info("y", floats, None)],
        [numpy_helper.from_array(weight, "w")] if operation == "Conv" else [],
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    x = np.random.default_rng(1).normal(size=(1, 2, side, side)).astype(np.float32)

    def run() -> np.ndarray:
        session = onnxruntime.InferenceSession(model.SerializeToString())
        answer: np.ndarray = session.run(None, {"x": x})[0]
        return answer

    before = run()
    with_numbers(model)
    assert "auto_pad" not in {a.name for a in model.graph.node[0].attribute}
    np.testing.assert_array_equal(run(), before)
