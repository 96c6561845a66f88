"""Element by element: arithmetic, functions, comparisons, logic.

A NeuralNetwork has no truth values: they are 0 and 1, and every other number counts as true.
"""

from __future__ import annotations

from functools import partial, reduce

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes

RECIPES = Recipes()

_SQRT, _RSQRT, _INVERSE, _POWER, _EXP, _LOG, _ABS, _THRESHOLD = range(8)  # UnaryFunctionLayerParams


@RECIPES.operation("add")
def add(layer: Layer) -> Value:
    """Sum of all inputs, broadcast; a single input is increased by ``alpha``."""
    return _fold(layer, "add")


@RECIPES.operation("multiply")
def multiply(layer: Layer) -> Value:
    """Product of all inputs, broadcast; a single input is multiplied by ``alpha``."""
    return _fold(layer, "mul")


@RECIPES.operation("max")
def greatest(layer: Layer) -> Value:
    """The greatest of all inputs, broadcast."""
    return _all_inputs(layer, "maximum")


@RECIPES.operation("min")
def least(layer: Layer) -> Value:
    """The least of all inputs, broadcast."""
    return _all_inputs(layer, "minimum")


@RECIPES.operation("average")
def average(layer: Layer) -> Value:
    """Mean of all inputs, broadcast."""
    total = _all_inputs(layer, "add")
    return layer.add("real_div", x=total, y=float(len(layer.inputs)))


@RECIPES.operation("unary")
def unary(layer: Layer) -> Value:
    """A function of ``scale * x + shift``: sqrt, 1/sqrt, 1/x, power, exp, log, abs, threshold.

    Fields: type, alpha (the exponent, or the least value), epsilon (1e-6; added under the root of
    1/sqrt and to the divisor of 1/x; 0, to the operand of log), shift (0), scale (1, also where it
    is 0).
    """
    p = layer.params
    epsilon = p.epsilon or 1e-6
    x = layer.add("linear_activation", x=layer.x, alpha=p.scale or 1.0, beta=p.shift)
    if p.type in {_RSQRT, _INVERSE}:
        return layer.add("rsqrt" if p.type == _RSQRT else "inverse", x=x, epsilon=epsilon)
    if p.type == _POWER:
        return layer.add("pow", x=x, y=p.alpha)
    if p.type == _THRESHOLD:
        return layer.add("threshold", x=x, alpha=p.alpha)
    if p.type == _LOG:
        # Of log the specification says nothing; coremltools' tests on Apple's systems expect it.
        return layer.add("log", x=x, epsilon=p.epsilon)
    return layer.add({_SQRT: "sqrt", _EXP: "exp", _ABS: "abs"}[p.type], x=x)


@RECIPES.operation("clip")
def clip(layer: Layer) -> Value:
    """``x`` limited to ``minVal`` and ``maxVal``."""
    return layer.add("clip", x=layer.x, alpha=layer.params.minVal, beta=layer.params.maxVal)


@RECIPES.operation("copy")
def copy(layer: Layer) -> Value:
    """The input under another name."""
    return layer.add("identity", x=layer.x)


def _fold(layer: Layer, operation: str) -> Value:
    if len(layer.inputs) == 1:
        return layer.add(operation, x=layer.x, y=layer.params.alpha)
    return _all_inputs(layer, operation)


def _all_inputs(layer: Layer, operation: str) -> Value:
    return reduce(lambda x, y: layer.add(operation, x=x, y=y), layer.all_inputs)


def _function(operation: str, layer: Layer) -> Value:
    return layer.add(operation, x=layer.x)


def _pair(operation: str, layer: Layer) -> Value:
    x, y = layer.inputs_between(2, 2)
    return layer.add(operation, x=x, y=y)


def _logic(operation: str, layer: Layer) -> Value:
    x, y = (layer.cast(value, "bool") for value in layer.inputs_between(2, 2))
    return layer.add(operation, element="bool", x=x, y=y)


def _comparison(operation: str, layer: Layer) -> Value:
    x, *given = layer.inputs_between(1, 2)
    y = given[0] if given else layer.params.alpha
    return layer.add(operation, element="bool", x=x, y=y)


@RECIPES.operation("logicalNot")
def logical_not(layer: Layer) -> Value:
    """1 where ``x`` is 0, else 0."""
    return layer.add("logical_not", element="bool", x=layer.cast(layer.x, "bool"))


for _name in (
    "ceil", "floor", "sign", "round", "exp2", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
):  # fmt: skip
    _internal = "layer:" if _name in {"asinh", "acosh"} else ""
    RECIPES.register(_name, partial(_function, _internal + _name), f"``{_name}(x)``.")

for _name, _operation, _what in (
    ("addBroadcastable", "add", "``x + y``, broadcast."),
    ("subtractBroadcastable", "sub", "``x - y``, broadcast."),
    ("multiplyBroadcastable", "mul", "``x * y``, broadcast."),
    ("divideBroadcastable", "real_div", "``x / y``, broadcast."),
    ("floorDivBroadcastable", "floor_div", "``x / y`` rounded down, broadcast."),
    ("modBroadcastable", "mod", "``x mod y`` with the sign of ``y``, broadcast."),
    ("powBroadcastable", "pow", "``x`` to the power ``y``, broadcast."),
    ("maxBroadcastable", "maximum", "The greater of both, broadcast."),
    ("minBroadcastable", "minimum", "The lesser of both, broadcast."),
):
    RECIPES.register(_name, partial(_pair, _operation), _what)

for _name, _operation, _what in (
    ("logicalAnd", "logical_and", "1 where both are true, broadcast, else 0."),
    ("logicalOr", "logical_or", "1 where one is true, broadcast, else 0."),
    ("logicalXor", "logical_xor", "1 where exactly one is true, broadcast, else 0."),
):
    RECIPES.register(_name, partial(_logic, _operation), _what)

for _name, _operation, _sign in (
    ("equal", "equal", "=="),
    ("notEqual", "not_equal", "!="),
    ("lessThan", "less", "<"),
    ("lessEqual", "less_equal", "<="),
    ("greaterThan", "greater", ">"),
    ("greaterEqual", "greater_equal", ">="),
):
    RECIPES.register(
        _name,
        partial(_comparison, _operation),
        f"1 where ``x {_sign} y``, broadcast, else 0; a single input meets ``alpha``.",
    )
