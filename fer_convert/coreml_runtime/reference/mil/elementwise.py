"""Element by element: arithmetic of two operands, and casts.

int32 arithmetic wraps around, as the processor's does.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()

# The plan rounds floats to their declared type, so every float type is fp32 here.
_FLOATS = {"fp16", "fp32"}


_BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32}


@OPERATIONS.operation("add")
def add(op: View) -> Call:
    """``x + y``, broadcast."""
    return op.call(torch.add, "x", "y")


@OPERATIONS.operation("sub")
def sub(op: View) -> Call:
    """``x - y``, broadcast."""
    return op.call(torch.sub, "x", "y")


@OPERATIONS.operation("mul")
def mul(op: View) -> Call:
    """``x * y``, broadcast."""
    return op.call(torch.mul, "x", "y")


@OPERATIONS.operation("real_div")
def real_div(op: View) -> Call:
    """``x / y``, broadcast; integers are divided as by floor_div unless a float is declared."""
    declared_float = op.operation.outputs[0].element.is_float

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        if declared_float or x.is_floating_point() or y.is_floating_point():
            return torch.true_divide(x, y)
        return floor_divide(x, y)

    return op.call(kernel, "x", "y")


@OPERATIONS.operation("floor_div")
def floor_div(op: View) -> Call:
    """``x / y`` rounded down, broadcast; an integer divided by zero is an error."""
    return op.call(floor_divide, "x", "y")


@OPERATIONS.operation("mod")
def mod(op: View) -> Call:
    """``x - y * floor(x / y)``, broadcast: it has the sign of ``y``."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        if x.is_floating_point() and y.is_floating_point():
            # In fp32 torch knows no remainder of a subnormal divisor.
            return torch.remainder(x.double(), y.double()).float()
        return torch.remainder(x, _without_minus_one(x, y))

    return op.call(kernel, "x", "y")


@OPERATIONS.operation("pow")
def power(op: View) -> Call:
    """``x`` to the power ``y``, broadcast; a float to the power 0 is 0, as it was measured on Core
    ML; of integers, a negative power drops its fraction.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        result = torch.pow(x, y)
        if not result.is_floating_point() or bool(y.all()):
            return result
        return torch.where(y == 0, 0.0, result)

    return op.call(kernel, "x", "y")


@OPERATIONS.operation("maximum")
def maximum(op: View) -> Call:
    """The greater of ``x`` and ``y``, broadcast; NaN if either is."""
    return op.call(torch.maximum, "x", "y", exact=True)


@OPERATIONS.operation("minimum")
def minimum(op: View) -> Call:
    """The lesser of ``x`` and ``y``, broadcast; NaN if either is."""
    return op.call(torch.minimum, "x", "y", exact=True)


@OPERATIONS.operation("cast")
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


@OPERATIONS.operation("abs")
def absolute(op: View) -> Call:
    """``|x|``."""
    return op.call(torch.abs, "x", exact=True)


@OPERATIONS.operation("acos")
def acos(op: View) -> Call:
    """Inverse cosine; NaN outside -1..1."""
    return op.call(torch.acos, "x")


@OPERATIONS.operation("asin")
def asin(op: View) -> Call:
    """Inverse sine; NaN outside -1..1."""
    return op.call(torch.asin, "x")


@OPERATIONS.operation("layer:acosh")
def acosh(op: View) -> Call:
    """Inverse hyperbolic cosine; NaN below 1."""
    return op.call(torch.acosh, "x")


@OPERATIONS.operation("layer:asinh")
def asinh(op: View) -> Call:
    """Inverse hyperbolic sine."""
    return op.call(torch.asinh, "x")


@OPERATIONS.operation("atan")
def atan(op: View) -> Call:
    """Inverse tangent."""
    return op.call(torch.atan, "x")


@OPERATIONS.operation("atanh")
def atanh(op: View) -> Call:
    """Inverse hyperbolic tangent; NaN outside -1..1."""
    return op.call(torch.atanh, "x")


@OPERATIONS.operation("ceil")
def ceil(op: View) -> Call:
    """``x`` rounded up."""
    return op.call(torch.ceil, "x")


@OPERATIONS.operation("clip")
def clip(op: View) -> Call:
    """``x`` bounded by the constants ``alpha`` below and ``beta`` above; NaN stays."""
    return op.call(
        lambda x, low, high: torch.minimum(torch.maximum(x, low), high), "x", "alpha", "beta"
    )


@OPERATIONS.operation("cos")
def cos(op: View) -> Call:
    """Cosine of ``x`` in radians."""
    return op.call(torch.cos, "x")


@OPERATIONS.operation("cosh")
def cosh(op: View) -> Call:
    """Hyperbolic cosine."""
    return op.call(lambda x: _hyperbolic(x, torch.cosh, x.abs().sign()), "x")


@OPERATIONS.operation("erf")
def erf(op: View) -> Call:
    """Error function."""
    return op.call(torch.erf, "x")


@OPERATIONS.operation("exp")
def exp(op: View) -> Call:
    """``e`` to the power ``x``."""
    return op.call(torch.exp, "x")


@OPERATIONS.operation("exp2")
def exp2(op: View) -> Call:
    """2 to the power ``x``; of integers, a negative power is 0."""
    return op.call(lambda x: torch.pow(torch.full_like(x, 2), x), "x")


@OPERATIONS.operation("floor")
def floor(op: View) -> Call:
    """``x`` rounded down."""
    return op.call(torch.floor, "x")


@OPERATIONS.operation("inverse")
def inverse(op: View) -> Call:
    """``1 / (x + epsilon)``; epsilon (1e-4)."""
    epsilon = _epsilon(op, 1e-4)
    return op.call(lambda x: 1 / (x + epsilon), "x")


@OPERATIONS.operation("log")
def log(op: View) -> Call:
    """``log(x + epsilon)``; epsilon (1e-45)."""
    epsilon = _epsilon(op, 1e-45)
    return op.call(lambda x: torch.log(x + epsilon), "x")


@OPERATIONS.operation("round")
def round_even(op: View) -> Call:
    """``x`` rounded to the nearest integer, halves to the even one."""
    return op.call(torch.round, "x")


@OPERATIONS.operation("rsqrt")
def rsqrt(op: View) -> Call:
    """``1 / sqrt(x + epsilon)``; epsilon (1e-12)."""
    epsilon = _epsilon(op, 1e-12)
    return op.call(lambda x: torch.rsqrt(x + epsilon), "x")


@OPERATIONS.operation("sign")
def sign(op: View) -> Call:
    """-1, 0 or 1 by the sign of ``x``; NaN stays."""
    return op.call(lambda x: torch.where(x == x, torch.sign(x), x), "x")


@OPERATIONS.operation("sin")
def sin(op: View) -> Call:
    """Sine of ``x`` in radians."""
    return op.call(torch.sin, "x")


@OPERATIONS.operation("sinh")
def sinh(op: View) -> Call:
    """Hyperbolic sine."""
    return op.call(lambda x: _hyperbolic(x, torch.sinh, x.sign()), "x")


@OPERATIONS.operation("sqrt")
def sqrt(op: View) -> Call:
    """Square root; NaN below 0."""
    return op.call(torch.sqrt, "x")


@OPERATIONS.operation("square")
def square(op: View) -> Call:
    """``x * x``."""
    return op.call(torch.square, "x")


@OPERATIONS.operation("tan")
def tan(op: View) -> Call:
    """Tangent of ``x`` in radians."""
    return op.call(torch.tan, "x")


@OPERATIONS.operation("tanh")
def tanh(op: View) -> Call:
    """Hyperbolic tangent."""
    return op.call(torch.tanh, "x")


@OPERATIONS.operation("threshold")
def threshold(op: View) -> Call:
    """``max(x, alpha)``; ``alpha`` is a constant."""
    return op.call(torch.maximum, "x", "alpha")


def _hyperbolic(x: Tensor, function: Callable[[Tensor], Tensor], sign: Tensor) -> Tensor:
    """``function``, which is ``sign * exp(|x|) / 2`` where torch's own exp(|x|) is infinite."""
    root = torch.exp(x.abs() / 2)
    return torch.where(x.abs() > 88, sign * (root / 2) * root, function(x))


def _epsilon(op: View, default: float) -> float:
    """The default is a value of the operation's own type: in fp16 a tiny one is 0."""
    if op.operation.outputs[0].element.name == "fp16":
        default = float(torch.tensor(default).half())
    return op.option("epsilon", float, default)
