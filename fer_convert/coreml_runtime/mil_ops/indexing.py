"""Gathering, scattering and slicing."""

from __future__ import annotations

from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.selecting import (
    SCATTER_MODES,
    flat_positions,
    index_vectors,
    integers_of,
    scatter_flat,
    strided_slice,
    wrapped,
)


@MIL.operation("gather")
def gather(op: View) -> Call:
    """Slices of ``x`` along ``axis`` (0): ``x.shape[:axis] + indices.shape + x.shape[axis + 1:]``.

    Negative indices count from the end; ``batch_dims`` other than 0 are not supported.
    """
    axis = op.option("axis", int, 0)
    _no_batches(op)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        at = axis % x.dim()
        chosen = x.index_select(at, wrapped(indices, x.shape[at]).reshape(-1))
        return chosen.reshape(*x.shape[:at], *indices.shape, *x.shape[at + 1 :])

    return op.call(kernel, "x", "indices", exact=True)


@MIL.operation("gather_along_axis")
def gather_along_axis(op: View) -> Call:
    """One element of ``x`` per index along ``axis`` (0)."""
    axis = op.option("axis", int, 0)
    return op.call(
        lambda x, indices: x.take_along_dim(wrapped(indices, x.shape[axis]), axis),
        "x",
        "indices",
        exact=True,
    )


@MIL.operation("gather_nd")
def gather_nd(op: View) -> Call:
    """``x`` at each index vector, the last axis of ``indices``; no ``batch_dims``."""
    _no_batches(op)
    return op.call(lambda x, indices: x[index_vectors(x, indices)], "x", "indices", exact=True)


@MIL.operation("scatter")
def scatter(op: View) -> Call:
    """``data`` with slices along ``axis`` (0) changed by ``updates``.

    ``mode`` (add): update, add, sub, mul, div, max, min.
    """
    axis, mode = op.option("axis", int, 0), _mode(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        at = axis % data.dim()
        chosen = flat_positions(data).index_select(at, wrapped(indices, data.shape[at]).reshape(-1))
        return scatter_flat(data, chosen, updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@MIL.operation("scatter_along_axis")
def scatter_along_axis(op: View) -> Call:
    """``data`` with one element per index along ``axis`` (0) changed; ``mode`` (add) as scatter."""
    axis, mode = op.option("axis", int, 0), _mode(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        chosen = flat_positions(data).take_along_dim(wrapped(indices, data.shape[axis]), axis)
        return scatter_flat(data, chosen, updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@MIL.operation("scatter_nd")
def scatter_nd(op: View) -> Call:
    """``data`` changed at each index vector, the last axis of ``indices``; ``mode`` (add)."""
    mode = _mode(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        return scatter_flat(data, flat_positions(data)[index_vectors(data, indices)], updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@MIL.operation("slice_by_index")
def slice_by_index(op: View) -> Call:
    """``x[begin:end:stride]`` per axis, as Python slices.

    Arguments: begin, end ``[rank]``, stride (ones), begin_mask, end_mask (take the whole side),
    squeeze_mask (take one element, drop the axis).
    """

    def kernel(x: Tensor, *given: Tensor | None) -> Tensor:
        return strided_slice(x, *(() if g is None else integers_of(g) for g in given))

    names = ("x", "begin", "end", "stride?", "begin_mask?", "end_mask?", "squeeze_mask?")
    return op.call(kernel, *names, exact=True)


@MIL.operation("slice_by_size")
def slice_by_size(op: View) -> Call:
    """``size`` elements of each axis from ``begin``; -1 takes the rest."""

    def kernel(x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
        starts, sizes = integers_of(begin), integers_of(size)
        starts = tuple(b + n if b < 0 else b for b, n in zip(starts, x.shape, strict=True))
        for axis, (start, count) in enumerate(zip(starts, sizes, strict=True)):
            x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
        return x

    return op.call(kernel, "x", "begin", "size", exact=True)


@MIL.operation("slice_update")
def slice_update(op: View) -> Call:
    """``x`` with the slice ``[begin:end:stride]`` replaced by ``update``; see slice_by_index."""

    def kernel(x: Tensor, update: Tensor, *given: Tensor | None) -> Tensor:
        vectors = (() if g is None else integers_of(g) for g in given)
        return scatter_flat(x, strided_slice(flat_positions(x), *vectors), update, "update")

    names = ("begin", "end", "stride?", "begin_mask?", "end_mask?", "squeeze_mask?")
    return op.call(kernel, "x", "update", *names, exact=True)


def _mode(op: View) -> str:
    mode = op.option("mode", str, "add")
    if mode not in SCATTER_MODES:
        raise op.refuse(f"mode '{mode}' is none of {', '.join(SCATTER_MODES)}")
    return mode


def _no_batches(op: View) -> None:
    if op.option("batch_dims", int, 0) != 0:
        raise op.unsupported("batch_dims")
