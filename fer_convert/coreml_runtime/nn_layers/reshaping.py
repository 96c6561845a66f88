"""The same values in another shape or order of axes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.slicing import ranked
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import integers_of

_CHANNEL_LAST = 1


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
    """``[S, B, C, H, W]`` in ``targetShape``: C, H and W, or S, C, H and W.

    CHANNEL_LAST reads and writes the values of an image in the order H, W, C. An input of another
    rank keeps what is before C, H and W.
    """
    shape = tuple(int(size) for size in op.params.targetShape)
    if len(shape) not in {3, 4}:
        raise op.refuse(f"a target shape of {len(shape)} sizes; 3 or 4 can be")
    last, image, with_sequence = op.params.mode == _CHANNEL_LAST, shape[-3:], len(shape) == 4

    def kernel(x: Tensor) -> Tensor:
        if with_sequence and x.dim() != 5:
            raise ValueError(f"a new sequence for an input {list(x.shape)}")
        # The sequence joins the image where it changes, and the batch leads.
        values = x.movedim(0, 1) if with_sequence else x
        values = values.movedim(-3, -1) if last else values
        leading = values.shape[:-4] + shape[:1] if with_sequence else values.shape[:-3]
        if last:
            result = values.reshape(*leading, *image[1:], image[0]).movedim(-1, -3)
        else:
            result = values.reshape(*leading, *image)
        return result.movedim(1, 0) if with_sequence else result

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
    axis = int(op.params.axis)

    def kernel(x: Tensor) -> Tensor:
        if not -x.dim() <= axis <= x.dim():
            raise IndexError(f"axis {axis} of {list(x.shape)}")
        split = axis + x.dim() if axis < 0 else axis
        return x.reshape(x.shape[:split].numel(), x.shape[split:].numel())

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("permute")
def permute(op: View) -> Call:
    """The axes (sequence, channel, height, width) of ``[S, B, C, H, W]`` in the order ``axis``, the
    batch staying second. Without ``axis`` nothing moves."""
    axes = tuple(int(axis) for axis in op.params.axis) or (0, 1, 2, 3)
    if sorted(axes) != [0, 1, 2, 3]:
        raise op.refuse(f"an order {list(axes)} of four axes")

    def kernel(x: Tensor) -> Tensor:
        if x.dim() != 5:
            raise ValueError(f"an input {list(x.shape)} where [S, B, C, H, W] is needed")
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
        return ranked(result)

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


def _keeping_reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])
