"""NeuralNetwork: the same values in another shape or order of axes."""

from __future__ import annotations

from fer_convert.coreml_runtime.fast.batches import axis_of
from fer_convert.coreml_runtime.fast.nn_batches import vector
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source

_CHANNEL_LAST = 1


@LAYERS.lowering("reshapeStatic", "rankPreservingReshape")
def reshape_static(op: Source) -> str:
    (x,) = op.operands("input")
    shape = [int(size) for size in op.params.targetShape]
    if op.kind == "reshapeStatic" and 0 in shape:
        raise Unlowered("a size of 0")  # which ONNX would keep, and only the other layer does
    result: str = op.node("Reshape", x, op.ints(*shape))
    return result


@LAYERS.lowering("reshapeDynamic")
def reshape_dynamic(op: Source) -> str:
    x, shape = op.operands("input")
    result: str = op.node("Reshape", x, vector(op, shape))
    return result


@LAYERS.lowering("reshapeLike")
def reshape_like(op: Source) -> str:
    x, like = op.operands("input")
    result: str = op.node("Reshape", x, op.node("Shape", like))
    return result


@LAYERS.lowering("reshape")
def reshape(op: Source) -> str:
    (x,) = op.operands("input")
    shape, rank = [int(size) for size in op.params.targetShape], len(op.shape(x))
    order, image = list(range(rank)), shape[-3:]
    if len(shape) == 4:
        if rank != 5:
            raise Unlowered("a new sequence")
        order[:2] = 1, 0
    if op.params.mode == _CHANNEL_LAST:
        order[-3:] = rank - 2, rank - 1, rank - 3
        image = [*image[1:], image[0]]
    kept = [0] * (1 if len(shape) == 4 else rank - 3)  # 0 keeps a dimension
    values = op.node("Transpose", x, perm=order)
    values = op.node("Reshape", values, op.ints(*kept, *shape[:-3], *image))
    result: str = op.node("Transpose", values, perm=[order.index(axis) for axis in range(rank)])
    return result


@LAYERS.lowering("flatten")
def flatten(op: Source) -> str:
    (x,) = op.operands("input")
    rank = len(op.shape(x))
    if op.params.mode == _CHANNEL_LAST:
        x = op.node("Transpose", x, perm=[*range(rank - 3), rank - 2, rank - 1, rank - 3])
    result: str = op.node("Reshape", x, op.ints(*[0] * (rank - 3), -1, 1, 1))
    return result


@LAYERS.lowering("flattenTo2D")
def flatten_to_2d(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Flatten", x, axis=int(op.params.axis))
    return result


@LAYERS.lowering("permute")
def permute(op: Source) -> str:
    (x,) = op.operands("input")
    if len(op.shape(x)) != 5:
        raise Unlowered("an input that has not five dimensions")
    axes = [int(axis) for axis in op.params.axis] or [0, 1, 2, 3]
    order = [axis + (axis > 0) for axis in axes]
    result: str = op.node("Transpose", x, perm=[order[0], 1, *order[1:]])
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
        axes = [axis_of(op, x, int(axis)) for axis in op.params.axes]
        if len(set(axes)) < len(axes) or any(shape[axis] not in {1, None} for axis in axes):
            raise Unlowered("axes that are not all 1")
    # An array keeps at least one axis.
    axes = axes[1:] if len(axes) == len(shape) else axes
    return op.node("Squeeze", x, op.ints(*axes)) if axes else x


@LAYERS.lowering("expandDims")
def expand_dims(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Unsqueeze", x, op.ints(*map(int, op.params.axes)))
    return result
