"""Element by element: functions of one operand."""

from __future__ import annotations

import torch

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View


@MIL.operation("abs")
def absolute(op: View) -> Call:
    """``|x|``."""
    return op.call(torch.abs, "x", exact=True)


@MIL.operation("acos")
def acos(op: View) -> Call:
    """Inverse cosine; NaN outside -1..1."""
    return op.call(torch.acos, "x")


@MIL.operation("asin")
def asin(op: View) -> Call:
    """Inverse sine; NaN outside -1..1."""
    return op.call(torch.asin, "x")


@MIL.operation("atan")
def atan(op: View) -> Call:
    """Inverse tangent."""
    return op.call(torch.atan, "x")


@MIL.operation("atanh")
def atanh(op: View) -> Call:
    """Inverse hyperbolic tangent; NaN outside -1..1."""
    return op.call(torch.atanh, "x")


@MIL.operation("ceil")
def ceil(op: View) -> Call:
    """``x`` rounded up."""
    return op.call(torch.ceil, "x")


@MIL.operation("clip")
def clip(op: View) -> Call:
    """``x`` bounded by the constants ``alpha`` below and ``beta`` above; NaN stays."""
    return op.call(
        lambda x, low, high: torch.minimum(torch.maximum(x, low), high), "x", "alpha", "beta"
    )


@MIL.operation("cos")
def cos(op: View) -> Call:
    """Cosine of ``x`` in radians."""
    return op.call(torch.cos, "x")


@MIL.operation("cosh")
def cosh(op: View) -> Call:
    """Hyperbolic cosine."""
    return op.call(torch.cosh, "x")


@MIL.operation("erf")
def erf(op: View) -> Call:
    """Error function."""
    return op.call(torch.erf, "x")


@MIL.operation("exp")
def exp(op: View) -> Call:
    """``e`` to the power ``x``."""
    return op.call(torch.exp, "x")


@MIL.operation("exp2")
def exp2(op: View) -> Call:
    """2 to the power ``x``; of integers, a negative power is 0."""
    return op.call(lambda x: torch.pow(torch.full_like(x, 2), x), "x")


@MIL.operation("floor")
def floor(op: View) -> Call:
    """``x`` rounded down."""
    return op.call(torch.floor, "x")


@MIL.operation("inverse")
def inverse(op: View) -> Call:
    """``1 / (x + epsilon)``; epsilon (1e-4)."""
    epsilon = _epsilon(op, 1e-4)
    return op.call(lambda x: 1 / (x + epsilon), "x")


@MIL.operation("log")
def log(op: View) -> Call:
    """``log(x + epsilon)``; epsilon (1e-45)."""
    epsilon = _epsilon(op, 1e-45)
    return op.call(lambda x: torch.log(x + epsilon), "x")


@MIL.operation("round")
def round_even(op: View) -> Call:
    """``x`` rounded to the nearest integer, halves to the even one."""
    return op.call(torch.round, "x")


@MIL.operation("rsqrt")
def rsqrt(op: View) -> Call:
    """``1 / sqrt(x + epsilon)``; epsilon (1e-12)."""
    epsilon = _epsilon(op, 1e-12)
    return op.call(lambda x: torch.rsqrt(x + epsilon), "x")


@MIL.operation("sign")
def sign(op: View) -> Call:
    """-1, 0 or 1 by the sign of ``x``; NaN stays."""
    return op.call(lambda x: torch.where(x == x, torch.sign(x), x), "x")


@MIL.operation("sin")
def sin(op: View) -> Call:
    """Sine of ``x`` in radians."""
    return op.call(torch.sin, "x")


@MIL.operation("sinh")
def sinh(op: View) -> Call:
    """Hyperbolic sine."""
    return op.call(torch.sinh, "x")


@MIL.operation("sqrt")
def sqrt(op: View) -> Call:
    """Square root; NaN below 0."""
    return op.call(torch.sqrt, "x")


@MIL.operation("square")
def square(op: View) -> Call:
    """``x * x``."""
    return op.call(torch.square, "x")


@MIL.operation("tan")
def tan(op: View) -> Call:
    """Tangent of ``x`` in radians."""
    return op.call(torch.tan, "x")


@MIL.operation("tanh")
def tanh(op: View) -> Call:
    """Hyperbolic tangent."""
    return op.call(torch.tanh, "x")


@MIL.operation("threshold")
def threshold(op: View) -> Call:
    """``max(x, alpha)``; ``alpha`` is a constant."""
    return op.call(torch.maximum, "x", "alpha")


def _epsilon(op: View, default: float) -> float:
    """The default is a value of the operation's own type: in fp16 a tiny one is 0."""
    if op.operation.outputs[0].element.name == "fp16":
        default = float(torch.tensor(default).half())
    return op.option("epsilon", float, default)
