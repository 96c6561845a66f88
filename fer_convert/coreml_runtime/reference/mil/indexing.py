"""Gathering, scattering and slicing."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.selecting import (
    SCATTER_MODES,
    flat_positions,
    index_vectors,
    integers_of,
    scatter_flat,
    strided_slice,
    take,
    wrapped,
)

OPERATIONS = Table()


@OPERATIONS.operation("gather")
def gather(op: View) -> Call:
    """Slices of ``x`` along ``axis`` (0): ``x.shape[:axis] + indices.shape[batch_dims:] +
    x.shape[axis + 1:]``.

    The first ``batch_dims`` (0) axes of ``x`` and ``indices`` go together. Negative indices count
    from the end, unless ``validate_indices`` (false) makes them an error.
    """
    axis, batch, place = op.option("axis", int, 0), op.option("batch_dims", int, 0), _placing(op)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        at = axis % x.dim()
        if not 0 <= batch <= min(at, indices.dim()) or x.shape[:batch] != indices.shape[:batch]:
            raise op.refuse(f"{batch} batch_dims of {list(x.shape)} and {list(indices.shape)}")
        result = (*x.shape[:at], *indices.shape[batch:], *x.shape[at + 1 :])
        check_size(result)
        places = place(indices, x.shape[at])
        if batch == 0:
            return x.index_select(at, places.reshape(-1)).reshape(result)
        count, before, after = (
            prod(sizes) for sizes in (x.shape[:batch], x.shape[batch:at], x.shape[at + 1 :])
        )
        chosen = places.reshape(count, 1, -1, 1).expand(-1, before, -1, after)
        return x.reshape(count, before, x.shape[at], after).gather(2, chosen).reshape(result)

    return op.call(kernel, "x", "indices", exact=True)


@OPERATIONS.operation("gather_along_axis")
def gather_along_axis(op: View) -> Call:
    """One element of ``x`` per index along ``axis`` (0); validate_indices as gather."""
    axis, place = op.option("axis", int, 0), _placing(op)
    return op.call(
        lambda x, indices: x.take_along_dim(place(indices, x.shape[axis]), axis),
        "x",
        "indices",
        exact=True,
    )


@OPERATIONS.operation("gather_nd")
def gather_nd(op: View) -> Call:
    """``x`` at each index vector, the last axis of ``indices``.

    The first ``batch_dims`` (0) axes of ``x`` and ``indices`` go together; validate_indices as
    gather.
    """
    batch, place = op.option("batch_dims", int, 0), _placing(op)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        if not 0 <= batch < indices.dim() or x.shape[:batch] != indices.shape[:batch]:
            raise op.refuse(f"{batch} batch_dims of {list(x.shape)} and {list(indices.shape)}")
        check_size((*indices.shape[:-1], *x.shape[batch + indices.shape[-1] :]))
        if batch == 0:
            return x[index_vectors(x, indices, place)]
        flat = x.flatten(0, batch - 1)
        vectors = index_vectors(flat[0], indices.flatten(0, batch - 1), place)
        which = torch.arange(len(flat)).reshape(-1, *(1,) * (indices.dim() - batch - 1))
        return flat[(which, *vectors)].reshape(
            *x.shape[:batch], *indices.shape[batch:-1], *x.shape[batch + indices.shape[-1] :]
        )

    return op.call(kernel, "x", "indices", exact=True)


@OPERATIONS.operation("scatter")
def scatter(op: View) -> Call:
    """``data`` with slices along ``axis`` (0) changed by ``updates``.

    ``mode`` (add): update, add, sub, mul, div, max, min; validate_indices as gather.
    """
    axis, mode, place = op.option("axis", int, 0), _mode(op), _placing(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        at = axis % data.dim()
        chosen = flat_positions(data).index_select(at, place(indices, data.shape[at]).reshape(-1))
        return scatter_flat(data, chosen, updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@OPERATIONS.operation("scatter_along_axis")
def scatter_along_axis(op: View) -> Call:
    """``data`` with one element per index along ``axis`` (0) changed; further arguments as
    scatter."""
    axis, mode, place = op.option("axis", int, 0), _mode(op), _placing(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        chosen = flat_positions(data).take_along_dim(place(indices, data.shape[axis]), axis)
        return scatter_flat(data, chosen, updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@OPERATIONS.operation("scatter_nd")
def scatter_nd(op: View) -> Call:
    """``data`` changed at each index vector, the last axis of ``indices``; further arguments as
    scatter."""
    mode, place = _mode(op), _placing(op)

    def kernel(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        chosen = flat_positions(data)[index_vectors(data, indices, place)]
        return scatter_flat(data, chosen, updates, mode)

    return op.call(kernel, "data", "indices", "updates")


@OPERATIONS.operation("slice_by_index")
def slice_by_index(op: View) -> Call:
    """``x[begin:end:stride]`` per axis, as Python slices.

    Arguments: begin, end ``[rank]``, stride (ones), begin_mask, end_mask (take the whole side),
    squeeze_mask (take one element, drop the axis).
    """

    def kernel(x: Tensor, *given: Tensor | None) -> Tensor:
        return strided_slice(x, *(() if g is None else integers_of(g) for g in given))

    names = ("x", "begin", "end", "stride?", "begin_mask?", "end_mask?", "squeeze_mask?")
    return op.call(kernel, *names, exact=True)


@OPERATIONS.operation("slice_by_size")
def slice_by_size(op: View) -> Call:
    """``size`` elements of each axis from ``begin``; -1 takes the rest."""

    def kernel(x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
        starts, sizes = integers_of(begin), integers_of(size)
        starts = tuple(b + n if b < 0 else b for b, n in zip(starts, x.shape, strict=True))
        for axis, (start, count) in enumerate(zip(starts, sizes, strict=True)):
            x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
        return x

    return op.call(kernel, "x", "begin", "size", exact=True)


@OPERATIONS.operation("layer:slice_axis")
def slice_axis(op: View) -> Call:
    """``x[begin:end:stride]`` along ``axis``, as a Python slice."""
    axis = op.option("axis", int)
    begin, end, stride = (op.option(name, int) for name in ("begin", "end", "stride"))
    return op.call(
        lambda x: take(x, axis, range(*slice(begin, end, stride).indices(x.shape[axis]))),
        "x",
        exact=True,
    )


@OPERATIONS.operation("layer:slice_by_size")
def slice_axis_by_size(op: View) -> Call:
    """``size`` elements of ``axis`` from ``begin``."""
    axis, size = op.option("axis", int), op.option("size", int)

    def kernel(x: Tensor, begin: Tensor) -> Tensor:
        (start,) = integers_of(begin)
        return x.narrow(axis, start + x.shape[axis] if start < 0 else start, size)

    return op.call(kernel, "x", "begin", exact=True)


@OPERATIONS.operation("layer:triangle")
def triangle(op: View) -> Call:
    """``x`` with zeros below diagonal ``k`` (``upper``), or above it."""
    k, keep = op.option("k", int), torch.triu if op.option("upper", bool) else torch.tril
    return op.call(lambda x: keep(x, k), "x", exact=True)


@OPERATIONS.operation("slice_update")
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


def _placing(op: View) -> Callable[[Tensor, int], Tensor]:
    """From indices along an axis of some size to places on it."""
    if not op.option("validate_indices", bool, False):
        return wrapped

    def checked(indices: Tensor, size: int) -> Tensor:
        if ((indices < 0) | (indices >= size)).any():
            raise IndexError(f"indices {indices.reshape(-1).tolist()[:8]} of {size} elements")
        return indices.long()

    return checked
