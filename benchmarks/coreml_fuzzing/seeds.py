"""Small valid models of both formats, written directly as specification messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from coreml_fuzzing.compressed import COMPRESSED
from coreml_fuzzing.messages import FP32, INT32, Block, Case, tensor_type
from fer_convert.coreml_runtime.read.proto import proto_module


def seeds() -> list[Case]:
    return [build() for build in _BUILDERS]


def _random(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def _program_classifier() -> Case:
    b = Block("program classifier")
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
    tensor_type(value.type.listType.type.tensorType, "string", ())
    for i in range(5):
        entry = value.immediateValue.list.values.add()
        entry.immediateValue.tensor.strings.values.append(f"label {i}")
    labels.outputs[0].type.CopyFrom(value.type)
    classify = b.block.operations.add(type="classify")
    classify.inputs["probabilities"].arguments.add().name = x
    classify.inputs["classes"].arguments.add().name = "classes"
    tensor_type(classify.outputs.add(name="label").type.tensorType, "string", ())
    probabilities = classify.outputs.add(name="label_probs").type.dictionaryType
    tensor_type(probabilities.keyType.tensorType, "string", ())
    tensor_type(probabilities.valueType.tensorType, "fp32", ())
    b.block.outputs.extend(["label", "label_probs"])
    description = b.spec.description
    description.predictedFeatureName = "label"
    description.predictedProbabilitiesName = "label_probs"
    description.output.add(name="label").type.stringType.SetInParent()
    description.output.add(name="label_probs").type.dictionaryType.stringKeyType.SetInParent()
    return b.case()


def _program_shapes() -> Case:
    b = Block("program shapes")
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
    array.dataType = FP32
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
    spec.description.output.add(name="y").type.multiArrayType.dataType = FP32
    return Case("network quantised", spec)


def _network_optional() -> Case:
    spec, net = _network("optional")
    for name, data_type in (("x", FP32), ("i", INT32)):
        feature = spec.description.input.add(name=name)
        feature.type.isOptional = name == "i"
        feature.type.multiArrayType.shape.extend([1, 3, 4])
        feature.type.multiArrayType.dataType = data_type
    spec.description.input[1].type.multiArrayType.intDefaultValue = 3
    net.layers.add(name="m", input=["x", "i"], output=["p"]).multiply.SetInParent()
    net.layers.add(name="c", input=["p", "x"], output=["q"]).concat.SetInParent()
    net.layers.add(name="s", input=["q"], output=["y"]).softmax.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = FP32
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
    *COMPRESSED,
    _network_classifier,
    _network_quantised,
    _network_optional,
    _pipeline,
)
