"""Tensors made from shapes and indices; repeated, split, stacked, flattened."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference.operations import Call, Table, View, torch_type
from fer_convert.coreml_runtime.reference.selecting import integers_of, single

OPERATIONS = Table()


@OPERATIONS.operation("fill")
def fill(op: View) -> Call:
    """A tensor of ``shape`` that holds ``value`` (0.0)."""
    return op.call(lambda shape, value: _filled(integers_of(shape), value), "shape", "value?")


@OPERATIONS.operation("fill_like")
def fill_like(op: View) -> Call:
    """A tensor of the shape of ``ref_tensor`` that holds ``value`` (0.0)."""
    return op.call(lambda like, value: _filled(tuple(like.shape), value), "ref_tensor", "value?")


@OPERATIONS.operation("one_hot")
def one_hot(op: View) -> Call:
    """``on_value`` (1) at the place that each index names along a new ``axis`` (-1), else
    ``off_value`` (0).

    Arguments: indices, one_hot_vector_size. An index out of range names no place.
    """
    axis = op.option("axis", int, -1)
    dtype = torch_type(op.operation.outputs[0].element)

    def kernel(indices: Tensor, size: Tensor, on: Tensor | None, off: Tensor | None) -> Tensor:
        on = torch.ones((), dtype=dtype) if on is None else on
        off = torch.zeros((), dtype=dtype) if off is None else off
        count = int(single(size))
        check_size((*indices.shape, count))
        hit = indices.unsqueeze(-1) == torch.arange(count)
        return torch.where(hit, on, off).movedim(-1, axis)

    return op.call(kernel, "indices", "one_hot_vector_size", "on_value?", "off_value?")


@OPERATIONS.operation("range_1d")
def range_1d(op: View) -> Call:
    """``start``, ``start + step`` ... up to ``end``, which is left out."""

    def kernel(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
        first, last, stride = (single(value).item() for value in (start, end, step))
        if stride == 0:
            raise ValueError("a step of 0")
        whole = not start.is_floating_point()
        count = -((first - last) // stride) if whole else ceil((last - first) / stride)
        check_size((max(int(count), 0),))
        steps = torch.arange(max(int(count), 0), dtype=torch.int64 if whole else torch.float64)
        return (first + steps * stride).to(start.dtype)

    return op.call(kernel, "start", "end", "step")


@OPERATIONS.operation("shape")
def shape(op: View) -> Call:
    """The sizes of ``x``'s dimensions."""
    return op.call(lambda x: torch.tensor(x.shape, dtype=torch.int32), "x")


@OPERATIONS.operation("non_zero")
def non_zero(op: View) -> Call:
    """The indices ``[N, rank]`` of the elements that are not 0, in order."""
    return op.call(torch.nonzero, "x")


@OPERATIONS.operation("identity")
def identity(op: View) -> Call:
    """``x``."""
    return op.call(lambda x: x, "x", exact=True)


@OPERATIONS.operation("band_part")
def band_part(op: View) -> Call:
    """``x`` with 0 below its ``lower``-th and above its ``upper``-th diagonal (-1: none)."""
    lower, upper = op.option("lower", int, -1), op.option("upper", int, -1)

    def kernel(x: Tensor) -> Tensor:
        row = torch.arange(x.shape[-2]).reshape(-1, 1)
        column = torch.arange(x.shape[-1])
        below = (row - column > lower) & (lower >= 0)
        above = (column - row > upper) & (upper >= 0)
        return x.masked_fill(below | above, 0)

    return op.call(kernel, "x", exact=True)


def _filled(sizes: tuple[int, ...], value: Tensor | None) -> Tensor:
    value = torch.zeros(()) if value is None else value
    check_size(sizes)
    return torch.full(sizes, value.item(), dtype=value.dtype)
