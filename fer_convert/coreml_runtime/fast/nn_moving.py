"""NeuralNetwork: values moved, chosen, repeated."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source
from fer_convert.coreml_runtime.fast.moving import broadcast_fill, flip, interleave, join, strided
from fer_convert.coreml_runtime.fast.tables import LAYERS

_CHANNEL_FIRST = 0


@LAYERS.lowering("concat", "concatND")
def concat(op: Source) -> str:
    p = op.params
    if op.kind == "concat" and p.sequenceConcat:
        raise Unlowered("sequenceConcat")
    if op.kind == "concatND" and p.interleave:
        return interleave(op, op.operands("input"), int(p.axis))
    axis = -3 if op.kind == "concat" else int(p.axis)
    result: str = op.node("Concat", *op.operands("input"), axis=axis)
    return result


@LAYERS.lowering("stack")
def stack(op: Source) -> str:
    return join(op, op.operands("input"), int(op.params.axis))


@LAYERS.lowering("split", "splitND")
def split(op: Source) -> tuple[str, ...]:
    (x,) = op.operands("input")
    p, count = op.params, len(op.operation.outputs)
    axis = -3 if op.kind == "split" else int(p.axis)
    if op.kind == "splitND" and p.splitSizes:
        parts = op.node("Split", x, op.ints(*map(int, p.splitSizes)), count=count, axis=axis)
    else:
        size = op.shape(x)[axis]
        if (
            size is None
            or size % count
            or (p.nOutputs if op.kind == "split" else p.numSplits) != count
        ):
            raise Unlowered("parts that may not be equal")
        parts = op.node("Split", x, count=count, axis=axis, num_outputs=count)
    return parts if isinstance(parts, tuple) else (parts,)


@LAYERS.lowering("reshapeStatic", "rankPreservingReshape")
def reshape_static(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Reshape", x, op.ints(*map(int, op.params.targetShape)))
    return result


@LAYERS.lowering("reshapeDynamic")
def reshape_dynamic(op: Source) -> str:
    x, shape = op.operands("input")
    result: str = op.node("Reshape", x, op.cast(shape, np.int64))
    return result


@LAYERS.lowering("reshapeLike")
def reshape_like(op: Source) -> str:
    x, like = op.operands("input")
    result: str = op.node("Reshape", x, op.node("Shape", like))
    return result


@LAYERS.lowering("flatten")
def flatten(op: Source) -> str:
    (x,) = op.operands("input")
    if op.params.mode != _CHANNEL_FIRST:
        raise Unlowered("CHANNEL_LAST")
    leading = len(op.shape(x)) - 3
    result: str = op.node("Reshape", x, op.ints(*[0] * leading, -1, 1, 1))
    return result


@LAYERS.lowering("flattenTo2D")
def flatten_to_2d(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Flatten", x, axis=int(op.params.axis))
    return result


@LAYERS.lowering("transpose")
def transpose(op: Source) -> str:
    (x,) = op.operands("input")
    order = [int(axis) for axis in op.params.axes]
    result: str = op.node("Transpose", x, perm=order)
    return result


@LAYERS.lowering("squeeze")
def squeeze(op: Source) -> str:
    (x,) = op.operands("input")
    shape = op.shape(x)
    if op.params.squeezeAll:
        if None in shape:
            raise Unlowered("an unknown size to remove")
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    else:
        axes = [int(axis) % len(shape) for axis in op.params.axes]
    # An array keeps at least one axis.
    axes = axes[1:] if len(axes) == len(shape) else axes
    return op.node("Squeeze", x, op.ints(*axes)) if axes else x


@LAYERS.lowering("expandDims")
def expand_dims(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Unsqueeze", x, op.ints(*map(int, op.params.axes)))
    return result


@LAYERS.lowering("sliceStatic")
def slice_static(op: Source) -> str:
    (x,) = op.operands("input")
    p, rank = op.params, len(op.shape(x))
    masks = [
        [*map(bool, mask), *[False] * (rank - len(mask))]
        for mask in (p.beginMasks, p.endMasks, p.squeezeMasks)
    ]
    begin, end = list(map(int, p.beginIds)), list(map(int, p.endIds))
    strides = [*map(int, p.strides), *[1] * (rank - len(p.strides))]
    if not len(begin) == len(end) == rank:
        raise Unlowered("as many ids as axes")
    if all(masks[2]):
        raise Unlowered("every axis removed")
    return strided(op, x, begin, end, strides, *masks)


@LAYERS.lowering("slice")
def slice_axis(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    if p.endIndex < 0:
        raise Unlowered("a negative endIndex")
    begin, end, axis = (
        op.ints(int(p.startIndex)),
        op.ints(int(p.endIndex)),
        op.ints(int(p.axis) - 3),
    )
    result: str = op.node("Slice", x, begin, end, axis, op.ints(int(p.stride) or 1))
    return result


@LAYERS.lowering("tile")
def tile(op: Source) -> str:
    x, *reps = op.operands("input")
    counts = op.cast(reps[0], np.int64) if reps else op.ints(*map(int, op.params.reps))
    result: str = op.node("Tile", x, counts)
    return result


@LAYERS.lowering("reverse")
def reverse(op: Source) -> str:
    (x,) = op.operands("input")
    return flip(op, x, [axis for axis, turned in enumerate(op.params.reverseDim) if turned])


@LAYERS.lowering("broadcastToStatic")
def broadcast_to_static(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Expand", x, op.ints(*map(int, op.params.targetShape)))
    return result


@LAYERS.lowering("broadcastToLike", "broadcastToDynamic")
def broadcast_to(op: Source) -> str:
    x, other = op.operands("input")
    like = op.kind == "broadcastToLike"
    shape = op.node("Shape", other) if like else op.cast(other, np.int64)
    result: str = op.node("Expand", x, shape)
    return result


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
    result: str = op.node("GatherElements", x, op.cast(indices, np.int64), axis=axis)
    return result


@LAYERS.lowering("whereBroadcastable")
def where(op: Source) -> str:
    condition, x, y = op.operands("input")
    result: str = op.node("Where", op.cast(condition, np.bool_), x, y)
    return result


@LAYERS.lowering("loadConstant", "loadConstantND")
def load_constant(op: Source) -> str:
    return op.weight("data", tuple(int(size) for size in op.params.shape))


@LAYERS.lowering("getShape")
def get_shape(op: Source) -> str:
    (x,) = op.operands("input")
    return op.cast(op.node("Shape", x), np.float32)


@LAYERS.lowering("fillStatic")
def fill_static(op: Source) -> str:
    shape = op.ints(*map(int, op.params.targetShape))
    return broadcast_fill(op, op.scalar(op.params.value), shape)


@LAYERS.lowering("fillLike")
def fill_like(op: Source) -> str:
    (x,) = op.operands("input")
    return broadcast_fill(op, op.scalar(op.params.value), op.node("Shape", x))


@LAYERS.lowering("constantPad")
def constant_pad(op: Source) -> str:
    x, *given = op.operands("input")
    p = op.params
    if given or p.padToGivenOutputSizeMode:
        raise Unlowered("computed amounts")
    amounts = [int(amount) for amount in p.padAmounts]
    pads = op.ints(*amounts[::2], *amounts[1::2])
    result: str = op.node("Pad", x, pads, op.scalar(p.value))
    return result
