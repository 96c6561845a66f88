"""Parts of an array: slices, windows, turned round."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import integers_of, strided_slice, take


@LAYERS.operation("sliceStatic")
def slice_static(op: View) -> Call:
    """``x[begin:end:stride]`` per axis; a mask takes the whole side, a squeeze mask drops the axis.

    Fields: beginIds, endIds, strides, beginMasks, endMasks, squeezeMasks.
    """
    p = op.params
    begin, end, strides = tuple(p.beginIds), tuple(p.endIds), tuple(p.strides)
    masks = tuple(p.beginMasks), tuple(p.endMasks), tuple(p.squeezeMasks)
    return op.call(
        lambda x: ranked(strided_slice(x, begin, end, strides, *masks)), "input", exact=True
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
        return ranked(strided_slice(x, integers_of(begin), end, strides, *masks))

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("slice")
def slice_axis(op: View) -> Call:
    """``x[startIndex:endIndex:stride]`` of the channels, height or width (field ``axis``); a
    negative index counts from the end."""
    p = op.params
    axis, start, end, step = int(p.axis) - 3, int(p.startIndex), int(p.endIndex), int(p.stride)
    if step < 1 or axis > -1:
        raise op.refuse(f"a stride of {step} along axis {int(p.axis)}")
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


def ranked(x: Tensor) -> Tensor:
    """A NeuralNetwork has no scalars: at least one axis stays."""
    return x if x.dim() else x.reshape(1)
