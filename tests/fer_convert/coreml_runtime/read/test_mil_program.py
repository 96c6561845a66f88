"""What an ML Program may hand out, and what it may hold that the runtime lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, Program, UnsupportedOperation
from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel

X = np.float32([[1, -2, 3], [-4, 5, -6]])

FP16, FP32, INT8, BF16 = 10, 11, 21, 13


def tensor(message: Any, number: int, shape: tuple[int, ...]) -> None:
    message.dataType, message.rank = number, len(shape)
    for size in shape:
        message.dimensions.add().constant.size = size


def declare(features: Any, name: str) -> None:
    array = features.add(name=name).type.multiArrayType
    array.dataType = 65568
    array.shape.extend(X.shape)


def program(fill: Callable[[Any, Any], None]) -> Program:
    """``x [2, 3]`` is read; ``fill(block, spec)`` adds operations and outputs."""
    spec = proto_module("Model_pb2").Model(specificationVersion=9)
    function = spec.mlProgram.functions["main"]
    function.opset = "CoreML8"
    tensor(function.inputs.add(name="x").type.tensorType, FP32, X.shape)
    declare(spec.description.input, "x")
    fill(function.block_specializations["CoreML8"], spec)
    return load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def outputs(block: Any, spec: Any, *names: str) -> None:
    for name in names:
        block.outputs.append(name)
        declare(spec.description.output, name)


def operation(block: Any, kind: str, name: str, number: int = FP32) -> Any:
    message = block.operations.add(type=kind)
    tensor(message.outputs.add(name=name).type.tensorType, number, X.shape)
    return message


def relu(block: Any, name: str = "y") -> Any:
    message = operation(block, "relu", name)
    message.inputs["x"].arguments.add().name = "x"
    return message


def const(block: Any, name: str, values: np.ndarray[Any, Any], number: int = FP32) -> None:
    value = operation(block, "const", name, number).attributes["val"]
    tensor(value.type.tensorType, number, X.shape)
    if number == FP32:
        value.immediateValue.tensor.floats.values.extend(values.reshape(-1).tolist())
    else:
        value.immediateValue.tensor.bytes.values = values.tobytes()


def both(model: Program) -> dict[str, Any]:
    """What the reference engine answers, once the fast engine has answered the same."""
    answer = model.predict({"x": X}, engine="reference")
    fast = model.predict({"x": X}, engine="fast")
    assert answer.keys() == fast.keys()
    for name, array in answer.items():
        assert fast[name].dtype == array.dtype
        np.testing.assert_array_equal(fast[name], array)
    return answer


def test_an_output_may_be_a_constant() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        const(block, "c", X + 1)
        outputs(block, spec, "c", "y")

    model = program(fill)
    assert dict(model.operation_counts) == {"relu": 1, "const": 1}  # those of the file
    answer = both(model)
    np.testing.assert_array_equal(answer["c"], X + 1)
    np.testing.assert_array_equal(answer["y"], np.maximum(X, 0))


def test_an_output_may_be_a_compressed_constant() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        stored = np.int8([[1, 2, 3], [-4, -5, 6]])
        const(block, "stored", stored, INT8)
        message = operation(block, "constexpr_blockwise_shift_scale", "c")
        message.inputs["data"].arguments.add().name = "stored"
        scale = message.inputs["scale"].arguments.add().value
        tensor(scale.type.tensorType, FP32, (1, 1))
        scale.immediateValue.tensor.floats.values.append(0.5)
        outputs(block, spec, "c", "y")

    np.testing.assert_array_equal(both(program(fill))["c"], [[0.5, 1, 1.5], [-2, -2.5, 3]])


def test_an_output_of_a_type_that_is_only_stored() -> None:
    def fill(block: Any, spec: Any) -> None:
        const(block, "c", np.zeros(6, np.uint16), BF16)
        outputs(block, spec, "c")

    with pytest.raises(UnsupportedOperation, match="'c' is computed as bf16"):
        program(fill)


def test_an_output_may_be_handed_out_twice() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        outputs(block, spec, "y", "y")

    model = program(fill)
    assert [feature.name for feature in model.outputs] == ["y"]
    np.testing.assert_array_equal(both(model)["y"], np.maximum(X, 0))


def test_an_output_declared_in_two_ways() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        outputs(block, spec, "y", "y")
        spec.description.output[1].type.multiArrayType.dataType = 65552

    with pytest.raises(ArtefactError, match="declares 'y' more than once"):
        program(fill)


def test_an_output_may_be_an_input() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        outputs(block, spec, "x", "y")

    answer = program(fill).predict({"x": X})
    np.testing.assert_array_equal(answer["x"], X)
    np.testing.assert_array_equal(answer["y"], np.maximum(X, 0))


def test_an_output_that_nothing_computes() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(block)
        outputs(block, spec, "z")

    with pytest.raises(ArtefactError, match="output 'z' is not computed"):
        program(fill)


def test_a_value_of_any_number_of_dimensions() -> None:
    """An unknown dimension may be declared to stand for several."""

    def fill(block: Any, spec: Any) -> None:
        declared = relu(block).outputs[0].type.tensorType
        declared.rank = 1
        del declared.dimensions[:]
        declared.dimensions.add().unknown.variadic = True
        outputs(block, spec, "y")

    np.testing.assert_array_equal(both(program(fill))["y"], np.maximum(X, 0))


def test_control_flow_is_lacking_and_what_it_holds_as_well() -> None:
    def fill(block: Any, spec: Any) -> None:
        branches = operation(block, "cond", "y").blocks
        relu(branches.add())
        operation(branches.add(), "random_normal", "r")
        outputs(block, spec, "y")

    with pytest.raises(UnsupportedOperation, match=r"cond 'y' \(control flow\), random_normal 'r'"):
        program(fill)


def test_operations_inside_one_that_has_none() -> None:
    def fill(block: Any, spec: Any) -> None:
        relu(relu(block).blocks.add(), "inner")
        outputs(block, spec, "y")

    with pytest.raises(UnsupportedOperation, match="relu 'y' holds operations of its own"):
        program(fill)
