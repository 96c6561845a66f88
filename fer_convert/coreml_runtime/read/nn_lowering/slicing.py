"""Parts of an array: slices, windows, turned round."""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Argument, Layer, Recipes

RECIPES = Recipes()


@RECIPES.operation("sliceStatic")
def slice_static(layer: Layer) -> Value:
    """``x[begin:end:stride]`` per axis; a mask takes the whole side, a squeeze mask drops the axis.

    Fields: beginIds, endIds, strides, beginMasks, endMasks, squeezeMasks.
    """
    return _strided(layer, layer.x, [tuple(layer.params.beginIds)])


@RECIPES.operation("sliceDynamic")
def slice_dynamic(layer: Layer) -> Value:
    """As sliceStatic, with begin as the second input and, optionally, end, strides and the three
    masks as further ones; what is not an input is a field."""
    x, *given = layer.inputs_between(2, 7)
    return _strided(layer, x, [layer.cast(value, "int32") for value in given])


@RECIPES.operation("slice")
def slice_axis(layer: Layer) -> Value:
    """``x[startIndex:endIndex:stride]`` of the channels, height or width (field ``axis``); a
    negative index counts from the end."""
    p = layer.params
    axis, start, end, step = int(p.axis) - 3, int(p.startIndex), int(p.endIndex), int(p.stride)
    if step < 1:
        raise layer.refuse(f"a stride of {step} along axis {int(p.axis)}")
    return layer.add("layer:slice_axis", x=layer.x, axis=axis, begin=start, end=end, stride=step)


@RECIPES.operation("sliceBySize")
def slice_by_size(layer: Layer) -> Value:
    """``size`` elements of ``axis`` from the index that the second input holds."""
    p = layer.params
    x, begin = layer.inputs_between(2, 2)
    begin = layer.cast(begin, "int32")
    return layer.add("layer:slice_by_size", x=x, begin=begin, size=int(p.size), axis=int(p.axis))


@RECIPES.operation("reverse")
def reverse(layer: Layer) -> Value:
    """``x`` turned round along every axis whose ``reverseDim`` is true."""
    axes = tuple(axis for axis, turned in enumerate(layer.params.reverseDim) if turned)
    return layer.add("reverse", x=layer.x, axes=axes) if axes else layer.x


@RECIPES.operation("reverseSeq")
def reverse_sequences(layer: Layer) -> Value:
    """The first n elements of each sequence turned round, n from the second input.

    Fields: batchAxis, sequenceAxis.
    """
    p = layer.params
    x, lengths = layer.inputs_between(2, 2)
    return layer.add(
        "reverse_sequence",
        x=x,
        lengths=layer.cast(lengths, "int32"),
        seq_axis=int(p.sequenceAxis),
        batch_axis=int(p.batchAxis),
    )


@RECIPES.operation("slidingWindows")
def sliding_windows(layer: Layer) -> Value:
    """Windows of ``windowSize`` every ``step`` along ``axis``:
    ``[..., windows, windowSize, ...]``."""
    p = layer.params
    return layer.add(
        "sliding_windows",
        x=layer.x,
        axis=int(p.axis),
        size=int(p.windowSize),
        stride=int(p.step),
    )


def _strided(layer: Layer, x: Value, bounds: list[Argument]) -> Value:
    """``bounds`` are those of begin, end, strides and masks that are not taken from fields."""
    p = layer.params
    fields = (p.endIds, p.strides, p.beginMasks, p.endMasks, p.squeezeMasks)
    rest: list[Argument] = [tuple(map(int, field)) for field in fields[len(bounds) - 1 :]]
    begin, end, stride, opened, closed, squeezed = bounds + rest
    result = layer.add(
        "slice_by_index",
        x=x,
        begin=begin,
        end=end,
        stride=stride,
        begin_mask=opened,
        end_mask=closed,
        squeeze_mask=squeezed,
    )
    return layer.add("layer:at_least_one_axis", x=result)
