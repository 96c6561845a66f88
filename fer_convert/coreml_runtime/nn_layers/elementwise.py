"""Element by element: arithmetic, functions, comparisons, logic.

A NeuralNetwork has no truth values: they are 0 and 1, and every other number counts as true.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View

Binary = Callable[[Tensor, Tensor], Tensor]
Unary = Callable[[Tensor], Tensor]

_SQRT, _RSQRT, _INVERSE, _POWER, _EXP, _LOG, _ABS, _THRESHOLD = range(8)


@LAYERS.operation("add")
def add(op: View) -> Call:
    """Sum of all inputs, broadcast; a single input is increased by ``alpha``."""
    return _fold(op, torch.add)


@LAYERS.operation("multiply")
def multiply(op: View) -> Call:
    """Product of all inputs, broadcast; a single input is multiplied by ``alpha``."""
    return _fold(op, torch.mul)


@LAYERS.operation("max")
def greatest(op: View) -> Call:
    """The greatest of all inputs, broadcast."""
    return _all_inputs(op, torch.maximum, exact=True)


@LAYERS.operation("min")
def least(op: View) -> Call:
    """The least of all inputs, broadcast."""
    return _all_inputs(op, torch.minimum, exact=True)


@LAYERS.operation("average")
def average(op: View) -> Call:
    """Mean of all inputs, broadcast."""
    count = len(op.operation.arguments["input"])
    return op.call(lambda *values: functools.reduce(torch.add, values) / count, "input")


@LAYERS.operation("unary")
def unary(op: View) -> Call:
    """A function of ``scale * x + shift``: sqrt, 1/sqrt, 1/x, power, exp, log, abs, threshold.

    Fields: type, alpha (the exponent, or the least value), epsilon (1e-6; added under the root of
    1/sqrt and to the divisor of 1/x), shift (0), scale (1, also where it is 0).
    """
    params = op.params
    alpha, epsilon = params.alpha, params.epsilon or 1e-6
    shift, scale = params.shift, params.scale or 1.0
    functions: dict[int, Unary] = {
        _SQRT: torch.sqrt,
        _RSQRT: lambda x: torch.rsqrt(x + epsilon),
        _INVERSE: lambda x: torch.reciprocal(x + epsilon),
        _POWER: lambda x: torch.pow(x, alpha),
        _EXP: torch.exp,
        _LOG: torch.log,
        _ABS: torch.abs,
        _THRESHOLD: lambda x: x.clamp(min=alpha),
    }
    if params.type not in functions:
        raise op.unsupported(f"function {params.type}")
    function = functions[params.type]
    return op.call(lambda x: function(scale * x + shift), "input")


@LAYERS.operation("clip")
def clip(op: View) -> Call:
    """``x`` limited to ``minVal`` and ``maxVal``."""
    low, high = op.params.minVal, op.params.maxVal
    return op.call(lambda x: x.clamp(low, high), "input")


@LAYERS.operation("copy")
def copy(op: View) -> Call:
    """The input under another name."""
    return op.call(lambda x: x, "input", exact=True)


def _fold(op: View, function: Binary) -> Call:
    if len(op.operation.arguments["input"]) == 1:
        alpha = torch.tensor(op.params.alpha)
        return op.call(lambda x: function(x, alpha), "input")
    return _all_inputs(op, function)


def _all_inputs(op: View, function: Binary, *, exact: bool = False) -> Call:
    return op.call(lambda *values: functools.reduce(function, values), "input", exact=exact)


def _register_function(name: str, function: Unary, summary: str) -> None:
    def layer(op: View) -> Call:
        return op.call(function, "input")

    layer.__doc__ = summary
    LAYERS.operation(name)(layer)


def _register_pair(name: str, function: Binary, summary: str) -> None:
    def layer(op: View) -> Call:
        return op.call(function, "input")

    layer.__doc__ = summary
    LAYERS.operation(name)(layer)


def _register_comparison(name: str, function: Binary, sign: str) -> None:
    def layer(op: View) -> Call:
        if len(op.operation.arguments["input"]) == 1:
            alpha = torch.tensor(op.params.alpha)
            return op.call(lambda x: function(x, alpha), "input")
        return op.call(function, "input")

    layer.__doc__ = f"1 where ``x {sign} y``, broadcast, else 0; a single input meets ``alpha``."
    LAYERS.operation(name)(layer)


for _name, _function in {
    "ceil": torch.ceil, "floor": torch.floor, "sign": torch.sign, "round": torch.round,
    "exp2": torch.exp2, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "asin": torch.asin,
    "acos": torch.acos, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh,
    "tanh": torch.tanh, "asinh": torch.asinh, "acosh": torch.acosh, "atanh": torch.atanh,
    "erf": torch.erf,
}.items():  # fmt: skip
    _register_function(_name, _function, f"``{_name}(x)``.")

for _name, _pair, _what in (
    ("addBroadcastable", torch.add, "``x + y``, broadcast."),
    ("subtractBroadcastable", torch.sub, "``x - y``, broadcast."),
    ("multiplyBroadcastable", torch.mul, "``x * y``, broadcast."),
    ("divideBroadcastable", torch.true_divide, "``x / y``, broadcast."),
    ("floorDivBroadcastable", torch.floor_divide, "``x / y`` rounded down, broadcast."),
    ("modBroadcastable", torch.remainder, "``x mod y`` with the sign of ``y``, broadcast."),
    ("powBroadcastable", torch.pow, "``x`` to the power ``y``, broadcast."),
    ("maxBroadcastable", torch.maximum, "The greater of both, broadcast."),
    ("minBroadcastable", torch.minimum, "The lesser of both, broadcast."),
    ("logicalAnd", torch.logical_and, "1 where both are true, broadcast, else 0."),
    ("logicalOr", torch.logical_or, "1 where one is true, broadcast, else 0."),
    ("logicalXor", torch.logical_xor, "1 where exactly one is true, broadcast, else 0."),
):
    _register_pair(_name, _pair, _what)

_register_function("logicalNot", torch.logical_not, "1 where ``x`` is 0, else 0.")

for _name, _pair, _what in (
    ("equal", torch.eq, "=="),
    ("notEqual", torch.ne, "!="),
    ("lessThan", torch.lt, "<"),
    ("lessEqual", torch.le, "<="),
    ("greaterThan", torch.gt, ">"),
    ("greaterEqual", torch.ge, ">="),
):
    _register_comparison(_name, _pair, _what)
