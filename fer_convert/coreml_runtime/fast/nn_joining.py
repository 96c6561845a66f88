"""NeuralNetwork: arrays made of others, whole, or of nothing."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import checked_shape
from fer_convert.coreml_runtime.fast.moving import broadcast_fill, interleave, join
from fer_convert.coreml_runtime.fast.nn_batches import checked_ints, single, vector
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS, check_size


@LAYERS.lowering("concat", "concatND")
def concat(op: Source) -> str:
    p = op.params
    if op.kind == "concatND" and p.interleave:
        return interleave(op, op.operands("input"), int(p.axis))
    axis = int(p.axis) if op.kind == "concatND" else -5 if p.sequenceConcat else -3
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


@LAYERS.lowering("tile")
def tile(op: Source) -> str:
    x, *reps = op.operands("input")
    counts, rank = [int(count) for count in op.params.reps], len(op.shape(x))
    if reps:
        raise Unlowered("computed counts")
    if not 1 <= len(counts) <= rank:
        raise Unlowered("more counts than axes")
    return _tiled(op, x, [1] * (rank - len(counts)) + counts)


@LAYERS.lowering("sequenceRepeat")
def sequence_repeat(op: Source) -> str:
    (x,) = op.operands("input")
    rank = len(op.shape(x))
    if rank < 5:
        raise Unlowered("an input without a sequence")
    return _tiled(op, x, [1] * (rank - 5) + [int(op.params.nRepetitions) or 1] + [1] * 4)


@LAYERS.lowering("broadcastToStatic")
def broadcast_to_static(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Expand", x, checked_ints(op, *map(int, op.params.targetShape)))
    return result


@LAYERS.lowering("broadcastToLike", "broadcastToDynamic")
def broadcast_to(op: Source) -> str:
    x, other = op.operands("input")
    like = op.kind == "broadcastToLike"
    shape = op.node("Shape", other) if like else checked_shape(op, vector(op, other))
    result: str = op.node("Expand", x, shape)
    return result


@LAYERS.lowering("loadConstant", "loadConstantND")
def load_constant(op: Source) -> str:
    shape = tuple(int(size) for size in op.params.shape)
    return op.weight("data", (1, 1, *shape) if op.kind == "loadConstant" else shape)


@LAYERS.lowering("getShape")
def get_shape(op: Source) -> str:
    (x,) = op.operands("input")
    return op.cast(op.node("Shape", x), np.float32)


@LAYERS.lowering("fillStatic")
def fill_static(op: Source) -> str:
    shape = checked_ints(op, *map(int, op.params.targetShape))
    return broadcast_fill(op, op.scalar(op.params.value), shape)


@LAYERS.lowering("fillLike")
def fill_like(op: Source) -> str:
    (x,) = op.operands("input")
    return broadcast_fill(op, op.scalar(op.params.value), op.node("Shape", x))


@LAYERS.lowering("fillDynamic")
def fill_dynamic(op: Source) -> str:
    (shape,) = op.operands("input")
    safe = checked_shape(op, vector(op, shape))
    return broadcast_fill(op, op.scalar(op.params.value), safe)


@LAYERS.lowering("rangeStatic", "rangeDynamic")
def range_of(op: Source) -> str:
    p = op.params
    given = [single(op, value, np.float64) for value in op.operands("input")]
    stored = [p.endValue if op.kind == "rangeStatic" else 0.0, p.startValue, p.stepSizeValue]
    given += [op.scalar(value, np.float64) for value in stored[len(given) :]]
    end, start, step = given
    count = op.node("Abs", op.node("Div", op.node("Sub", end, start), step))
    few = op.node("LessOrEqual", count, op.scalar(MOST_ELEMENTS, np.float64))
    # A step of 0 is an error, as too long a range should be.
    possible = op.node("Where", few, step, op.scalar(0.0, np.float64))
    return op.cast(op.node("Range", start, end, possible), np.float32)


def _tiled(op: Source, x: str, counts: list[int]) -> str:
    check_size([(size or 1) * count for size, count in zip(op.shape(x), counts, strict=True)])
    result: str = op.node("Tile", x, op.ints(*counts))
    return result
