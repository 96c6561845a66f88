"""Arrays made of others, whole: joined, split, repeated, broadcast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import integers_of


@LAYERS.operation("concat")
def concat(op: View) -> Call:
    """Inputs ``[..., C_i, H, W]`` joined along the channels (axis -3), or with ``sequenceConcat``
    along the sequence (axis -5)."""
    axis = -5 if op.params.sequenceConcat else -3
    return op.call(lambda *values: torch.cat(values, axis), "input", exact=True)


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


@LAYERS.operation("tile")
def tile(op: View) -> Call:
    """``x`` repeated ``reps`` times along its last axes; the counts may be a second input."""
    fixed = tuple(int(count) for count in op.params.reps)

    def kernel(x: Tensor, reps: Tensor | None = None) -> Tensor:
        counts = fixed if reps is None else integers_of(reps)
        if not 1 <= len(counts) <= x.dim():
            raise ValueError(f"{len(counts)} counts for the axes of {list(x.shape)}")
        check_size((x.numel(), *counts))
        return x.tile(counts)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("sequenceRepeat")
def sequence_repeat(op: View) -> Call:
    """``x`` repeated ``nRepetitions`` (1) times along the sequence, axis -5."""
    count = int(op.params.nRepetitions) or 1

    def kernel(x: Tensor) -> Tensor:
        if x.dim() < 5:
            raise ValueError(f"an input {list(x.shape)} without a sequence, axis -5")
        check_size((x.numel(), count))
        return x.repeat(*[1] * (x.dim() - 5), count, 1, 1, 1, 1)

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


def _equal_parts(op: View, x: Tensor, parts: int, axis: int) -> tuple[Tensor, ...]:
    if parts < 1 or x.shape[axis] % parts:
        raise op.refuse(f"{parts} equal parts of {x.shape[axis]}")
    return tuple(x.chunk(parts, axis))


def _broadcast(x: Tensor, shape: Sequence[int]) -> Tensor:
    wanted = np.broadcast_shapes(tuple(x.shape), tuple(shape))
    check_size(wanted)
    return torch.broadcast_to(x, wanted)
