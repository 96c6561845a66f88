"""ML Program: slices, gathers and scatters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of
from fer_convert.coreml_runtime.fast.moving import (
    begins_before_first,
    scatter_elements,
    scatter_vectors,
    strided,
)
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import check_positions

OPERATIONS = Translations()

_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


_MASKS = ("begin_mask", "end_mask", "squeeze_mask")


@OPERATIONS.lowering("slice_by_index")
def slice_by_index(op: Source) -> str:
    rank = len(op.shape_of("x"))
    given = op.integers("stride", ())
    strides = given + (1,) * (rank - len(given))
    opened, closed, squeezed = masks = _masks(op, rank)
    if op.is_constant("begin") and op.is_constant("end"):
        begin, end = op.integers("begin"), op.integers("end")
        return strided(op, op.operand("x"), begin, end, strides, *masks)
    steps = [1 if single else s for s, single in zip(strides, squeezed, strict=True)]
    begin_at = op.vector("begin")
    after = op.node("Add", begin_at, op.ints(1))
    # One after the last element, -1, would be the first.
    after = op.node("Where", op.node("Equal", after, op.ints(0)), op.ints(_LAST), after)
    starts = _where(
        op,
        [mask and not single for mask, single in zip(opened, squeezed, strict=True)],
        op.ints(*(0 if step > 0 else _LAST for step in steps)),
        begin_at,
    )
    ends = _where(
        op, closed, op.ints(*(_LAST if s > 0 else _FIRST for s in steps)), op.vector("end")
    )
    ends = _where(op, squeezed, after, ends)
    back = [step < 0 and not mask for step, mask in zip(steps, opened, strict=True)]
    if any(back):
        # Stepping back from before the first there is nothing; ONNX would begin with the first.
        place = op.node("Add", begin_at, op.node("Shape", op.operand("x")))
        before = op.node(
            "And", op.node("Less", place, op.ints(0)), op.builder.array(np.array(back))
        )
        ends = op.node("Where", before, op.ints(0), ends)
    axes = op.ints(*range(rank))
    part: str = op.node("Slice", op.operand("x"), starts, ends, axes, op.ints(*steps))
    dropped = np.flatnonzero(squeezed).tolist()
    return op.node("Squeeze", part, op.ints(*dropped)) if dropped else part


@OPERATIONS.lowering("slice_by_size")
def slice_by_size(op: Source) -> str:
    x, begin, size = op.operand("x"), op.vector("begin"), op.vector("size")
    rank = len(op.shape_of("x"))
    if op.is_constant("begin") and op.is_constant("size"):
        bounds = zip(op.shape_of("x"), op.integers("begin"), op.integers("size"), strict=True)
        # ONNX would give fewer.
        if any(n is not None and b % n + s > n for n, b, s in bounds if n):
            raise Unlowered("more elements than there are")
    if not op.is_constant("begin") or min(op.integers("begin"), default=0) < 0:
        negative = op.node("Less", begin, op.ints(0))
        begin = op.node("Where", negative, op.node("Add", begin, op.node("Shape", x)), begin)
    ends = op.node("Add", begin, size)
    if not op.is_constant("size") or -1 in op.integers("size"):
        ends = op.node("Where", op.node("Equal", size, op.ints(-1)), op.ints(_LAST), ends)
    result: str = op.node("Slice", x, begin, ends, op.ints(*range(rank)))
    return result


@OPERATIONS.lowering("layer:slice_axis")
def slice_axis(op: Source) -> str:
    x, names = op.operand("x"), ("begin", "end", "axis", "stride")
    begin, end, axis, stride = (op.option(name, int) for name in names)
    if begins_before_first(op, x, axis, begin=begin, stride=stride):
        end = 0  # where it begins, too
    return str(op.node("Slice", x, *(op.ints(n) for n in (begin, end, axis, stride))))


@OPERATIONS.lowering("layer:slice_by_size")
def slice_axis_by_size(op: Source) -> str:
    x = op.operand("x")
    axis, count = axis_of(op, x, op.option("axis", int)), op.option("size", int)
    if count < 0:
        raise Unlowered("a negative size")
    check_positions(count)
    start = op.node("Reshape", op.vector("begin"), op.ints(1))
    size = op.node("Shape", x, start=axis, end=axis + 1)
    negative = op.node("Less", start, op.ints(0))
    start = op.node("Where", negative, op.node("Add", start, size), start)
    # Gather says so where the input ends too early; Slice would be shorter.
    places = op.node("Add", start, op.ints(*range(count)))
    return str(op.node("Gather", x, places, axis=axis))


@OPERATIONS.lowering("layer:triangle")
def triangle(op: Source) -> str:
    k, upper = op.scalar(op.option("k", int), np.int64), int(op.option("upper", bool))
    return str(op.node("Trilu", op.operand("x"), k, upper=upper))


@OPERATIONS.lowering("slice_update")
def slice_update(op: Source) -> str:
    sizes = [size for size in op.shape_of("x") if size is not None]
    rank = len(op.shape_of("x"))
    if len(sizes) < rank:
        raise Unlowered("an unknown size")
    check_positions(*sizes, 1)
    places = np.arange(np.prod(sizes), dtype=np.int64).reshape(sizes)
    steps = op.integers("stride", (1,) * rank)
    bounds = zip(op.integers("begin"), op.integers("end"), steps, *_masks(op, rank), strict=True)
    chosen = places[
        tuple(
            b if single else slice(None if opened else b, None if closed else e, step)
            for b, e, step, opened, closed, single in bounds
        )
    ]
    flat, updates = (op.node("Reshape", op.operand(n), op.ints(-1)) for n in ("x", "update"))
    at = op.builder.array(chosen.reshape(-1))
    changed = scatter_elements(op, flat, at, updates, "update", 0)
    result: str = op.node("Reshape", changed, op.ints(*sizes))
    return result


@OPERATIONS.lowering("gather")
def gather(op: Source) -> str:
    rank, batch = len(op.shape_of("x")), _batch_axes(op)
    axis = op.option("axis", int, 0) % rank
    x, indices = op.operand("x"), _places(op, "x", axis)
    if not batch:
        result: str = op.node("Gather", x, indices, axis=axis)
        return result
    # ONNX gathers in batches only along the axis after them: the axes between wait behind.
    front = [*range(batch), axis, *range(batch, axis), *range(axis + 1, rank)]
    vectors = op.node("Unsqueeze", indices, op.ints(-1))
    chosen = op.node("GatherND", op.node("Transpose", x, perm=front), vectors, batch_dims=batch)
    count, between = len(op.shape_of("indices")) - batch, axis - batch
    back = [
        *range(batch),
        *range(batch + count, batch + count + between),
        *range(batch, batch + count),
        *range(batch + count + between, rank - 1 + count),
    ]
    result = op.node("Transpose", chosen, perm=back)
    return result


@OPERATIONS.lowering("gather_along_axis")
def gather_along_axis(op: Source) -> str:
    axis = op.option("axis", int, 0)
    _alike(op, "x", axis)
    result: str = op.node("GatherElements", op.operand("x"), _places(op, "x", axis), axis=axis)
    return result


@OPERATIONS.lowering("gather_nd")
def gather_nd(op: Source) -> str:
    batch = _batch_axes(op)
    indices = _places(op, "x", *_vector_axes(op, batch))
    result: str = op.node("GatherND", op.operand("x"), indices, batch_dims=batch)
    return result


@OPERATIONS.lowering("scatter")
def scatter(op: Source) -> str:
    data, updates = op.operand("data"), op.operand("updates")
    rank, axis = len(op.shape(data)), axis_of(op, data, op.option("axis", int, 0))
    if len(op.shape_of("indices")) != 1:
        others = [size for i, size in enumerate(op.shape(data)) if i != axis]
        if None in others:
            raise Unlowered("indices that are no vector into an unknown shape")
        sizes = [size or 0 for size in others]
        updates = op.node("Reshape", updates, op.ints(*sizes[:axis], -1, *sizes[axis:]))
    vectors = op.node("Reshape", _places(op, "data", axis), op.ints(-1, 1))
    front = [axis, *(i for i in range(rank) if i != axis)]
    data, updates = (op.node("Transpose", value, perm=front) for value in (data, updates))
    changed = scatter_vectors(op, data, vectors, updates, op.option("mode", str, "add"))
    back = [front.index(i) for i in range(rank)]
    result: str = op.node("Transpose", changed, perm=back)
    return result


@OPERATIONS.lowering("scatter_nd")
def scatter_nd(op: Source) -> str:
    data, updates = op.operand("data"), op.operand("updates")
    mode = op.option("mode", str, "add")
    return scatter_vectors(op, data, _places(op, "data", *_vector_axes(op)), updates, mode)


@OPERATIONS.lowering("scatter_along_axis")
def scatter_along_axis(op: Source) -> str:
    data, updates = op.operand("data"), op.operand("updates")
    mode, axis = op.option("mode", str, "add"), op.option("axis", int, 0)
    _alike(op, "data", axis)
    return scatter_elements(op, data, _places(op, "data", axis), updates, mode, axis)


def _alike(op: Source, data: str, axis: int) -> None:
    """ONNX reads part of ``data`` where the other axes differ; Core ML does not."""
    rests = []
    for name in (op.operand(data), op.operand("indices")):
        sizes = list(op.shape(name))
        del sizes[axis_of(op, name, axis)]
        rests.append(sizes)
    if rests[0] != rests[1]:
        raise Unlowered(f"indices that differ from their array along other axes than {axis}")


def _places(op: Source, data: str, *axes: int) -> str:
    """``indices`` along ``axes`` of ``data``: one, or one for each number of a vector."""
    if op.option("validate_indices", bool, False):
        sizes = [op.shape_of(data)[axis] for axis in axes]
        if not op.is_constant("indices"):
            # ONNX counts negative ones from the end; a place that no axis has is an error.
            computed = op.indices("indices")
            return str(
                op.node("Where", op.node("Less", computed, op.ints(0)), op.ints(_LAST), computed)
            )
        if None in sizes:
            raise Unlowered("validate_indices of an unknown size")
        indices = op.literal("indices")
        if ((indices < 0) | (indices >= np.array(sizes))).any():
            raise Unlowered("indices out of range")
    return op.indices("indices")


def _batch_axes(op: Source) -> int:
    """How many first axes of ``x`` and ``indices`` go together.

    Raises:
        Unlowered: fewer than none or more than there are; onnxruntime does not look.
    """
    batch, most = (
        op.option("batch_dims", int, 0),
        min(len(op.shape_of(n)) for n in ("x", "indices")),
    )
    if not 0 <= batch <= most:
        raise Unlowered(f"{batch} batch_dims")
    return batch


def _vector_axes(op: Source, batch: int = 0) -> range:
    """The axes that the index vectors, the last axis of ``indices``, count along."""
    length = op.shape_of("indices")[-1]
    if length is None:
        raise Unlowered("index vectors of unknown length")
    return range(batch, batch + length)


def _masks(op: Source, rank: int) -> tuple[list[bool], list[bool], list[bool]]:
    masks = (list(map(bool, op.integers(name, ()))) for name in _MASKS)
    opened, closed, squeezed = ([*mask, *[False] * (rank - len(mask))] for mask in masks)
    if not len(opened) == len(closed) == len(squeezed) == rank:
        raise Unlowered("masks of another rank")
    return opened, closed, squeezed


def _where(op: Source, mask: Sequence[bool], chosen: str, other: str) -> str:
    if not any(mask):
        return other
    result: str = op.node("Where", op.builder.array(np.array(mask)), chosen, other)
    return result
