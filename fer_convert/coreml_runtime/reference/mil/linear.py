"""Products of matrices: linear, matmul, einsum, attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.graph import Constant
from fer_convert.coreml_runtime.limits import is_equation
from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()


@OPERATIONS.operation("linear")
def linear(op: View) -> Call:
    """``x @ weight.T + bias``: x ``[*, in]``, weight ``[out, in]``, bias ``[out]`` (zeros).

    weight and bias may have another type than x (iOS 17), but be no fractions where x is an
    integer.
    """

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, _of_type(op, weight, x), bias if bias is None else _of_type(op, bias, x))

    return op.call(kernel, "x", "weight", "bias?")


@OPERATIONS.operation("layer:linear")
def linear_of_images(op: View) -> Call:
    """As linear; where x has rank 4 or more, ``[*, C, H, W]`` with in = C * H * W, the result is
    ``[*, out, 1, 1]``."""

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.dim() < 4:
            return F.linear(x, weight, bias)
        return F.linear(x.flatten(-3), weight, bias)[..., None, None]

    return op.call(kernel, "x", "weight", "bias?")


@OPERATIONS.operation("layer:rounded_to_int8")
def rounded_to_int8(op: View) -> Call:
    """``x`` as 8-bit integers can hold it, with the scale that makes its greatest magnitude 127."""

    def kernel(x: Tensor) -> Tensor:
        scale = x.abs().max() / 127
        return x if scale == 0 else (x / scale).round() * scale

    return op.call(kernel, "x")


@OPERATIONS.operation("matmul", "layer:matmul")
def matmul(op: View) -> Call:
    """``x @ y``, leading axes broadcast; transpose_x, transpose_y (false) swap the last two.

    One constant operand may have another type (iOS 17), but hold no fractions where the other is
    an integer. For a layer a vector is a matrix of one row or column, and the result has both axes.
    """
    turn_x, turn_y = op.option("transpose_x", bool, False), op.option("transpose_y", bool, False)
    fixed_x, fixed_y = (isinstance(op.operation.arguments[n][0], Constant) for n in ("x", "y"))
    as_matrix = op.operation.type == "layer:matmul"

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        if fixed_y and not fixed_x:
            y = _of_type(op, y, x)
        if fixed_x and not fixed_y:
            x = _of_type(op, x, y)
        if as_matrix:
            x = x.unsqueeze(0) if x.dim() == 1 else x
            y = y.unsqueeze(1) if y.dim() == 1 else y
        left = x.mT if turn_x and x.dim() > 1 else x
        right = y.mT if turn_y and y.dim() > 1 else y
        return torch.matmul(left, right)

    return op.call(kernel, "x", "y")


@OPERATIONS.operation("einsum")
def einsum(op: View) -> Call:
    """Sum of products of ``values`` by ``equation``, e.g. ``bij,bjk->bik``."""
    equation = op.option("equation", str)
    if not is_equation(equation, operands=len(op.operation.arguments["values"])):
        raise op.refuse(f"equation {equation!r}")
    return op.call(lambda *values: torch.einsum(equation, *values), "values")


@OPERATIONS.operation("scaled_dot_product_attention")
def attention(op: View) -> Call:
    """``softmax(query @ key.T / sqrt(E) + mask) @ value`` over the last two axes.

    Arguments: query ``[B, *, L, E]``, key ``[B, *, S, E]``, value ``[B, *, S, V]``, attn_mask
    (optional): floats are added, booleans keep where true.
    """

    def kernel(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        if mask is None:
            return result
        # A row without any key is 0 / 0; torch makes zeros of it.
        hidden = ~mask if mask.dtype == torch.bool else mask == -torch.inf
        return result.masked_fill(hidden.all(-1, keepdim=True), torch.nan)

    return op.call(kernel, "query", "key", "value", "attn_mask?")


def _of_type(op: View, constant: Tensor, other: Tensor) -> Tensor:
    """``constant`` in the type of what it multiplies."""
    floats = constant.is_floating_point() and not other.is_floating_point()
    if floats and (constant != constant.trunc()).any():
        raise op.unsupported("fractions times integers, whose rounding is not specified")
    return constant.to(other.dtype)
