"""Open a saved artefact, change its weights or labels, save it as another file.

Nothing here is part of a build: it exists to damage copies of artefacts on purpose, so that the
parity check can prove that it notices.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_convert.artefact import SCHEMA, ArtefactKind
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_train.contract.errors import ArtefactError
from fer_train.contract.files import write_bytes


@dataclass(slots=True, kw_only=True)
class Layer:
    """A convolution ``[out, in/groups, kh, kw]`` or linear layer ``[out, in]``; float64 copies."""

    kind: Literal["conv", "linear"]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64] | None


@dataclass(slots=True, kw_only=True)
class Editable:
    """An artefact held open for editing.

    Attributes:
        layers: in the order of the graph; change their arrays in place.
        labels: as the artefact lists them; change in place.
        temperature: ``[1]``, what the logits are divided by; change in place. Empty where the
            artefact does not divide them.
        save: writes all of it to a new file or folder.
    """

    layers: list[Layer]
    labels: list[str]
    temperature: NDArray[np.float64]
    save: Callable[[Path], None]

    def pixel_layer(self) -> Layer:
        """The 1x1 convolution that holds the pixel contract."""
        return self._first("pixel", lambda layer: layer.weight.shape == (3, 3, 1, 1))

    def stem(self) -> Layer:
        """The first convolution that looks at neighbouring pixels."""
        return self._first("stem", lambda layer: layer.kind == "conv" and layer.weight.shape[2] > 1)

    def head(self) -> Layer:
        """The linear layer that yields the logits."""
        linear = [layer for layer in self.layers if layer.kind == "linear"]
        if not linear:
            raise ArtefactError("The artefact has no dense linear layer.")
        return linear[-1]

    def _first(self, what: str, wanted: Callable[[Layer], bool]) -> Layer:
        for layer in self.layers:
            if wanted(layer):
                return layer
        raise ArtefactError(f"The artefact has no dense {what} convolution.")


def open_editable(kind: ArtefactKind, path: Path) -> Editable:
    """Open an artefact of any kind.

    Layers whose weights are stored compressed are left out.

    Raises:
        ArtefactError: the file is not what its kind says.
    """
    from fer_convert.parity.damage import editing as editing_coreml

    opener: dict[ArtefactKind, Callable[[Path], Editable]] = {
        "torchscript": _open_torchscript,
        "onnx": _open_onnx,
        "mlmodel": editing_coreml.open_neuralnetwork,
        "mlpackage-fp32": editing_coreml.open_mlprogram,
        "mlpackage-fp16": editing_coreml.open_mlprogram,
    }
    return opener[kind](path)


def _open_torchscript(path: Path) -> Editable:
    import torch

    extra = {SCHEMA: ""}
    module = torch.jit.load(  # type: ignore[no-untyped-call]
        str(path), map_location="cpu", _extra_files=extra
    )
    contract = json.loads(extra[SCHEMA])
    parameters = dict(module.named_parameters())
    stored = []
    for name, weight in parameters.items():
        if name.endswith("weight") and weight.dim() in (2, 4):
            stored.append((weight, parameters.get(name.removesuffix("weight") + "bias")))
    layers = [_layer(_numpy(weight), _numpy(bias)) for weight, bias in stored]
    labels = list(contract["labels"])
    operands = [n.inputsAt(1).node() for n in module.graph.nodes() if n.kind() == "aten::div"]
    divisors = [node for node in operands if node.kind() == "prim::Constant"]
    temperature = np.array([float(node.t("value")) for node in divisors])

    def save(destination: Path) -> None:
        for node, value in zip(divisors, temperature.tolist(), strict=True):
            node.t_("value", torch.tensor(value, dtype=torch.float64))
        with torch.no_grad():
            for layer, (weight, bias) in zip(layers, stored, strict=True):
                weight.copy_(torch.from_numpy(layer.weight))
                if bias is not None:
                    bias.copy_(torch.from_numpy(layer.bias))
        text = json.dumps({**contract, "labels": labels})
        torch.jit.save(  # type: ignore[no-untyped-call]
            module, str(destination), _extra_files={SCHEMA: text.encode()}
        )

    return Editable(layers=layers, labels=labels, temperature=temperature, save=save)


def _open_onnx(path: Path) -> Editable:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    stored: list[list[Any]] = []
    for node in model.graph.node:
        # torch's exporter writes Linear as Gemm with transB=1, so the weight is [out, in].
        if node.op_type in ("Conv", "Gemm") and node.input[1] in tensors:
            # Biases that are equal by chance are shared through Identity nodes; those stay.
            stored.append([tensors[name] for name in node.input[1:3] if name in tensors])
    layers = [
        _layer(*(numpy_helper.to_array(tensor).astype(np.float64) for tensor in pair))
        for pair in stored
    ]
    contract_property = next(p for p in model.metadata_props if p.key == SCHEMA)
    contract = json.loads(contract_property.value)
    labels = list(contract["labels"])
    constants = {n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant"}
    # The name of what the division yields is the artefact's own: its second output.
    divided = [n for n in model.graph.node if n.op_type == "Div" and n.output[0] == "logits"]
    divisors = [constants[node.input[1]] for node in divided]
    temperature = np.array([float(numpy_helper.to_array(tensor)) for tensor in divisors])

    def save(destination: Path) -> None:
        for tensor, value in zip(divisors, temperature, strict=True):
            tensor.CopyFrom(numpy_helper.from_array(np.array(value, dtype=np.float32)))
        for layer, pair in zip(layers, stored, strict=True):
            for tensor, values in zip(pair, _arrays(layer), strict=True):
                changed = numpy_helper.from_array(values.astype(np.float32), tensor.name)
                tensor.CopyFrom(changed)
        contract_property.value = json.dumps({**contract, "labels": labels})
        write_bytes(destination, model.SerializeToString())

    return Editable(layers=layers, labels=labels, temperature=temperature, save=save)


def _numpy(parameter: Any) -> NDArray[np.float64] | None:
    if parameter is None:
        return None
    copied: NDArray[np.float64] = parameter.detach().double().numpy().copy()
    return copied


def _layer(weight: NDArray[np.float64] | None, bias: NDArray[np.float64] | None = None) -> Layer:
    assert weight is not None
    kind: Literal["conv", "linear"] = "conv" if weight.ndim == 4 else "linear"
    return Layer(kind=kind, weight=weight, bias=bias)


def _arrays(layer: Layer) -> Sequence[NDArray[np.float64]]:
    return [layer.weight] if layer.bias is None else [layer.weight, layer.bias]


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
