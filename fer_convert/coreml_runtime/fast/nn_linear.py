"""NeuralNetwork: products, tables, scale and bias, preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.mil.linear import product_with_weight
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source


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


@LAYERS.lowering("meanImage")
def mean_image(op: Source) -> str:
    (x,) = op.operands("input")
    mean = np.array(op.params[0].meanImage, np.float32).reshape(last_sizes(op, x, 3))
    result: str = op.node("Sub", x, op.builder.array(mean))
    return result


@LAYERS.lowering("innerProduct")
def inner_product(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    rank = len(op.shape(x))
    if rank < 4:
        return _product(op, x, int(p.outputChannels), int(p.inputChannels), rank)
    kept = [0] * (rank - 3)  # 0 keeps a dimension
    rows = op.node("Reshape", x, op.ints(*kept, -1))
    y = _product(op, rows, int(p.outputChannels), int(p.inputChannels), rank - 2)
    result: str = op.node("Unsqueeze", y, op.ints(-2, -1))
    return result


@LAYERS.lowering("batchedMatmul")
def batched_matmul(op: Source) -> str:
    p = op.params
    operands = op.operands("input")
    if len(operands) == 1:
        rows, columns = int(p.weightMatrixFirstDimension), int(p.weightMatrixSecondDimension)
        # The file holds the matrix column by column.
        return _product(op, operands[0], columns, rows, len(op.shape(operands[0])))
    names = []
    for operand, turned, axis in zip(operands, (p.transposeA, p.transposeB), (0, 1), strict=True):
        rank = len(op.shape(operand))
        if rank == 1:
            operand, rank = op.node("Unsqueeze", operand, op.ints(axis)), 2
        if turned:
            operand = op.node("Transpose", operand, perm=[*range(rank - 2), rank - 1, rank - 2])
        names.append(operand)
    result: str = op.node("MatMul", *names)
    return result


@LAYERS.lowering("dot")
def dot(op: Source) -> str:
    values = op.operands("input")
    if op.params.cosineSimilarity:
        lengths = [op.node("ReduceL2", x, op.ints(-3), keepdims=1) for x in values]
        least = op.scalar(1e-12)
        values = [
            op.node("Div", x, op.node("Max", length, least))
            for x, length in zip(values, lengths, strict=True)
        ]
    result: str = op.node("ReduceSum", op.node("Mul", *values), op.ints(-3), keepdims=1)
    return result


@LAYERS.lowering("embedding")
def embedding(op: Source) -> str:
    (x,) = op.operands("input")
    index = op.node("Squeeze", x, op.ints(-3, -2, -1))
    rows = _table(op, index, int(op.params.outputChannels), int(op.params.inputDim))
    result: str = op.node("Unsqueeze", rows, op.ints(-2, -1))
    return result


@LAYERS.lowering("embeddingND")
def embedding_nd(op: Source) -> str:
    (x,) = op.operands("input")
    index = op.node("Squeeze", x, op.ints(-1))
    return _table(op, index, int(op.params.embeddingSize), int(op.params.vocabSize))


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


def _product(op: Source, x: str, outputs: int, inputs: int, rank: int) -> str:
    weight = op.weight("weights", (outputs, inputs))
    bias = op.weight("bias", (outputs,)) if op.params.hasBias else None
    if op.params.int8DynamicQuantize:
        greatest = op.node("ReduceMax", op.node("Abs", x), keepdims=0)
        step = op.node("Div", greatest, op.scalar(127.0))
        rounded = op.node("Mul", op.node("Round", op.node("Div", x, step)), step)
        x = op.node("Where", op.node("Equal", step, op.scalar(0.0)), x, rounded)
    return product_with_weight(op, x, weight, bias, rank=rank)


def _table(op: Source, index: str, width: int, rows: int) -> str:
    table = op.node("Transpose", op.weight("weights", (width, rows)), perm=[1, 0])
    found: str = op.node("Gather", table, op.cast(index, np.int64), axis=0)
    return str(op.node("Add", found, op.weight("bias", (width,)))) if op.params.hasBias else found


def _over_channels(op: Source, name: str, shape: Any) -> str:
    sizes = tuple(int(size) for size in shape)
    # One size counts channels; three are channels, height, width.
    return op.weight(name, sizes if len(sizes) == 3 else (*sizes, 1, 1))
