"""Truth values: comparison, logic, selection. A comparison with NaN is false, except not_equal."""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()


@OPERATIONS.operation("equal")
def equal(op: View) -> Call:
    """Whether ``x == y``, broadcast."""
    return op.call(torch.eq, "x", "y")


@OPERATIONS.operation("not_equal")
def not_equal(op: View) -> Call:
    """Whether ``x != y``, broadcast."""
    return op.call(torch.ne, "x", "y")


@OPERATIONS.operation("greater")
def greater(op: View) -> Call:
    """Whether ``x > y``, broadcast."""
    return op.call(torch.gt, "x", "y")


@OPERATIONS.operation("greater_equal")
def greater_equal(op: View) -> Call:
    """Whether ``x >= y``, broadcast."""
    return op.call(torch.ge, "x", "y")


@OPERATIONS.operation("less")
def less(op: View) -> Call:
    """Whether ``x < y``, broadcast."""
    return op.call(torch.lt, "x", "y")


@OPERATIONS.operation("less_equal")
def less_equal(op: View) -> Call:
    """Whether ``x <= y``, broadcast."""
    return op.call(torch.le, "x", "y")


@OPERATIONS.operation("logical_and")
def logical_and(op: View) -> Call:
    """Whether both ``x`` and ``y`` are true, broadcast."""
    return op.call(torch.logical_and, "x", "y")


@OPERATIONS.operation("logical_or")
def logical_or(op: View) -> Call:
    """Whether ``x`` or ``y`` is true, broadcast."""
    return op.call(torch.logical_or, "x", "y")


@OPERATIONS.operation("logical_xor")
def logical_xor(op: View) -> Call:
    """Whether just one of ``x`` and ``y`` is true, broadcast."""
    return op.call(torch.logical_xor, "x", "y")


@OPERATIONS.operation("logical_not")
def logical_not(op: View) -> Call:
    """Whether ``x`` is false."""
    return op.call(torch.logical_not, "x")


@OPERATIONS.operation("select")
def select(op: View) -> Call:
    """``a`` where ``cond``, else ``b``, broadcast; without both, the indices where ``cond``."""

    def kernel(cond: Tensor, a: Tensor | None, b: Tensor | None) -> Tensor:
        if a is None and b is None:
            return torch.nonzero(cond)
        if a is None or b is None:
            raise ValueError("one of a and b is missing")
        return torch.where(cond.bool(), a, b)

    return op.call(kernel, "cond", "a?", "b?", exact=True)
