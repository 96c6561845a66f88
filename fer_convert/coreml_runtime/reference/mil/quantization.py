"""Values to 8-bit integers and back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.elementwise import as_type
from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()


@OPERATIONS.operation("quantize")
def quantize(op: View) -> Call:
    """``round(input / scale) + zero_point``, kept within ``output_dtype``; halves go to the even.

    Arguments: scale and zero_point (0) of one value, or of as many as ``axis`` has, output_dtype
    int8 | uint8.
    """
    dtype = op.option("output_dtype", str)
    if dtype not in {"int8", "uint8"}:
        raise op.refuse(f"output_dtype '{dtype}' is neither int8 nor uint8")
    along = _along(op)

    def kernel(x: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
        rounded = torch.round(x / along(scale, x))
        return as_type(rounded if zero is None else rounded + along(zero, x), dtype)

    return op.call(kernel, "input", "scale", "zero_point?")


@OPERATIONS.operation("dequantize")
def dequantize(op: View) -> Call:
    """``scale * (input - zero_point)``.

    Arguments: scale and zero_point (0) as in quantize.
    """
    along = _along(op)

    def kernel(x: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
        centred = x.float() if zero is None else x.float() - along(zero, x)
        return along(scale, x) * centred

    return op.call(kernel, "input", "scale", "zero_point?")


def _along(op: View) -> Callable[[Tensor, Tensor], Tensor]:
    """A parameter as fp32, so that it broadcasts along ``axis`` of the values."""
    axis = op.option("axis", int) if op.has("axis") else None

    def place(parameter: Tensor, x: Tensor) -> Tensor:
        if parameter.dim() == 0:
            return parameter.float()
        if axis is None or parameter.shape != (x.shape[axis],):
            raise ValueError(f"{list(parameter.shape)} parameters of {list(x.shape)}, axis {axis}")
        return parameter.float().reshape(-1, *(1,) * (x.dim() - 1 - axis % x.dim()))

    return place
