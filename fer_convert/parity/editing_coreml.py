"""Editing saved Core ML files: the protobuf, and an ML Program's weight file, byte for byte."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.coreml_runtime.proto import proto_module
from fer_convert.parity.editing import Editable, Layer
from fer_train.contract.files import write_bytes

_MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
_WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")

#: A record of weight.bin: sentinel, data type, size in bytes, offset of the data.
_RECORD = struct.Struct("<IIQQ")

_FLOAT16 = 10  # MIL's DataType for half precision
_DTYPES: dict[int, type[np.floating[Any]]] = {_FLOAT16: np.float16, 11: np.float32}


@dataclass(slots=True, kw_only=True)
class _Stored:
    """One array in the file: a copy of it, and how to write it back."""

    values: NDArray[np.float64]
    store: Callable[[NDArray[np.float64]], None]


def open_neuralnetwork(path: Path) -> Editable:
    """Open an ``.mlmodel`` with float32 weights."""
    model = proto_module("Model_pb2").Model()
    model.ParseFromString(path.read_bytes())
    network = model.neuralNetworkClassifier
    stored: list[list[_Stored]] = []
    for layer in network.layers:
        which = layer.WhichOneof("layer")
        if which == "convolution":
            parameters = layer.convolution
            shape = (
                parameters.outputChannels,
                parameters.kernelChannels,
                *parameters.kernelSize,
            )
        elif which == "innerProduct":
            parameters = layer.innerProduct
            shape = (parameters.outputChannels, parameters.inputChannels)
        else:
            continue
        pair = [_repeated(parameters.weights.floatValue, shape)]
        if parameters.hasBias:
            pair.append(_repeated(parameters.bias.floatValue, (parameters.outputChannels,)))
        stored.append(pair)
    layers = [_as_layer(pair) for pair in stored]
    labels = list(network.stringClassLabels.vector)
    logits = [layer.input[0] for layer in network.layers if layer.HasField("softmaxND")][-1]
    scales = [
        layer.multiply
        for layer in network.layers
        if layer.HasField("multiply") and layer.output[0] == logits
    ]
    temperature = np.array([1 / scale.alpha for scale in scales])

    def save(destination: Path) -> None:
        for scale, value in zip(scales, temperature, strict=True):
            scale.alpha = 1 / value
        _store_all(layers, stored)
        network.stringClassLabels.vector[:] = labels
        write_bytes(destination, model.SerializeToString())

    return Editable(layers=layers, labels=labels, temperature=temperature, save=save)


def open_mlprogram(path: Path) -> Editable:
    """Open an ``.mlpackage`` whose weights are plain constants, in either precision."""
    model = proto_module("Model_pb2").Model()
    model.ParseFromString((path / _MODEL).read_bytes())
    weights = bytearray((path / _WEIGHTS).read_bytes())
    function = model.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    constants = {op.outputs[0].name: op for op in operations if op.type == "const"}
    stored: list[list[_Stored]] = []
    for op in operations:
        if op.type not in ("conv", "linear"):
            continue
        names = [op.inputs[key].arguments[0].name for key in ("weight", "bias") if key in op.inputs]
        if all(name in constants for name in names):
            stored.append([_constant(constants[name].attributes["val"], weights) for name in names])
    layers = [_as_layer(pair) for pair in stored]
    classify = next(op for op in operations if op.type == "classify")
    classes = [
        item.immediateValue.tensor.strings
        for item in classify.inputs["classes"].arguments[0].value.immediateValue.list.values
    ]
    labels = [strings.values[0] for strings in classes]
    logits = [op.inputs["x"].arguments[0].name for op in operations if op.type == "softmax"][-1]
    factors = [
        _constant(constants[op.inputs["y"].arguments[0].name].attributes["val"], weights)
        for op in operations
        if op.type == "mul" and op.outputs[0].name == logits
    ]
    temperature = np.array([1 / factor.values.item() for factor in factors])

    def save(destination: Path) -> None:
        for factor, value in zip(factors, temperature, strict=True):
            factor.store(np.reshape(1 / value, factor.values.shape))
        _store_all(layers, stored)
        for strings, label in zip(classes, labels, strict=True):
            strings.values[0] = label
        shutil.copytree(path, destination)
        write_bytes(destination / _MODEL, model.SerializeToString())
        write_bytes(destination / _WEIGHTS, bytes(weights))

    return Editable(layers=layers, labels=labels, temperature=temperature, save=save)


def _repeated(field: Any, shape: tuple[int, ...]) -> _Stored:
    def store(values: NDArray[np.float64]) -> None:
        field[:] = values.ravel().tolist()

    return _Stored(values=np.array(field, dtype=np.float64).reshape(shape), store=store)


def _constant(value: Any, weights: bytearray) -> _Stored:
    """Open one MIL constant, wherever it is kept."""
    tensor_type = value.type.tensorType
    dtype = np.dtype(_DTYPES[tensor_type.dataType]).newbyteorder("<")
    shape = tuple(dimension.constant.size for dimension in tensor_type.dimensions)
    if value.WhichOneof("value") == "blobFileValue":
        return _in_blob(weights, value.blobFileValue.offset, dtype=dtype, shape=shape)
    tensor = value.immediateValue.tensor
    if tensor_type.dataType != _FLOAT16:
        return _repeated(tensor.floats.values, shape)

    def store(values: NDArray[np.float64]) -> None:
        tensor.bytes.values = values.astype(dtype).tobytes()

    seen = np.frombuffer(tensor.bytes.values, dtype=dtype)
    return _Stored(values=seen.astype(np.float64).reshape(shape), store=store)


def _in_blob(
    weights: bytearray, offset: int, *, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> _Stored:
    _sentinel, _kind, size, start = _RECORD.unpack_from(weights, offset)

    def store(values: NDArray[np.float64]) -> None:
        weights[start : start + size] = values.astype(dtype).tobytes()

    seen = np.frombuffer(bytes(weights[start : start + size]), dtype=dtype)
    return _Stored(values=seen.astype(np.float64).reshape(shape), store=store)


def _as_layer(pair: list[_Stored]) -> Layer:
    weight, *rest = (stored.values.copy() for stored in pair)
    return Layer(
        kind="conv" if weight.ndim == 4 else "linear",
        weight=weight,
        bias=rest[0] if rest else None,
    )


def _store_all(layers: list[Layer], stored: list[list[_Stored]]) -> None:
    for layer, pair in zip(layers, stored, strict=True):
        for array, original in zip((layer.weight, layer.bias), pair, strict=False):
            # What was not touched keeps its bytes; rewriting millions of floats takes seconds.
            if array is not None and not np.array_equal(array, original.values):
                original.store(array)
