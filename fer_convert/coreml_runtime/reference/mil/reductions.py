"""Reductions over axes, and cumulative sums.

Integers stay integers: sums wrap around, a mean or a logarithm loses its fraction.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, prod

import torch
from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.elementwise import as_type
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.selecting import single

OPERATIONS = Table()

_LOG_OF_LARGEST_HALF = log(torch.finfo(torch.float16).max)


@OPERATIONS.operation("reduce_sum")
def reduce_sum(op: View) -> Call:
    """Sum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).sum(-1))


@OPERATIONS.operation("reduce_prod")
def reduce_prod(op: View) -> Call:
    """Product over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).prod(-1))


@OPERATIONS.operation("reduce_max")
def reduce_max(op: View) -> Call:
    """Maximum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: x.amax(-1), exact=True)


@OPERATIONS.operation("reduce_min")
def reduce_min(op: View) -> Call:
    """Minimum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: x.amin(-1), exact=True)


@OPERATIONS.operation("reduce_mean")
def reduce_mean(op: View) -> Call:
    """Mean over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).mean(-1))


@OPERATIONS.operation("reduce_l1_norm")
def reduce_l1_norm(op: View) -> Call:
    """Sum of absolute values over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).abs().sum(-1))


@OPERATIONS.operation("reduce_l2_norm")
def reduce_l2_norm(op: View) -> Call:
    """Root of the sum of squares over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).square().sum(-1).sqrt())


@OPERATIONS.operation("reduce_log_sum")
def reduce_log_sum(op: View) -> Call:
    """Logarithm of the sum over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _real(x).sum(-1).log())


@OPERATIONS.operation("reduce_log_sum_exp")
def reduce_log_sum_exp(op: View) -> Call:
    """Logarithm of the sum of exponentials over ``axes`` (all); ``keep_dims`` (false). In fp16 0
    where that sum is beyond fp16, as on the Neural Engine.
    """

    def last(x: Tensor) -> Tensor:
        result = _real(x).logsumexp(-1)
        return torch.where(result > _LOG_OF_LARGEST_HALF, 0.0, result) if op.half else result

    return _reduce(op, last)


@OPERATIONS.operation("reduce_sum_square")
def reduce_sum_square(op: View) -> Call:
    """Sum of squares over ``axes`` (all); ``keep_dims`` (false)."""
    return _reduce(op, lambda x: _wide(x).square().sum(-1))


@OPERATIONS.operation("reduce_argmax", "reduce_argmin")
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


@OPERATIONS.operation("cumsum", "layer:cumsum")
def cumsum(op: View) -> Call:
    """Running sum along ``axis`` (0).

    Arguments: exclusive (false): each element is left out of its own sum; reverse (false): from
    the end. For a layer ``axis`` may be computed.
    """
    computed = op.operation.type != "cumsum"
    fixed = 0 if computed else op.option("axis", int, 0)
    exclusive, reverse = op.option("exclusive", bool, False), op.option("reverse", bool, False)

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        axis = fixed if given is None else int(single(given))
        x = x.flip(axis) if reverse else x
        if exclusive and x.shape[axis]:
            first = torch.zeros_like(x.narrow(axis, 0, 1))
            x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        total = torch.cumsum(x, axis)
        return total.flip(axis) if reverse else total

    return op.call(kernel, "x", *(["axis"] if computed else []))


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
        gathered = x.permute((*kept, *axes)).reshape(*sizes, prod(x.shape[axis] for axis in axes))
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


@OPERATIONS.operation("topk")
def topk(op: View) -> Call:
    """The ``k`` (1) greatest values along ``axis`` (-1), and their indices; equals in order.

    Arguments: k, -1 for all; ascending (false): the least instead; sort (true; the result is
    sorted either way); return_indices (true); output_indices_dtype int32 (default) | uint16.
    """
    axis, ascending = op.option("axis", int, -1), op.option("ascending", bool, False)
    indices_too = op.option("return_indices", bool, True)
    index_type = op.option("output_indices_dtype", str, "int32")
    if index_type not in {"int32", "uint16"}:
        raise op.refuse(f"output_indices_dtype '{index_type}' is neither int32 nor uint16")

    def kernel(x: Tensor, k: Tensor | None) -> Tensor | tuple[Tensor, ...]:
        count = 1 if k is None else int(single(k))
        count = x.shape[axis] if count == -1 else count
        order = torch.argsort(x, dim=axis, descending=not ascending, stable=True)
        order = order.narrow(axis, 0, count)
        values = torch.take_along_dim(x, order, axis)
        return (values, order) if indices_too else values

    return op.call(kernel, "x", "k?", exact=True)


@OPERATIONS.operation("argsort")
def argsort(op: View) -> Call:
    """Indices that sort ``x`` along ``axis`` (-1), descending unless ``ascending`` (false)."""
    axis, ascending = op.option("axis", int, -1), op.option("ascending", bool, False)
    return op.call(lambda x: torch.argsort(x, dim=axis, descending=not ascending, stable=True), "x")
