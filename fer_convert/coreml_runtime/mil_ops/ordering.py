"""Sorting, and the selection of boxes by score. NaN counts as the greatest value."""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View


@MIL.operation("topk")
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
        count = 1 if k is None else int(k)
        count = x.shape[axis] if count == -1 else count
        order = torch.argsort(x, dim=axis, descending=not ascending, stable=True)
        order = order.narrow(axis, 0, count)
        values = torch.take_along_dim(x, order, axis)
        return (values, order) if indices_too else values

    return op.call(kernel, "x", "k?", exact=True)


@MIL.operation("argsort")
def argsort(op: View) -> Call:
    """Indices that sort ``x`` along ``axis`` (-1), descending unless ``ascending`` (false)."""
    axis, ascending = op.option("axis", int, -1), op.option("ascending", bool, False)
    return op.call(lambda x: torch.argsort(x, dim=axis, descending=not ascending, stable=True), "x")
