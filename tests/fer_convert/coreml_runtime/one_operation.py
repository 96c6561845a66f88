"""One operation or layer as a real specification message, read and run by the runtime.

No converter is involved: a test states what the file says, so it can state odd things, and a grid
of hundreds of cases takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.program import Program
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel

Array = NDArray[Any]


_MIL_NUMBERS = {
    "bool": 1, "float16": 10, "float32": 11, "int8": 21, "int16": 22, "int32": 23, "uint8": 31,
    "uint16": 32,
}  # fmt: skip


# How each element type is stored as an immediate value.
_FIELDS = {"bool": "bools", "float32": "floats", "int32": "ints"}


def mil_program(
    operation: str,
    inputs: Mapping[str, Any],
    *,
    outputs: Sequence[str] = ("fp32",),
    attributes: Mapping[str, Any] | None = None,
) -> tuple[Program, dict[str, Array]]:
    """A program of one operation, and what to feed it.

    Args:
        inputs: by argument name. An array is fed when the program runs, as fp32, fp16, int32 …; a
            list of them is a variadic argument; anything else (numbers, strings, booleans, tuples)
            is an immediate value of the file; ``constant(array)`` stores an array likewise.
        outputs: the declared element type of each output (fp32, fp16, int32, bool, …); ranks are
            left open.
    """
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 9
    function = spec.mlProgram.functions["main"]
    function.opset = "CoreML8"
    block = function.block_specializations["CoreML8"]
    filled = proto_module("MIL_pb2").Operation(type=operation)
    feeds: dict[str, Array] = {}
    for name, given in inputs.items():
        values = given if isinstance(given, list) else [given]
        for position, value in enumerate(values):
            binding = filled.inputs[name].arguments.add()
            if isinstance(value, np.ndarray) and not isinstance(value, _Constant):
                feed = f"{name}_{position}" if isinstance(given, list) else name
                feeds[feed] = value.astype(np.int32) if value.dtype == bool else value
                _declare(spec, function, feed, feeds[feed])
                binding.name = _as_bool(block, feed) if value.dtype == bool else feed
            else:
                _immediate(binding.value, np.asarray(value))
    for name, value in (attributes or {}).items():
        _immediate(filled.attributes[name], np.asarray(value))
    message = block.operations.add()
    message.CopyFrom(filled)
    for position, element in enumerate(outputs):
        output = message.outputs.add(name=f"out{position}")
        tensor = output.type.tensorType
        tensor.dataType = _MIL_NUMBERS[_numpy_name(element)]
        tensor.rank = -1
        block.outputs.append(output.name)
        spec.description.output.add(name=output.name).type.multiArrayType.SetInParent()
    return load_saved(SavedModel(Path("memory"), Path("memory"), spec)), feeds


def run_mil(
    operation: str,
    inputs: Mapping[str, Any],
    *,
    outputs: Sequence[str] = ("fp32",),
    precision: Any = "declared",
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Run one ML Program operation: the array it computes, or a tuple; see `mil_program`."""
    program, feeds = mil_program(operation, inputs, outputs=outputs, attributes=attributes)
    result = program.run(feeds, precision=precision)
    arrays = tuple(result[f"out{position}"] for position in range(len(outputs)))
    return arrays if len(arrays) > 1 else arrays[0]


def layer_program(
    fill: Callable[[Any], None], *arrays: Array, outputs: int = 1
) -> tuple[Program, dict[str, Array]]:
    """A NeuralNetwork of one layer, whose message ``fill`` completes, and what to feed it.

    Array shapes are exact (no five-dimensional mapping); every value is fp32.
    """
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    network = spec.neuralNetwork
    network.arrayInputShapeMapping = 1
    layer = network.layers.add(name="layer")
    feeds = {}
    for position, array in enumerate(arrays):
        name = f"in{position}"
        declared = spec.description.input.add(name=name).type.multiArrayType
        declared.shape.extend(array.shape)
        declared.dataType = 65568
        layer.input.append(name)
        feeds[name] = array.astype(np.float32)
    for position in range(outputs):
        layer.output.append(f"out{position}")
        output = spec.description.output.add(name=f"out{position}").type.multiArrayType
        output.dataType = 65568
    fill(layer)
    return load_saved(SavedModel(Path("memory"), Path("memory"), spec)), feeds


class _Constant(np.ndarray[Any, Any]):
    """An array that lies in the file."""


def constant(array: Any) -> Array:
    """Mark an array as an immediate value of the file (its dtype is the declared one)."""
    return np.asarray(array).view(_Constant)


def _as_bool(block: Any, feed: str) -> str:
    """No model takes truth values: they come as integers and are cast."""
    cast = block.operations.add(type="cast")
    cast.inputs["x"].arguments.add().name = feed
    _immediate(cast.inputs["dtype"].arguments.add().value, np.asarray("bool"))
    output = cast.outputs.add(name=f"{feed}_bool")
    output.type.tensorType.dataType, output.type.tensorType.rank = 1, -1
    return str(output.name)


def _declare(spec: Any, function: Any, name: str, array: Array) -> None:
    entry = function.inputs.add(name=name)
    entry.type.tensorType.dataType = _MIL_NUMBERS[array.dtype.name]
    entry.type.tensorType.rank = array.ndim
    for size in array.shape:
        entry.type.tensorType.dimensions.add().constant.size = size
    declared = spec.description.input.add(name=name).type.multiArrayType
    declared.shape.extend(array.shape)
    # The description knows fewer types than the program; the rest is fed as it is.
    declared.dataType = {"float32": 65568, "float16": 65552, "int8": 131080}.get(
        array.dtype.name, 131104
    )


def _immediate(value: Any, array: Array) -> None:
    if array.dtype.kind in "iu" and array.dtype == np.int64:
        array = array.astype(np.int32)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    tensor_type = value.type.tensorType
    tensor_type.rank = array.ndim
    for size in array.shape:
        tensor_type.dimensions.add().constant.size = size
    tensor = value.immediateValue.tensor
    if array.dtype.kind == "U":
        tensor_type.dataType = 2
        tensor.strings.values.extend(array.reshape(-1).tolist())
        return
    tensor_type.dataType = _MIL_NUMBERS[array.dtype.name]
    if array.dtype.name in _FIELDS:
        getattr(tensor, _FIELDS[array.dtype.name]).values.extend(array.reshape(-1).tolist())
    else:
        tensor.bytes.values = array.tobytes()


def _numpy_name(element: str) -> str:
    return {"fp32": "float32", "fp16": "float16"}.get(element, element)
