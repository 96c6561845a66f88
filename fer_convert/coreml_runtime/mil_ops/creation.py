"""Tensors made from shapes and indices; repeated, split, stacked, flattened."""

from __future__ import annotations

from math import ceil, prod

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View, torch_type


@MIL.operation("fill")
def fill(op: View) -> Call:
    """A tensor of ``shape`` that holds ``value`` (0.0)."""
    return op.call(lambda shape, value: _filled(shape.tolist(), value), "shape", "value?")


@MIL.operation("fill_like")
def fill_like(op: View) -> Call:
    """A tensor of the shape of ``ref_tensor`` that holds ``value`` (0.0)."""
    return op.call(lambda like, value: _filled(list(like.shape), value), "ref_tensor", "value?")


@MIL.operation("one_hot")
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
        check_size((*indices.shape, int(size)))
        hit = indices.unsqueeze(-1) == torch.arange(int(size))
        return torch.where(hit, on, off).movedim(-1, axis)

    return op.call(kernel, "indices", "one_hot_vector_size", "on_value?", "off_value?")


@MIL.operation("range_1d")
def range_1d(op: View) -> Call:
    """``start``, ``start + step`` ... up to ``end``, which is left out."""

    def kernel(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
        first, last, stride = start.item(), end.item(), step.item()
        if stride == 0:
            raise ValueError("a step of 0")
        whole = not start.is_floating_point()
        count = -((first - last) // stride) if whole else ceil((last - first) / stride)
        check_size((max(int(count), 0),))
        steps = torch.arange(max(int(count), 0), dtype=torch.int64 if whole else torch.float64)
        return (first + steps * stride).to(start.dtype)

    return op.call(kernel, "start", "end", "step")


@MIL.operation("shape")
def shape(op: View) -> Call:
    """The sizes of ``x``'s dimensions."""
    return op.call(lambda x: torch.tensor(x.shape, dtype=torch.int32), "x")


@MIL.operation("non_zero")
def non_zero(op: View) -> Call:
    """The indices ``[N, rank]`` of the elements that are not 0, in order."""
    return op.call(torch.nonzero, "x")


@MIL.operation("identity")
def identity(op: View) -> Call:
    """``x``."""
    return op.call(lambda x: x, "x", exact=True)


@MIL.operation("band_part")
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


@MIL.operation("tile")
def tile(op: View) -> Call:
    """``x`` repeated ``reps[i]`` times along each dimension."""

    def kernel(x: Tensor, reps: Tensor) -> Tensor:
        times = reps.tolist()
        if len(times) != x.dim() or min(times, default=1) < 1:
            raise ValueError(f"reps {times}")
        check_size((x.numel(), *times))
        return x.repeat(times)

    return op.call(kernel, "x", "reps", exact=True)


@MIL.operation("split")
def split(op: View) -> Call:
    """``x`` cut along ``axis`` into ``num_splits`` equal parts, or into ``split_sizes``."""
    axis, parts = op.option("axis", int), op.option("num_splits", int, 0)

    def kernel(x: Tensor, sizes: Tensor | None) -> tuple[Tensor, ...]:
        if sizes is not None:
            return torch.split(x, sizes.tolist(), axis)
        if parts < 1 or x.shape[axis] % parts:
            raise ValueError(f"{x.shape[axis]} elements in {parts} equal parts")
        return torch.tensor_split(x, parts, axis)

    return op.call(kernel, "x", "split_sizes?", exact=True)


@MIL.operation("stack")
def stack(op: View) -> Call:
    """``values`` of one shape joined along a new ``axis``."""
    axis = op.option("axis", int)
    return op.call(lambda *values: torch.stack(values, axis), "values", exact=True)


@MIL.operation("flatten2d")
def flatten2d(op: View) -> Call:
    """``x`` with the dimensions before ``axis`` (1) as one, and the others as one."""
    axis = op.option("axis", int, 1)
    return op.call(lambda x: x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:])), "x", exact=True)


def _filled(sizes: list[int], value: Tensor | None) -> Tensor:
    value = torch.zeros(()) if value is None else value
    check_size(sizes)
    return torch.full(sizes, value.item(), dtype=value.dtype)
