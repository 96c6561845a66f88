"""NeuralNetwork: layers with windows or weights, preprocessing, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source
from fer_convert.coreml_runtime.fast.mil_neural import product_with_weight
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.windows import Padding, pad_attributes, pool

_BOTTOM_RIGHT_HEAVY = 0  # SamePadding.SamePaddingMode
_MAX, _AVERAGE = 0, 1  # PoolingLayerParams.PoolingType


@LAYERS.lowering("scaler")
def scaler(op: Source) -> str:
    params, layout = op.params
    if layout in {"RGB", "BGR"}:
        named = {"R": params.redBias, "G": params.greenBias, "B": params.blueBias}
        biases = [named[colour] for colour in layout]
    else:
        biases = [params.grayBias]
    (x,) = op.operands("input")
    scaled = op.node("Mul", x, op.scalar(params.channelScale))
    bias = op.builder.array(np.array(biases, np.float32).reshape(1, -1, 1, 1))
    result: str = op.node("Add", scaled, bias)
    return result


@LAYERS.lowering("convolution")
def convolution(op: Source) -> str:
    p = op.params
    if p.isDeconvolution:
        raise Unlowered("isDeconvolution")
    (x,) = op.operands("input")
    size = _pair(p.kernelSize, 3)
    outputs = int(p.outputChannels)
    bias = [op.weight("bias", (outputs,))] if p.hasBias else []
    result: str = op.node(
        "Conv",
        x,
        op.weight("weights", (outputs, int(p.kernelChannels), *size)),
        *bias,
        kernel_shape=size,
        strides=_pair(p.stride, 1),
        dilations=_pair(p.dilationFactor, 1),
        group=int(p.nGroups) or 1,
        **pad_attributes(_padding(p, "ConvolutionPaddingType")),
    )
    return result


@LAYERS.lowering("pooling")
def pooling(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    if p.type not in {_MAX, _AVERAGE}:
        raise Unlowered("L2 pooling")
    if p.globalPooling:
        axes = op.ints(-2, -1)
        if len(op.shape(x)) == 4:
            kind = "GlobalMaxPool" if p.type == _MAX else "GlobalAveragePool"
            result: str = op.node(kind, x)
            return result
        result = op.node("ReduceMax" if p.type == _MAX else "ReduceMean", x, axes, keepdims=1)
        return result
    return pool(
        op,
        x,
        kind="max" if p.type == _MAX else "average",
        kernel=_pair(p.kernelSize, 3),
        strides=_pair(p.stride, 1),
        padding=_padding(p, "PoolingPaddingType"),
        ceil_mode=p.WhichOneof("PoolingPaddingType") == "includeLastPixel",
        exclude_padding=p.avgPoolExcludePadding,
    )


@LAYERS.lowering("batchnorm")
def batchnorm(op: Source) -> str:
    p = op.params
    if p.computeMeanVar or p.instanceNormalization:
        raise Unlowered("statistics of its input")
    (x,) = op.operands("input")
    shape = (int(p.channels),)
    weights = [op.weight(name, shape) for name in ("gamma", "beta", "mean", "variance")]
    result: str = op.node("BatchNormalization", x, *weights, epsilon=p.epsilon or 1e-5)
    return result


@LAYERS.lowering("innerProduct")
def inner_product(op: Source) -> str:
    p = op.params
    if p.int8DynamicQuantize:
        raise Unlowered("int8DynamicQuantize")
    (x,) = op.operands("input")
    weight = op.weight("weights", (int(p.outputChannels), int(p.inputChannels)))
    bias = op.weight("bias", (int(p.outputChannels),)) if p.hasBias else None
    return product_with_weight(op, x, weight, bias, rank=len(op.shape(x)))


@LAYERS.lowering("scale", "bias")
def scale(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    if op.kind == "scale":
        x = str(op.node("Mul", x, _over_channels(op, "scale", p.shapeScale)))
        if not p.hasBias:
            return x
    shape = p.shapeBias if op.kind == "scale" else p.shape
    result: str = op.node("Add", x, _over_channels(op, "bias", shape))
    return result


@LAYERS.lowering("batchedMatmul")
def batched_matmul(op: Source) -> str:
    p = op.params
    if p.int8DynamicQuantize:
        raise Unlowered("int8DynamicQuantize")
    operands = op.operands("input")
    names = []
    for operand, turned in zip(operands, (p.transposeA, p.transposeB), strict=False):
        if turned:
            rank = len(op.shape(operand))
            operand = op.node("Transpose", operand, perm=[*range(rank - 2), rank - 1, rank - 2])
        names.append(operand)
    if len(operands) == 2:
        result: str = op.node("MatMul", *names)
        return result
    first, second = int(p.weightMatrixFirstDimension), int(p.weightMatrixSecondDimension)
    # The file holds the matrix column by column.
    weight = op.weight("weights", (second, first))
    bias = op.weight("bias", (second,)) if p.hasBias else None
    return product_with_weight(op, names[0], weight, bias, rank=len(op.shape(names[0])))


@LAYERS.lowering("layerNormalization")
def layer_normalization(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    shape = tuple(int(size) for size in p.normalizedShape)
    gamma, beta = op.weight("gamma", shape), op.weight("beta", shape)
    epsilon = p.eps or 1e-5
    result: str = op.node("LayerNormalization", x, gamma, beta, axis=-len(shape), epsilon=epsilon)
    return result


@LAYERS.lowering("mvn")
def mvn(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    axes = op.ints(*((-3, -2, -1) if p.acrossChannels else (-2, -1)))
    centred: str = op.node("Sub", x, op.node("ReduceMean", x, axes, keepdims=1))
    if not p.normalizeVariance:
        return centred
    variance = op.node("ReduceMean", op.node("Mul", centred, centred), axes, keepdims=1)
    spread = op.node("Sqrt", op.node("Add", variance, op.scalar(p.epsilon or 1e-5)))
    result: str = op.node("Div", centred, spread)
    return result


@LAYERS.lowering("softmax", "softmaxND")
def softmax(op: Source) -> str:
    (x,) = op.operands("input")
    axis = -3 if op.kind == "softmax" else int(op.params.axis)
    result: str = op.node("Softmax", x, axis=axis)
    return result


def _over_channels(op: Source, name: str, shape: Any) -> str:
    sizes = tuple(int(size) for size in shape)
    # One size counts channels; three are channels, height, width.
    return op.weight(name, sizes if len(sizes) == 3 else (*sizes, 1, 1))


def _pair(values: Any, default: int) -> tuple[int, ...]:
    return tuple(int(value) for value in values) or (default, default)


def _padding(params: Any, which: str) -> Padding:
    kind = params.WhichOneof(which)
    if kind == "same":
        heavy_after = params.same.asymmetryMode == _BOTTOM_RIGHT_HEAVY
        return "same" if heavy_after else "same_lower"
    if kind == "includeLastPixel":
        pads = [(int(amount),) * 2 for amount in params.includeLastPixel.paddingAmounts]
    else:
        borders = params.valid.paddingAmounts.borderAmounts
        pads = [(int(border.startEdgeSize), int(border.endEdgeSize)) for border in borders]
    return pads or [(0, 0), (0, 0)]
