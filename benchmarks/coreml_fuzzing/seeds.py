"""Small valid models of both formats, written directly as specification messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import BLOB_TYPES, MIL_TYPES, TYPES
from fer_convert.coreml_runtime.proto import proto_module

SPEC_FILE = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHT_FILE = Path("Data/com.apple.CoreML/weights/weight.bin")
MANIFEST = {
    "fileFormatVersion": "1.0.0",
    "itemInfoEntries": {
        "A": {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel"},
        "B": {"path": "com.apple.CoreML/weights", "name": "weights"},
    },
    "rootModelIdentifier": "A",
}

_NUMBERS = {name: number for number, name in MIL_TYPES.items()}
_BLOB_NUMBERS = {name: number for number, name in BLOB_TYPES.items()}
_FP32, _FP16, _INT32 = 65568, 65552, 131104  # ArrayFeatureType.ArrayDataType


@dataclass
class Case:
    """A saved model in parts. ``spec`` is bytes once its wire form is damaged; ``weights`` None
    makes it a ``.mlmodel`` file, otherwise it is a package; ``links`` are made last."""

    name: str
    spec: Any
    weights: bytes | None = None
    manifest: bytes = b""
    links: tuple[tuple[str, str], ...] = ()

    def copy(self) -> Case:
        return deepcopy(self)

    def write(self, folder: Path) -> Path:
        """Save it below the empty ``folder``; returns what to load."""
        spec = self.spec if isinstance(self.spec, bytes) else self.spec.SerializePartialToString()
        if self.weights is None:
            path = folder / "model.mlmodel"
            path.write_bytes(spec)
            return path
        package = folder / "model.mlpackage"
        (package / WEIGHT_FILE).parent.mkdir(parents=True)
        (package / "Manifest.json").write_bytes(self.manifest)
        (package / SPEC_FILE).write_bytes(spec)
        (package / WEIGHT_FILE).write_bytes(self.weights)
        for name, target in self.links:
            link = package / name
            if link.is_dir():
                link.rename(folder / "moved")
            else:
                link.unlink(missing_ok=True)
            link.symlink_to(target)
        return package


def seeds() -> list[Case]:
    return [build() for build in _BUILDERS]


class _Block:
    """Writes one ML Program, its immediate values and its weight file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec = proto_module("Model_pb2").Model()
        self.spec.specificationVersion = 9
        self.function = self.spec.mlProgram.functions["main"]
        self.function.opset = "CoreML8"
        self.block = self.function.block_specializations["CoreML8"]
        self.weights = bytearray(struct.pack("<II", 0, 2).ljust(64, b"\0"))

    def input(self, name: str, shape: Sequence[int], element: str = "fp32") -> str:
        entry = self.function.inputs.add(name=name)
        _tensor_type(entry.type.tensorType, element, shape)
        return name

    def declare(self, name: str, shape: Sequence[int], data_type: int = _FP32) -> Any:
        array = self.spec.description.input.add(name=name).type.multiArrayType
        array.shape.extend(shape)
        array.dataType = data_type
        return array

    def blob(self, name: str, array: Any, element: str = "fp16") -> str:
        """A ``const`` in the weight file; packed types are given as one integer per element."""
        array = np.asarray(array)
        message = self.block.operations.add(type="const")
        message.outputs.add(name=name)
        _tensor_type(message.outputs[0].type.tensorType, element, array.shape)
        self.store(message.attributes["val"], array, element)
        return name

    def store(self, value: Any, array: Any, element: str) -> None:
        _tensor_type(value.type.tensorType, element, array.shape)
        bits = TYPES[element].bits
        if bits % 8:
            planes = (array.reshape(-1, 1) >> np.arange(bits)) & 1
            data = np.packbits(planes.astype(np.uint8), bitorder="little").tobytes()
        else:
            data = array.astype(TYPES[element].numpy).tobytes()
        start = len(self.weights)
        record = struct.pack("<IIQQQ", 0xDEADBEEF, _BLOB_NUMBERS[element], len(data), start + 64, 0)
        self.weights += record.ljust(64, b"\0") + data + bytes(-len(data) % 64)
        value.blobFileValue.fileName = "@model_path/weights/weight.bin"
        value.blobFileValue.offset = start

    def do(
        self,
        kind: str,
        name: str,
        shape: Sequence[int | None],
        element: str = "fp32",
        /,  # an argument may be called shape
        **bound: Any,
    ) -> str:
        """One operation; a string names an earlier value, a list several, else an immediate."""
        message = self.block.operations.add(type=kind)
        for key, value in bound.items():
            for item in value if isinstance(value, list) else [value]:
                binding = message.inputs[key].arguments.add()
                if isinstance(item, str) and not item.startswith("="):
                    binding.name = item
                else:
                    immediate(binding.value, item)
        message.attributes["name"].immediateValue.tensor.strings.values.append(name)
        _tensor_type(message.attributes["name"].type.tensorType, "string", ())
        _tensor_type(message.outputs.add(name=name).type.tensorType, element, shape)
        return name

    def output(self, name: str) -> None:
        self.block.outputs.append(name)
        self.spec.description.output.add(name=name).type.multiArrayType.dataType = _FP32

    def case(self) -> Case:
        self.weights[0:4] = struct.pack("<I", bytes(self.weights).count(b"\xef\xbe\xad\xde"))
        return Case(self.name, self.spec, bytes(self.weights), json.dumps(MANIFEST).encode())


def immediate(value: Any, given: Any) -> None:
    """Fill a MIL ``Value`` with a number, text, a truth value or a list of integers."""
    tensor = value.immediateValue.tensor
    if isinstance(given, str):
        _tensor_type(value.type.tensorType, "string", ())
        tensor.strings.values.append(given.removeprefix("="))
        return
    array = np.asarray(given)
    kind = {"b": "bool", "i": "int32", "f": "fp32"}[array.dtype.kind]
    _tensor_type(value.type.tensorType, kind, array.shape)
    field = {"bool": tensor.bools, "int32": tensor.ints, "fp32": tensor.floats}[kind]
    field.values.extend(array.reshape(-1).tolist())


def _tensor_type(message: Any, element: str, shape: Sequence[int | None]) -> None:
    message.dataType = _NUMBERS[element]
    message.rank = len(shape)
    for size in shape:
        if size is None:
            message.dimensions.add().unknown.variadic = False
        else:
            message.dimensions.add().constant.size = size


def _random(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def _program_classifier() -> Case:
    b = _Block("program classifier")
    image = b.spec.description.input.add(name="image").type.imageType
    image.width = image.height = 8
    image.colorSpace = 20
    x = b.input("image", (1, 3, 8, 8))
    x = b.do("cast", "half", (1, 3, 8, 8), "fp16", x=x, dtype="=fp16")
    b.blob("weight", _random(4, 3, 3, 3))
    b.blob("bias", _random(4))
    x = b.do(
        "conv", "conv", (1, 4, 4, 4), "fp16", x=x, weight="weight", bias="bias",
        strides=(2, 2), pad_type="=custom", pad=(1, 1, 1, 1), dilations=(1, 1), groups=1,
    )  # fmt: skip
    x = b.do("relu", "relu", (1, 4, 4, 4), "fp16", x=x)
    x = b.do("reduce_mean", "mean", (1, 4), "fp16", x=x, axes=(2, 3), keep_dims=False)
    b.blob("dense", _random(5, 4))
    x = b.do("linear", "linear", (1, 5), "fp16", x=x, weight="dense", bias=b.blob("b", _random(5)))
    x = b.do("softmax", "scores", (1, 5), "fp16", x=x, axis=-1)
    labels = b.block.operations.add(type="const")
    labels.outputs.add(name="classes")
    value = labels.attributes["val"]
    value.type.listType.length.constant.size = 5
    _tensor_type(value.type.listType.type.tensorType, "string", ())
    for i in range(5):
        entry = value.immediateValue.list.values.add()
        entry.immediateValue.tensor.strings.values.append(f"label {i}")
    labels.outputs[0].type.CopyFrom(value.type)
    classify = b.block.operations.add(type="classify")
    classify.inputs["probabilities"].arguments.add().name = x
    classify.inputs["classes"].arguments.add().name = "classes"
    _tensor_type(classify.outputs.add(name="label").type.tensorType, "string", ())
    probabilities = classify.outputs.add(name="label_probs").type.dictionaryType
    _tensor_type(probabilities.keyType.tensorType, "string", ())
    _tensor_type(probabilities.valueType.tensorType, "fp32", ())
    b.block.outputs.extend(["label", "label_probs"])
    description = b.spec.description
    description.predictedFeatureName = "label"
    description.predictedProbabilitiesName = "label_probs"
    description.output.add(name="label").type.stringType.SetInParent()
    description.output.add(name="label_probs").type.dictionaryType.stringKeyType.SetInParent()
    return b.case()


def _program_shapes() -> Case:
    b = _Block("program shapes")
    array = b.declare("x", (1, 2, 6, 6))
    for low, high in ((1, 1), (2, 2), (4, 12), (4, -1)):
        array.shapeRange.sizeRanges.add(lowerBound=low, upperBound=high)
    x = b.input("x", (1, 2))
    tensor = b.function.inputs[0].type.tensorType
    tensor.rank = 4
    for _ in range(2):
        tensor.dimensions.add().unknown.variadic = False
    rank4 = (1, 2, None, None)
    low = b.do("max_pool", "m", rank4, x=x, kernel_sizes=(2, 2), strides=(2, 2), pad_type="=same",
               pad=(0, 0, 0, 0), ceil_mode=False)  # fmt: skip
    mean = b.do("avg_pool", "a", rank4, x=x, kernel_sizes=(3, 3), strides=(2, 2), pad=(1, 1, 1, 1),
                pad_type="=custom", ceil_mode=False,
                exclude_padding_from_average=True)  # fmt: skip
    x = b.do("concat", "c", (1, 4, None, None), values=[low, mean], axis=1, interleave=False)
    x = b.do("silu", "s", (1, 4, None, None), x=x)
    x = b.do("mul", "p", (1, 4, None, None), x=x, y=b.blob("w", _random(1, 4, 1, 1), "fp32"))
    b.output(b.do("reshape", "r", (4, None), x=x, shape=(4, -1)))
    b.output(b.do("cast", "i", (1, 4, None, None), "int32", x=x, dtype="=int32"))
    return b.case()


def _program_compressed() -> Case:
    b = _Block("program compressed")
    b.declare("x", (1, 8), _FP16)
    x = b.input("x", (1, 8), "fp16")
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 2, (4, 8))
    b.blob("nonzero", _random(int(mask.sum())))
    b.do("constexpr_sparse_to_dense", "w0", (4, 8), "fp16",
         nonzero_data="nonzero", mask=b.blob("mask", mask, "uint1"))  # fmt: skip
    b.blob("indices", rng.integers(0, 8, (4, 8)), "uint3")
    b.do("constexpr_lut_to_dense", "w1", (4, 8), "fp16",
         indices="indices", lut=b.blob("lut", _random(1, 1, 8, 1)))  # fmt: skip
    b.blob("data", rng.integers(-8, 8, (4, 8)), "int4")
    b.do("constexpr_blockwise_shift_scale", "w2", (4, 8), "fp16",
         data="data", scale=b.blob("scale", _random(4, 2)))  # fmt: skip
    old = b.block.operations.add(type="constexpr_affine_dequantize")
    _tensor_type(old.outputs.add(name="w3").type.tensorType, "fp16", (4, 8))
    b.store(old.attributes["quantized_data"], rng.integers(0, 256, (4, 8)), "uint8")
    b.store(old.attributes["scale"], _random(4), "fp16")
    b.store(old.attributes["zero_point"], rng.integers(0, 256, 4), "uint8")
    immediate(old.attributes["axis"], 0)
    plain = b.block.operations.add(type="constexpr_lut_to_dense")
    _tensor_type(plain.outputs.add(name="w4").type.tensorType, "fp16", (4, 8))
    b.store(plain.attributes["indices"], rng.integers(0, 256, 24), "uint8")
    b.store(plain.attributes["lut"], _random(64), "fp16")
    b.store(plain.attributes["shape"], np.array([4, 8]), "uint32")
    parts = [b.do("linear", f"l{i}", (1, 4), "fp16", x=x, weight=f"w{i}") for i in range(5)]
    b.output(b.do("concat", "y", (1, 20), "fp16", values=parts, axis=1, interleave=False))
    return b.case()


def _network(name: str, *, classifier: bool = False) -> tuple[Any, Any]:
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    network = spec.neuralNetworkClassifier if classifier else spec.neuralNetwork
    network.arrayInputShapeMapping = network.imageInputShapeMapping = 1
    return spec, network


def _network_classifier() -> Case:
    spec, net = _network("classifier", classifier=True)
    image = spec.description.input.add(name="image").type.imageType
    image.width = image.height = 8
    image.colorSpace = 30
    sizes = image.imageSizeRange
    for bounds in (sizes.widthRange, sizes.heightRange):
        bounds.lowerBound, bounds.upperBound = 4, 16
    scaler = net.preprocessing.add(featureName="image").scaler
    scaler.channelScale, scaler.redBias = 1 / 255, -0.5
    conv = net.layers.add(name="conv", input=["image"], output=["c"]).convolution
    conv.outputChannels, conv.kernelChannels, conv.nGroups, conv.hasBias = 4, 3, 1, True
    conv.kernelSize.extend([3, 3])
    conv.stride.extend([2, 2])
    conv.same.SetInParent()
    conv.weights.floatValue.extend(_random(4 * 27).tolist())
    conv.bias.float16Value = _random(4).astype(np.float16).tobytes()
    norm = net.layers.add(name="bn", input=["c"], output=["n"]).batchnorm
    norm.channels, norm.epsilon = 4, 1e-3
    for field in (norm.gamma, norm.beta, norm.mean, norm.variance):
        field.floatValue.extend([1.0, 2.0, 3.0, 4.0])
    net.layers.add(name="relu", input=["n"], output=["r"]).activation.ReLU.SetInParent()
    pool = net.layers.add(name="max", input=["r"], output=["m"]).pooling
    pool.kernelSize.extend([2, 2])
    pool.stride.extend([1, 1])
    pool.includeLastPixel.paddingAmounts.extend([0, 0])
    net.layers.add(name="gap", input=["m"], output=["g"]).pooling.globalPooling = True
    net.layers[-1].pooling.type = 1
    net.layers.add(name="flat", input=["g"], output=["f"]).reshapeStatic.targetShape.extend([1, 4])
    dense = net.layers.add(name="dense", input=["f"], output=["d"]).innerProduct
    dense.inputChannels, dense.outputChannels = 4, 3
    dense.weights.floatValue.extend(_random(12).tolist())
    net.layers.add(name="soft", input=["d"], output=["p"]).softmaxND.axis = -1
    net.stringClassLabels.vector.extend(["a", "b", "c"])
    net.labelProbabilityLayerName = "p"
    spec.description.predictedFeatureName = "label"
    spec.description.predictedProbabilitiesName = "p"
    spec.description.output.add(name="label").type.stringType.SetInParent()
    spec.description.output.add(name="p").type.dictionaryType.stringKeyType.SetInParent()
    spec.description.metadata.userDefined["key"] = "text"
    return Case("network classifier", spec)


def _network_quantised() -> Case:
    spec, net = _network("quantised")
    array = spec.description.input.add(name="x").type.multiArrayType
    array.shape.extend([1, 4])
    array.dataType = _FP32
    array.enumeratedShapes.shapes.add(shape=[2, 4])
    linear = net.layers.add(name="linear", input=["x"], output=["a"]).innerProduct
    table = net.layers.add(name="table", input=["x"], output=["b"]).innerProduct
    for params in (linear, table):
        params.inputChannels, params.outputChannels = 4, 4
        params.weights.rawValue = bytes(range(16))
        params.weights.quantization.numberOfBits = 8
    linear.weights.quantization.linearQuantization.scale.extend([0.5] * 4)
    linear.weights.quantization.linearQuantization.bias.extend([-1.0] * 4)
    table.weights.rawValue = bytes(range(8))
    table.weights.quantization.numberOfBits = 4
    values = _random(16).tolist()
    table.weights.quantization.lookupTableQuantization.floatValue.extend(values)
    net.layers.add(name="sum", input=["a", "b"], output=["y"]).add.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = _FP32
    return Case("network quantised", spec)


def _network_optional() -> Case:
    spec, net = _network("optional")
    for name, data_type in (("x", _FP32), ("i", _INT32)):
        feature = spec.description.input.add(name=name)
        feature.type.isOptional = name == "i"
        feature.type.multiArrayType.shape.extend([1, 3, 4])
        feature.type.multiArrayType.dataType = data_type
    spec.description.input[1].type.multiArrayType.intDefaultValue = 3
    net.layers.add(name="m", input=["x", "i"], output=["p"]).multiply.SetInParent()
    net.layers.add(name="c", input=["p", "x"], output=["q"]).concat.SetInParent()
    net.layers.add(name="s", input=["q"], output=["y"]).softmax.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = _FP32
    return Case("network optional", spec)


def _pipeline() -> Case:
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    member = _network_optional().spec
    spec.pipeline.models.add().CopyFrom(member)
    spec.description.CopyFrom(member.description)
    return Case("pipeline", spec)


_BUILDERS: tuple[Callable[[], Case], ...] = (
    _program_classifier,
    _program_shapes,
    _program_compressed,
    _network_classifier,
    _network_quantised,
    _network_optional,
    _pipeline,
)
