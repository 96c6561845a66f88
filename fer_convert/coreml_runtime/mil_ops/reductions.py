"""Reductions over axes, and cumulative sums.

Integers stay integers: sums wrap around, a mean or a logarithm loses its fraction.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.elementwise import as_type
from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View


@MIL.operation("reduce_sum")
def reduce_sum(op: View) -> Call:
    """Sum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).sum(-1))


@MIL.operation("reduce_prod")
def reduce_prod(op: View) -> Call:
    """Product over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).prod(-1))


@MIL.operation("reduce_max")
def reduce_max(op: View) -> Call:
    """Maximum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: x.amax(-1), exact=True)


@MIL.operation("reduce_min")
def reduce_min(op: View) -> Call:
    """Minimum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: x.amin(-1), exact=True)


@MIL.operation("reduce_mean")
def reduce_mean(op: View) -> Call:
    """Mean over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).mean(-1))


@MIL.operation("reduce_l1_norm")
def reduce_l1_norm(op: View) -> Call:
    """Sum of absolute values over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).abs().sum(-1))


@MIL.operation("reduce_l2_norm")
def reduce_l2_norm(op: View) -> Call:
    """Root of the sum of squares over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).square().sum(-1).sqrt())


@MIL.operation("reduce_log_sum")
def reduce_log_sum(op: View) -> Call:
    """Logarithm of the sum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).sum(-1).log())


@MIL.operation("reduce_log_sum_exp")
def reduce_log_sum_exp(op: View) -> Call:
    """Logarithm of the sum of exponentials over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).logsumexp(-1))


@MIL.operation("reduce_sum_square")
def reduce_sum_square(op: View) -> Call:
    """Sum of squares over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).square().sum(-1))


@MIL.operation("reduce_argmax", "reduce_argmin")
def reduce_argument(op: View) -> Call:
    """Index of the maximum (minimum) along ``axis`` (-1), the first of equals.

    Arguments: keep_dims (false), output_dtype int32 (default) | uint16.
    """
    find = torch.argmax if op.operation.type == "reduce_argmax" else torch.argmin
    axis, keep = op.option("axis", int, -1), op.option("keep_dims", bool, False)
    index_type = op.option("output_dtype", str, "int32")
    if index_type.lower() not in {"int32", "uint16"}:
        raise op.refuse(f"output_dtype '{index_type}' is neither int32 nor uint16")
    return op.call(lambda x: find(x, axis, keepdim=keep), "x")


@MIL.operation("cumsum")
def cumsum(op: View) -> Call:
    """Running sum along ``axis`` (0).

    Arguments: exclusive (false): each element is left out of its own sum; reverse (false): from
    the end.
    """
    axis = op.option("axis", int, 0)
    exclusive, reverse = op.option("exclusive", bool, False), op.option("reverse", bool, False)

    def kernel(x: Tensor) -> Tensor:
        x = x.flip(axis) if reverse else x
        if exclusive and x.shape[axis]:
            first = torch.zeros_like(x.narrow(axis, 0, 1))
            x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        total = torch.cumsum(x, axis)
        return total.flip(axis) if reverse else total

    return op.call(kernel, "x")


def _reduce(op: View, last: Callable[[Tensor], Tensor], *, exact: bool = False) -> Call:
    """Reduce the axes, gathered into one, by ``last``."""
    given = op.integers("axes") if op.has("axes") else None
    keep = op.option("keep_dims", bool, False)

    def kernel(x: Tensor) -> Tensor:
        axes = range(x.dim()) if given is None else [_positive(axis, x.dim()) for axis in given]
        if len(set(axes)) != len(axes):
            raise ValueError(f"axes {given} name a dimension twice")
        kept = [axis for axis in range(x.dim()) if axis not in axes]
        sizes = [x.shape[axis] for axis in kept]
        gathered = x.permute(*kept, *axes).reshape(*sizes, prod(x.shape[axis] for axis in axes))
        result = last(gathered)
        if result.is_floating_point() and not x.is_floating_point():
            result = as_type(result, "int32")
        return result.reshape(
            [1 if a in axes else s for a, s in enumerate(x.shape)] if keep else sizes
        )

    return op.call(kernel, "x", exact=exact)


def _positive(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise IndexError(f"axis {axis} of {rank} dimensions")
    return axis % rank


def _wide(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.long()


def _real(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.double()
