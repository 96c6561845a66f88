"""Moving values without changing them: shapes, joins, splits, slices, repeats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.selecting import integers_of, strided_slice, take

_CHANNEL_LAST = 1


@LAYERS.operation("concat")
def concat(op: View) -> Call:
    """Inputs ``[..., C_i, H, W]`` joined along the channels (axis -3).

    Field ``sequenceConcat`` (along the sequence axis of the five-dimensional mapping) is not
    supported.
    """
    if op.params.sequenceConcat:
        raise op.unsupported("sequenceConcat")
    return op.call(lambda *values: torch.cat(values, -3), "input", exact=True)


@LAYERS.operation("concatND")
def concat_nd(op: View) -> Call:
    """Inputs joined along ``axis``; ``interleave`` alternates their slices instead."""
    axis = int(op.params.axis)
    if not op.params.interleave:
        return op.call(lambda *values: torch.cat(values, axis), "input", exact=True)

    def kernel(*values: Tensor) -> Tensor:
        stacked = torch.stack(values, axis % values[0].dim() + 1)
        return stacked.flatten(axis % values[0].dim(), axis % values[0].dim() + 1)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("stack")
def stack(op: View) -> Call:
    """Inputs joined along a new ``axis``."""
    axis = int(op.params.axis)
    return op.call(lambda *values: torch.stack(values, axis), "input", exact=True)


@LAYERS.operation("split")
def split(op: View) -> Call:
    """``[..., C, H, W]`` in ``nOutputs`` equal parts of the channels."""
    parts = int(op.params.nOutputs)
    return op.call(lambda x: _equal_parts(op, x, parts, -3), "input", exact=True)


@LAYERS.operation("splitND")
def split_nd(op: View) -> Call:
    """``x`` in ``numSplits`` equal parts along ``axis``, or in parts of ``splitSizes``."""
    axis, parts = int(op.params.axis), int(op.params.numSplits)
    sizes = [int(size) for size in op.params.splitSizes]
    if sizes:
        return op.call(lambda x: tuple(x.split(sizes, axis)), "input", exact=True)
    return op.call(lambda x: _equal_parts(op, x, parts, axis), "input", exact=True)


@LAYERS.operation("reshapeStatic")
def reshape_static(op: View) -> Call:
    """The input in ``targetShape``, one -1 of which is inferred."""
    shape = tuple(op.params.targetShape)
    return op.call(lambda x: x.reshape(shape), "input", exact=True)


@LAYERS.operation("reshapeDynamic")
def reshape_dynamic(op: View) -> Call:
    """The first input in the shape that the second holds; -1 is inferred, 0 keeps a size."""
    return op.call(lambda x, shape: _keeping_reshape(x, integers_of(shape)), "input", exact=True)


@LAYERS.operation("reshapeLike")
def reshape_like(op: View) -> Call:
    """The first input in the shape of the second."""
    return op.call(lambda x, other: x.reshape(other.shape), "input", exact=True)


@LAYERS.operation("rankPreservingReshape")
def rank_preserving_reshape(op: View) -> Call:
    """The input in ``targetShape`` of its own rank; -1 is inferred, 0 keeps a size."""
    shape = tuple(op.params.targetShape)
    return op.call(lambda x: _keeping_reshape(x, shape), "input", exact=True)


@LAYERS.operation("reshape")
def reshape(op: View) -> Call:
    """``[..., C, H, W]`` in ``targetShape`` (C, H, W); CHANNEL_LAST reads and writes the values in
    the order H, W, C.

    A target of four sizes, which changes the sequence as well, is not supported.
    """
    shape = tuple(int(size) for size in op.params.targetShape)
    if len(shape) != 3:
        raise op.unsupported(f"a target shape of {len(shape)} sizes")
    if op.params.mode != _CHANNEL_LAST:
        return op.call(lambda x: x.reshape(*x.shape[:-3], *shape), "input", exact=True)
    channels, height, width = shape

    def kernel(x: Tensor) -> Tensor:
        last = x.movedim(-3, -1)
        return last.reshape(*x.shape[:-3], height, width, channels).movedim(-1, -3)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("flatten")
def flatten(op: View) -> Call:
    """``[..., C, H, W]`` as ``[..., C * H * W, 1, 1]``; CHANNEL_LAST in the order H, W, C."""
    last = op.params.mode == _CHANNEL_LAST

    def kernel(x: Tensor) -> Tensor:
        return (x.movedim(-3, -1) if last else x).reshape(*x.shape[:-3], -1, 1, 1)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("flattenTo2D")
def flatten_to_2d(op: View) -> Call:
    """All axes before ``axis`` as the first, all from it on as the second."""

    def kernel(x: Tensor) -> Tensor:
        axis = int(op.params.axis)
        rows = 1
        for size in x.shape[: axis + x.dim() if axis < 0 else axis]:
            rows *= size
        return x.reshape(rows, -1)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("permute")
def permute(op: View) -> Call:
    """The axes (sequence, channel, height, width) in the order ``axis``; a fifth, the batch, stays
    second."""
    axes = tuple(int(axis) for axis in op.params.axis)
    if sorted(axes) != [0, 1, 2, 3]:
        raise op.refuse(f"an order {list(axes)} of four axes")

    def kernel(x: Tensor) -> Tensor:
        if x.dim() == 4:
            return x.permute(axes)
        full = [axis if axis == 0 else axis + 1 for axis in axes]
        return x.permute(full[0], 1, *full[1:])

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("transpose")
def transpose(op: View) -> Call:
    """The axes in the order ``axes``."""
    axes = tuple(int(axis) for axis in op.params.axes)
    return op.call(lambda x: x.permute(axes), "input", exact=True)


@LAYERS.operation("squeeze")
def squeeze(op: View) -> Call:
    """``axes`` of size 1 removed; ``squeezeAll`` removes every one. At least one axis stays."""
    axes, everything = tuple(int(a) for a in op.params.axes), bool(op.params.squeezeAll)

    def kernel(x: Tensor) -> Tensor:
        if not everything and any(x.shape[axis] != 1 for axis in axes):
            raise ValueError(f"axes {list(axes)} of {list(x.shape)} are not all 1")
        result = x.squeeze() if everything else x.squeeze(axes)
        return _ranked(result)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("expandDims")
def expand_dims(op: View) -> Call:
    """New axes of size 1 at ``axes`` of the result."""
    axes = [int(axis) for axis in op.params.axes]

    def kernel(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("sliceStatic")
def slice_static(op: View) -> Call:
    """``x[begin:end:stride]`` per axis; a mask takes the whole side, a squeeze mask drops the axis.

    Fields: beginIds, endIds, strides, beginMasks, endMasks, squeezeMasks.
    """
    p = op.params
    begin, end, strides = tuple(p.beginIds), tuple(p.endIds), tuple(p.strides)
    masks = tuple(p.beginMasks), tuple(p.endMasks), tuple(p.squeezeMasks)
    return op.call(
        lambda x: _ranked(strided_slice(x, begin, end, strides, *masks)), "input", exact=True
    )


@LAYERS.operation("sliceDynamic")
def slice_dynamic(op: View) -> Call:
    """As sliceStatic, with begin as the second input and, optionally, end, strides and the three
    masks as further ones; what is not an input is a field."""
    p = op.params
    fields = (p.endIds, p.strides, p.beginMasks, p.endMasks, p.squeezeMasks)

    def kernel(x: Tensor, begin: Tensor, *given: Tensor) -> Tensor:
        inputs: list[Sequence[int]] = [integers_of(values) for values in given]
        inputs += [tuple(field) for field in fields[len(inputs) :]]
        end, strides, *masks = inputs
        return _ranked(strided_slice(x, integers_of(begin), end, strides, *masks))

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("slice")
def slice_axis(op: View) -> Call:
    """``x[startIndex:endIndex:stride]`` of the channels, height or width (field ``axis``).

    A negative endIndex is not supported.
    """
    p = op.params
    axis, start, end, step = int(p.axis) - 3, int(p.startIndex), int(p.endIndex), int(p.stride) or 1
    if end < 0:
        raise op.unsupported("a negative endIndex")
    return op.call(
        lambda x: take(x, axis, range(*slice(start, end, step).indices(x.shape[axis]))),
        "input",
        exact=True,
    )


@LAYERS.operation("sliceBySize")
def slice_by_size(op: View) -> Call:
    """``size`` elements of ``axis`` from the index that the second input holds."""
    size, axis = int(op.params.size), int(op.params.axis)

    def kernel(x: Tensor, begin: Tensor) -> Tensor:
        (start,) = integers_of(begin)
        return x.narrow(axis, start % x.shape[axis] if start < 0 else start, size)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("tile")
def tile(op: View) -> Call:
    """``x`` repeated ``reps`` times along each axis; the counts may be a second input."""
    fixed = tuple(int(count) for count in op.params.reps)

    def kernel(x: Tensor, reps: Tensor | None = None) -> Tensor:
        counts = fixed if reps is None else integers_of(reps)
        check_size((x.numel(), *counts))
        return x.tile(counts)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("sequenceRepeat")
def sequence_repeat(op: View) -> Call:
    """``x`` repeated ``nRepetitions`` times along its first axis, the sequence."""
    count = int(op.params.nRepetitions)

    def kernel(x: Tensor) -> Tensor:
        check_size((x.numel(), count))
        return x.repeat(count, *[1] * (x.dim() - 1))

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("broadcastToStatic")
def broadcast_to_static(op: View) -> Call:
    """``x`` broadcast to ``targetShape``, together with its own shape."""
    shape = tuple(int(size) for size in op.params.targetShape)
    return op.call(lambda x: _broadcast(x, shape), "input", exact=True)


@LAYERS.operation("broadcastToLike")
def broadcast_to_like(op: View) -> Call:
    """The first input broadcast to the shape of the second."""
    return op.call(lambda x, other: _broadcast(x, other.shape), "input", exact=True)


@LAYERS.operation("broadcastToDynamic")
def broadcast_to_dynamic(op: View) -> Call:
    """The first input broadcast to the shape that the second holds."""
    return op.call(lambda x, shape: _broadcast(x, integers_of(shape)), "input", exact=True)


@LAYERS.operation("reverse")
def reverse(op: View) -> Call:
    """``x`` turned round along every axis whose ``reverseDim`` is true."""
    axes = [axis for axis, turned in enumerate(op.params.reverseDim) if turned]
    return op.call(lambda x: x.flip(axes), "input", exact=True)


@LAYERS.operation("reverseSeq")
def reverse_sequences(op: View) -> Call:
    """The first n elements of each sequence turned round, n from the second input.

    Fields: batchAxis, sequenceAxis.
    """
    batch, sequence = int(op.params.batchAxis), int(op.params.sequenceAxis)

    def kernel(x: Tensor, lengths: Tensor) -> Tensor:
        order = torch.arange(x.shape[sequence]).expand(x.shape[batch], -1)
        counts = torch.tensor(integers_of(lengths)).reshape(-1, 1)
        turned = torch.where(order < counts, counts - 1 - order, order)
        shape = [1] * x.dim()
        shape[batch], shape[sequence] = turned.shape
        if batch % x.dim() > sequence % x.dim():
            turned = turned.T
        return x.take_along_dim(turned.reshape(shape), sequence)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("slidingWindows")
def sliding_windows(op: View) -> Call:
    """Windows of ``windowSize`` every ``step`` along ``axis``:
    ``[..., windows, windowSize, ...]``."""
    axis, size, step = int(op.params.axis), int(op.params.windowSize), int(op.params.step)

    def kernel(x: Tensor) -> Tensor:
        return x.unfold(axis, size, step).movedim(-1, axis % x.dim() + 1)

    return op.call(kernel, "input", exact=True)


def _equal_parts(op: View, x: Tensor, parts: int, axis: int) -> tuple[Tensor, ...]:
    if parts < 1 or x.shape[axis] % parts:
        raise op.refuse(f"{parts} equal parts of {x.shape[axis]}")
    return tuple(x.chunk(parts, axis))


def _keeping_reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])


def _broadcast(x: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.broadcast_to(x, np.broadcast_shapes(tuple(x.shape), tuple(shape)))


def _ranked(x: Tensor) -> Tensor:
    """A NeuralNetwork has no scalars: at least one axis stays."""
    return x if x.dim() else x.reshape(1)
