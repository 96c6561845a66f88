"""ML Program: arithmetic, casts, functions."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.narrow import NARROW, refuse_narrow
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()

_FUNCTIONS = {
    "abs": "Abs", "acos": "Acos", "asin": "Asin", "atan": "Atan", "atanh": "Atanh",
    "layer:acosh": "Acosh", "layer:asinh": "Asinh",
    "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf", "exp": "Exp", "floor": "Floor",
    "round": "Round", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "tan": "Tan",
    "tanh": "Tanh",
}  # fmt: skip


_PAIRS = {"add": "Add", "sub": "Sub", "mul": "Mul", "maximum": "Max", "minimum": "Min"}


_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}


@OPERATIONS.lowering(*_FUNCTIONS)
def function(op: Source) -> str:
    op.only_floats("x")
    result: str = op.node(_FUNCTIONS[op.kind], op.operand("x"))
    return result


@OPERATIONS.lowering(*_PAIRS)
def pair(op: Source) -> str:
    refuse_narrow(op)
    result: str = op.node(_PAIRS[op.kind], op.operand("x"), op.operand("y"))
    return result


@OPERATIONS.lowering("real_div")
def real_div(op: Source) -> str:
    op.only_floats("x", "y")
    result: str = op.node("Div", op.operand("x"), op.operand("y"))
    return result


@OPERATIONS.lowering("floor_div")
def floor_div(op: Source) -> str:
    x, y = op.operand("x"), op.operand("y")
    if op.result.element.is_float:
        return _floor_divide(op, x, y)
    _check_divisor(op)
    # ONNX divides integers towards zero; in double, int32 is exact.
    wide = op.node("Div", op.cast(x, np.float64), op.cast(y, np.float64))
    return op.cast(op.node("Floor", wide), np.int32)


@OPERATIONS.lowering("mod")
def mod(op: Source) -> str:
    x, y = op.operand("x"), op.operand("y")
    if not op.result.element.is_float:
        _check_divisor(op)
        result: str = op.node("Mod", x, y)
        return result
    rest, other = _remainder(op, x, y)
    result = op.node("Where", other, op.node("Add", rest, y), rest)
    return result


@OPERATIONS.lowering("pow")
def power(op: Source) -> str:
    op.only_floats("x", "y")
    exponent = op.operand("y")
    result: str = op.node("Pow", op.operand("x"), exponent)
    if op.is_constant("y") and op.literal("y").all():
        return result
    zero = op.scalar(0.0)
    return str(op.node("Where", op.node("Equal", exponent, zero), zero, result))


@OPERATIONS.lowering("cast")
def cast(op: Source) -> str:
    name, x, given = op.option("dtype", str), op.operand("x"), op.element("x")
    if name in {"fp16", "fp32"}:
        return op.cast(x, np.float32)
    if name == "bool":
        return op.cast(x, np.bool_)
    if NARROW & {name, op.result.element.name} and op.result.element.name != name:
        raise Unlowered(f"a result of {op.result.element.name} for {name}")
    low, high = _RANGES.get(name, (-(1 << 31), (1 << 31) - 1))
    if name != "int32" and name not in _RANGES:
        raise Unlowered(f"dtype '{name}'")
    if not given.is_float:
        whole = op.cast(x, np.int32)
        if name not in _RANGES or given.name in {name, "bool"}:
            return whole
        # Narrower integers wrap around; ONNX's Mod has the sign of its divisor.
        start, count = op.scalar(low, np.int32), op.scalar(high - low + 1, np.int32)
        result: str = op.node("Add", op.node("Mod", op.node("Sub", whole, start), count), start)
        return result
    wide = op.cast(x, np.float64)
    known = op.node("Where", op.node("IsNaN", wide), op.scalar(0, np.float64), wide)
    bounds = (op.scalar(low, np.float64), op.scalar(high, np.float64))
    return op.cast(op.node("Clip", known, *bounds), np.int32)


@OPERATIONS.lowering("clip")
def clip(op: Source) -> str:
    low, high = op.operand("alpha"), op.operand("beta")
    result: str = op.node("Clip", op.operand("x"), low, high)
    return result


@OPERATIONS.lowering("threshold")
def threshold(op: Source) -> str:
    result: str = op.node("Max", op.operand("x"), op.operand("alpha"))
    return result


@OPERATIONS.lowering("exp2")
def exp2(op: Source) -> str:
    op.only_floats("x")
    result: str = op.node("Pow", op.scalar(2.0), op.operand("x"))
    return result


@OPERATIONS.lowering("square")
def square(op: Source) -> str:
    refuse_narrow(op)
    x = op.operand("x")
    result: str = op.node("Mul", x, x)
    return result


@OPERATIONS.lowering("inverse")
def inverse(op: Source) -> str:
    result: str = op.node("Reciprocal", _plus_epsilon(op, 1e-4))
    return result


@OPERATIONS.lowering("log")
def log(op: Source) -> str:
    result: str = op.node("Log", _plus_epsilon(op, 1e-45))
    return result


@OPERATIONS.lowering("rsqrt")
def rsqrt(op: Source) -> str:
    result: str = op.node("Reciprocal", op.node("Sqrt", _plus_epsilon(op, 1e-12)))
    return result


def _floor_divide(op: Source, x: str, y: str) -> str:
    """The exact quotient rounded down: a quotient that was rounded already may be a whole number
    too large, as 1 / 0.1 is."""
    x, y = op.cast(x, np.float64), op.cast(y, np.float64)
    zero, one = op.scalar(0, np.float64), op.scalar(1, np.float64)
    rest, other = _remainder(op, x, y)
    quotient = op.node("Div", op.node("Sub", x, rest), y)
    whole = op.node("Round", op.node("Where", other, op.node("Sub", quotient, one), quotient))
    result = op.node("Where", op.node("Equal", y, zero), op.node("Div", x, y), whole)
    return op.cast(result, np.float32)


def _remainder(op: Source, x: str, y: str) -> tuple[str, str]:
    """What is left of ``x``, with its sign, and where that is not the sign of ``y``."""
    rest = op.node("Mod", x, y, fmod=1)
    signs = op.node("Mul", op.node("Sign", rest), op.node("Sign", y))
    other = op.node("Less", signs, op.node("Sub", signs, signs))
    return rest, other


def _plus_epsilon(op: Source, default: float) -> str:
    op.only_floats("x")
    # The default is a value of the result's own type; a tiny one is 0 in fp16.
    half = op.result.element.name == "fp16"
    epsilon = op.option("epsilon", float, float(np.float16(default)) if half else default)
    result: str = op.node("Add", op.operand("x"), op.scalar(epsilon))
    return result


def _check_divisor(op: Source) -> None:
    """An integer divided by zero, or the least one by -1, would end the process."""
    refuse_narrow(op)
    if not op.is_constant("y") or np.isin(op.literal("y"), (0, -1)).any():
        raise Unlowered("an integer divisor that may be 0 or -1")
