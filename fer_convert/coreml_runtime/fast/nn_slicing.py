"""NeuralNetwork: parts of an array."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of, last_sizes
from fer_convert.coreml_runtime.fast.moving import flip, strided
from fer_convert.coreml_runtime.fast.nn_batches import vector
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_positions

_LAST, _BEFORE_FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


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


@LAYERS.lowering("sliceDynamic")
def slice_dynamic(op: Source) -> str:
    x, *given = op.operands("input")
    p, rank = op.params, len(op.shape(x))
    if len(given) > 2:
        raise Unlowered("computed strides")
    strides = [*map(int, p.strides), *[1] * (rank - len(p.strides))]
    masks = [
        [*map(bool, mask), *[False] * (rank - len(mask))]
        for mask in (p.beginMasks, p.endMasks, p.squeezeMasks)
    ]
    begins = vector(op, given[0])
    ends = vector(op, given[1]) if len(given) > 1 else op.ints(*map(int, p.endIds))
    forward = np.array(strides) > 0
    limits = np.where(forward, 0, _LAST), np.where(forward, _LAST, _BEFORE_FIRST)
    starts = op.node("Where", op.builder.array(np.array(masks[0])), op.ints(*limits[0]), begins)
    stops = op.node("Where", op.builder.array(np.array(masks[1])), op.ints(*limits[1]), ends)
    dropped = [axis for axis, squeezed in enumerate(masks[2]) if squeezed]
    if len(dropped) == rank:
        raise Unlowered("every axis removed")
    for axis in dropped:
        # An element that is not there is an error; a slice would be empty.
        place = op.node("Slice", begins, op.ints(axis), op.ints(axis + 1))
        x = op.node("Gather", x, place, axis=axis)
    rest = [axis for axis in range(rank) if axis not in dropped]
    kept = op.ints(*rest)
    bounds = [op.node("Gather", bound, kept, axis=0) for bound in (starts, stops)]
    x = op.node("Slice", x, *bounds, kept, op.ints(*(strides[axis] for axis in rest)))
    return str(op.node("Squeeze", x, op.ints(*dropped))) if dropped else x


@LAYERS.lowering("sliceBySize")
def slice_by_size(op: Source) -> str:
    x, begin = op.operands("input")
    axis, count = axis_of(op, x, int(op.params.axis)), int(op.params.size)
    if count < 0:
        raise Unlowered("a negative size")
    check_positions(count)
    start = op.node("Reshape", vector(op, begin), op.ints(1))
    size = op.node("Shape", x, start=axis, end=axis + 1)
    negative = op.node("Less", start, op.ints(0))
    start = op.node("Where", negative, op.node("Add", start, size), start)
    # Gather says so where the input ends too early; Slice would be shorter.
    places = op.node("Add", start, op.ints(*range(count)))
    result: str = op.node("Gather", x, places, axis=axis)
    return result


@LAYERS.lowering("slidingWindows")
def sliding_windows(op: Source) -> str:
    (x,) = op.operands("input")
    p, axis = op.params, axis_of(op, x, int(op.params.axis))
    (length,) = last_sizes(op, x, len(op.shape(x)) - axis)[:1]
    size, step = int(p.windowSize), int(p.step)
    count = (length - size) // step + 1
    if count < 1:
        raise Unlowered("a window longer than its input")
    check_positions(count, size)
    places = np.arange(count)[:, None] * step + np.arange(size)
    result: str = op.node("Gather", x, op.builder.array(places.astype(np.int64)), axis=axis)
    return result


@LAYERS.lowering("reverseSeq")
def reverse_sequences(op: Source) -> str:
    x, lengths = op.operands("input")
    rank = len(op.shape(x))
    batch = axis_of(op, x, int(op.params.batchAxis))
    sequence = axis_of(op, x, int(op.params.sequenceAxis))
    order = [batch, sequence, *(axis for axis in range(rank) if axis not in {batch, sequence})]
    front = op.node("Transpose", x, perm=order)
    counts = vector(op, lengths)
    turned = op.node("ReverseSequence", front, counts, batch_axis=0, time_axis=1)
    result: str = op.node("Transpose", turned, perm=[order.index(axis) for axis in range(rank)])
    return result


@LAYERS.lowering("slice")
def slice_axis(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    starts, ends, steps = (
        op.ints(int(p.startIndex)),
        op.ints(int(p.endIndex)),
        op.ints(int(p.stride)),
    )
    result: str = op.node("Slice", x, starts, ends, op.ints(int(p.axis) - 3), steps)
    return result


@LAYERS.lowering("reverse")
def reverse(op: Source) -> str:
    (x,) = op.operands("input")
    return flip(op, x, [axis for axis, turned in enumerate(op.params.reverseDim) if turned])
