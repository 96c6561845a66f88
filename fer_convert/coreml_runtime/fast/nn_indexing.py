"""NeuralNetwork: values gathered, scattered and chosen."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of
from fer_convert.coreml_runtime.fast.moving import scatter_elements, scatter_vectors
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_size

# By ScatterMode.
SCATTER_MODES = ("update", "add", "sub", "mul", "div", "max", "min")


@LAYERS.lowering("gather")
def gather(op: Source) -> str:
    x, indices = op.operands("input")
    axis = int(op.params.axis)
    result: str = op.node("Gather", x, op.cast(indices, np.int64), axis=axis)
    return result


@LAYERS.lowering("gatherAlongAxis")
def gather_along_axis(op: Source) -> str:
    x, indices = op.operands("input")
    axis = int(op.params.axis)
    _alike(op, x, indices, axis)
    result: str = op.node("GatherElements", x, op.cast(indices, np.int64), axis=axis)
    return result


@LAYERS.lowering("whereBroadcastable")
def where(op: Source) -> str:
    condition, x, y = op.operands("input")
    result: str = op.node("Where", op.cast(condition, np.bool_), x, y)
    return result


@LAYERS.lowering("gatherND")
def gather_nd(op: Source) -> str:
    x, indices = op.operands("input")
    result: str = op.node("GatherND", x, op.cast(indices, np.int64))
    return result


@LAYERS.lowering("scatter")
def scatter(op: Source) -> str:
    data, indices, updates = op.operands("input")
    rank, axis = len(op.shape(data)), axis_of(op, data, int(op.params.axis))
    several = len(op.shape(indices))
    if several != 1:
        others = [size for i, size in enumerate(op.shape(data)) if i != axis]
        if None in others:
            raise Unlowered("indices that are no vector into an unknown shape")
        sizes = [size or 0 for size in others]
        updates = op.node("Reshape", updates, op.ints(*sizes[:axis], -1, *sizes[axis:]))
    vectors = op.node("Reshape", op.cast(indices, np.int64), op.ints(-1, 1))
    front = [axis, *(i for i in range(rank) if i != axis)]
    moved = [op.node("Transpose", value, perm=front) for value in (data, updates)]
    changed = scatter_vectors(op, moved[0], vectors, moved[1], SCATTER_MODES[op.params.mode])
    result: str = op.node("Transpose", changed, perm=[front.index(i) for i in range(rank)])
    return result


@LAYERS.lowering("scatterND")
def scatter_nd(op: Source) -> str:
    data, indices, updates = op.operands("input")
    mode = SCATTER_MODES[op.params.mode]
    return scatter_vectors(op, data, op.cast(indices, np.int64), updates, mode)


@LAYERS.lowering("scatterAlongAxis")
def scatter_along_axis(op: Source) -> str:
    data, indices, updates = op.operands("input")
    mode, axis = SCATTER_MODES[op.params.mode], int(op.params.axis)
    _alike(op, data, indices, axis)
    return scatter_elements(op, data, op.cast(indices, np.int64), updates, mode, axis)


@LAYERS.lowering("whereNonZero")
def where_non_zero(op: Source) -> str:
    (x,) = op.operands("input")
    found = op.node("NonZero", x)
    return op.cast(op.node("Transpose", found, perm=[1, 0]), np.float32)


@LAYERS.lowering("oneHot")
def one_hot(op: Source) -> str:
    indices, *given = op.operands("input")
    p, size = op.params, int(op.params.oneHotVectorSize)
    if given:
        raise Unlowered("a computed size")
    rank = len(op.shape(indices)) + 1
    axis = axis_of(op, indices, int(p.axis), more=1)
    check_size((size, *(n or 1 for n in op.shape(indices))))
    choices = np.arange(size).reshape(-1, *(1,) * (rank - 1 - axis))
    wide = op.node("Unsqueeze", op.cast(indices, np.int64), op.ints(axis))
    hot = op.node("Equal", wide, op.builder.array(choices.astype(np.int64)))
    result: str = op.node("Where", hot, op.scalar(p.onValue), op.scalar(p.offValue))
    return result


@LAYERS.lowering("matrixBandPart", "lowerTriangular", "upperTriangular")
def triangles(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    lower = -int(p.numLower) if op.kind == "matrixBandPart" else int(p.k)
    upper = int(p.numUpper) if op.kind == "matrixBandPart" else int(p.k)
    bands = op.kind == "matrixBandPart"
    if op.kind == "upperTriangular" or (bands and p.numLower >= 0):
        x = op.node("Trilu", x, op.scalar(lower, np.int64), upper=1)
    if op.kind == "lowerTriangular" or (bands and p.numUpper >= 0):
        x = op.node("Trilu", x, op.scalar(upper, np.int64), upper=0)
    return x


def _alike(op: Source, x: str, indices: str, axis: int) -> None:
    """ONNX reads part of ``x`` where the other axes differ; Core ML does not."""
    rests = []
    for name in (x, indices):
        sizes = list(op.shape(name))
        del sizes[axis_of(op, name, axis)]
        rests.append(sizes)
    if rests[0] != rests[1]:
        raise Unlowered(f"indices that differ from their array along other axes than {axis}")
