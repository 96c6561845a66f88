"""Slices, joins and scatters in ONNX, shared by both formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered, tensor
from fer_convert.coreml_runtime.fast.translation import Source

_LAST, _BEFORE_FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
_REDUCTIONS = {
    "update": "none", "add": "add", "sub": "add", "mul": "mul", "div": "mul", "max": "max",
    "min": "min",
}  # fmt: skip


def strided(
    op: Source,
    x: str,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    begin_mask: Sequence[bool],
    end_mask: Sequence[bool],
    squeeze_mask: Sequence[bool],
) -> str:
    """``x[begin:end:stride]`` per axis; a masked side is open, a squeezed axis is indexed."""
    starts, ends, steps = list(begin), list(end), list(strides)
    for axis in range(len(starts)):
        if squeeze_mask[axis]:
            steps[axis] = 1
            ends[axis] = starts[axis] + 1 if starts[axis] != -1 else _LAST
            continue
        if begin_mask[axis]:
            starts[axis] = 0 if steps[axis] > 0 else _LAST
        if end_mask[axis]:
            ends[axis] = _LAST if steps[axis] > 0 else _BEFORE_FIRST
        if begins_before_first(op, x, axis, begin=starts[axis], stride=steps[axis]):
            ends[axis] = 0  # where it begins, too
    axes = op.ints(*range(len(starts)))
    part: str = op.node("Slice", x, op.ints(*starts), op.ints(*ends), axes, op.ints(*steps))
    dropped = [axis for axis, squeezed in enumerate(squeeze_mask) if squeezed]
    return op.node("Squeeze", part, op.ints(*dropped)) if dropped else part


def begins_before_first(op: Source, x: str, axis: int, *, begin: int, stride: int) -> bool:
    """Tell whether a slice steps back from before the first element: there is nothing then, while
    ONNX begins with the first.

    Raises:
        Unlowered: that depends on a size which is not known.
    """
    if stride > 0 or begin >= -1:
        return False
    size = op.shape(x)[axis]
    if size is None:
        raise Unlowered("a begin that may lie before the first element")
    return begin < -size


def flip(op: Source, x: str, axes: Iterable[int]) -> str:
    """``x`` turned round along ``axes``."""
    given = tuple(axes)
    if not given:
        return x
    count = len(given)
    starts, ends = op.ints(*[-1] * count), op.ints(*[_BEFORE_FIRST] * count)
    result: str = op.node("Slice", x, starts, ends, op.ints(*given), op.ints(*[-1] * count))
    return result


def join(op: Source, values: Sequence[str], axis: int) -> str:
    """``values`` along a new ``axis``."""
    at = op.ints(axis)
    result: str = op.node("Concat", *(op.node("Unsqueeze", v, at) for v in values), axis=axis)
    return result


def interleave(op: Source, values: Sequence[str], axis: int) -> str:
    """The first slice of each of ``values`` along ``axis``, then the second of each …"""
    shape = op.shape(values[0])
    at = axis % len(shape)
    if None in shape[at + 1 :] or shape[at] is None:
        raise Unlowered("an interleaved axis of unknown size")
    stacked = join(op, values, at + 1)
    size = len(values) * (shape[at] or 0)
    kept = [0] * at  # 0 keeps a dimension
    sizes = [s or 0 for s in shape[at + 1 :]]
    result: str = op.node("Reshape", stacked, op.ints(*kept, size, *sizes))
    return result


def broadcast_fill(op: Source, value: str, shape: str) -> str:
    """A tensor of the given shape that holds one value."""
    stored = op.builder.initialisers.get(value)
    if stored is not None:
        held = tensor("", stored.reshape(1))
        result: str = op.node("ConstantOfShape", shape, value=held)
        return result
    scalar = op.node("Reshape", value, op.ints(1))
    # ONNX expands to the broadcast of both shapes: of no dimensions, a scalar must be asked for.
    full = op.node("Expand", scalar, shape)
    result = op.node("Reshape", full, shape, allowzero=1)
    return result


def true_indices(op: Source, x: str) -> str:
    """The indices ``[N, rank]`` of what is not 0, int32."""
    if not op.shape(x):
        raise Unlowered("a scalar")  # whose indices have no columns
    found = op.node("NonZero", x)
    return op.cast(op.node("Transpose", found, perm=[1, 0]), np.int32)


def scatter_vectors(op: Source, data: str, vectors: str, updates: str, mode: str) -> str:
    """``data`` changed by ``updates`` at index vectors."""
    reduction, updates = _reduction(op, updates, mode)
    result: str = op.node("ScatterND", data, vectors, updates, reduction=reduction)
    return result


def scatter_elements(
    op: Source, data: str, indices: str, updates: str, mode: str, axis: int
) -> str:
    """``data`` changed by one update for each index along ``axis``."""
    reduction, updates = _reduction(op, updates, mode)
    result: str = op.node("ScatterElements", data, indices, updates, axis=axis, reduction=reduction)
    return result


def _reduction(op: Source, updates: str, mode: str) -> tuple[str, str]:
    if mode not in _REDUCTIONS:
        raise Unlowered(f"mode '{mode}'")
    if mode == "sub":
        updates = op.node("Neg", updates)
    if mode == "div":
        updates = op.node("Reciprocal", updates)
    return _REDUCTIONS[mode], updates
