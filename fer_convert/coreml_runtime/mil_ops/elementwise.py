"""Element by element: arithmetic of two operands, and casts.

int32 arithmetic wraps around, as the processor's does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View

# The plan rounds floats to their declared type, so every float type is fp32 here.
_FLOATS = {"fp16", "fp32"}
_BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32}


@MIL.operation("add")
def add(op: View) -> Call:
    """``x + y``, broadcast."""
    return op.call(torch.add, "x", "y")


@MIL.operation("sub")
def sub(op: View) -> Call:
    """``x - y``, broadcast."""
    return op.call(torch.sub, "x", "y")


@MIL.operation("mul")
def mul(op: View) -> Call:
    """``x * y``, broadcast."""
    return op.call(torch.mul, "x", "y")


@MIL.operation("real_div")
def real_div(op: View) -> Call:
    """``x / y``, broadcast; integers are divided as by floor_div unless a float is declared."""
    declared_float = op.operation.outputs[0].element.is_float

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        if declared_float or x.is_floating_point() or y.is_floating_point():
            return torch.true_divide(x, y)
        return floor_divide(x, y)

    return op.call(kernel, "x", "y")


@MIL.operation("floor_div")
def floor_div(op: View) -> Call:
    """``x / y`` rounded down, broadcast; an integer divided by zero is an error."""
    return op.call(floor_divide, "x", "y")


@MIL.operation("mod")
def mod(op: View) -> Call:
    """``x - y * floor(x / y)``, broadcast: it has the sign of ``y``."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return torch.remainder(x, _without_minus_one(x, y))

    return op.call(kernel, "x", "y")


@MIL.operation("pow")
def power(op: View) -> Call:
    """``x`` to the power ``y``, broadcast; of integers, a negative power drops its fraction."""
    return op.call(torch.pow, "x", "y")


@MIL.operation("maximum")
def maximum(op: View) -> Call:
    """The greater of ``x`` and ``y``, broadcast; NaN if either is."""
    return op.call(torch.maximum, "x", "y", exact=True)


@MIL.operation("minimum")
def minimum(op: View) -> Call:
    """The lesser of ``x`` and ``y``, broadcast; NaN if either is."""
    return op.call(torch.minimum, "x", "y", exact=True)


@MIL.operation("cast")
def cast(op: View) -> Call:
    """``x`` as ``dtype``: a float loses its fraction and stays in range, an integer wraps around.

    Arguments: dtype fp16 | fp32 | int8 | uint8 | int16 | uint16 | int32 | bool. NaN becomes 0 as
    an integer, and true.
    """
    name = op.option("dtype", str)
    if name not in _FLOATS | _BITS.keys() | {"bool"}:
        raise op.refuse(
            f"dtype '{name}' is none of {', '.join(sorted(_FLOATS | _BITS.keys()))}, bool"
        )
    # Not exact: a constant operand of another type was never rounded.
    return op.call(lambda x: as_type(x, name), "x")


def as_type(x: Tensor, name: str) -> Tensor:
    """Convert to a type of MIL; uint16 comes as int32."""
    if name in _FLOATS:
        return x.float()
    if name == "bool":
        return x != 0
    bits, unsigned = _BITS[name], name.startswith("u")
    low = 0 if unsigned else -(1 << (bits - 1))
    high = low + (1 << bits) - 1
    if x.is_floating_point():
        bounded = x.double().nan_to_num(0.0, posinf=high, neginf=low).clamp(low, high)
        integers = bounded.long()
    else:
        integers = (x.long() - low) % (1 << bits) + low
    return integers.to(torch.uint8 if name == "uint8" else torch.int32)


def floor_divide(x: Tensor, y: Tensor) -> Tensor:
    """``x / y`` rounded down."""
    safe = _without_minus_one(x, y)
    if safe is y:
        return torch.floor_divide(x, y)
    return torch.where(y == -1, -x, torch.floor_divide(x, safe))


def _without_minus_one(x: Tensor, y: Tensor) -> Tensor:
    # Dividing the least integer by -1 traps and would end the process.
    if x.is_floating_point() or y.is_floating_point():
        return y
    return torch.where(y == -1, torch.ones_like(y), y)
