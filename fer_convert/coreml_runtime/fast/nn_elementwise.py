"""NeuralNetwork: arithmetic, functions, comparison, activations.

Every value is a float; a truth value is 0 or 1, and what is not 0 is true.
"""

from __future__ import annotations

from contextlib import suppress
from functools import reduce

import numpy as np

from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.mil.activations import gelu_of
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source

_FUNCTIONS = {
    "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "ceil": "Ceil", "copy": "Identity", "cos": "Cos", "cosh": "Cosh",
    "erf": "Erf", "floor": "Floor", "round": "Round", "sign": "Sign", "sin": "Sin",
    "sinh": "Sinh", "tan": "Tan", "tanh": "Tanh",
}  # fmt: skip
_ACTIVATIONS = {
    "activation.ReLU": "Relu", "activation.sigmoid": "Sigmoid", "activation.tanh": "Tanh",
    "activation.softplus": "Softplus", "activation.softsign": "Softsign",
}  # fmt: skip
_PAIRS = {
    "addBroadcastable": "Add", "subtractBroadcastable": "Sub", "multiplyBroadcastable": "Mul",
    "divideBroadcastable": "Div", "powBroadcastable": "Pow", "maxBroadcastable": "Max",
    "minBroadcastable": "Min",
}  # fmt: skip
_COMPARISONS = {
    "equal": "Equal", "notEqual": "Equal", "lessThan": "Less", "lessEqual": "LessOrEqual",
    "greaterThan": "Greater", "greaterEqual": "GreaterOrEqual",
}  # fmt: skip
_LOGIC = {"logicalAnd": "And", "logicalOr": "Or", "logicalXor": "Xor"}
_FOLDS = {"add": "Add", "multiply": "Mul", "max": "Max", "min": "Min"}
_GELU_MODES = ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")
_SQRT, _RSQRT, _INVERSE, _POWER, _EXP, _LOG, _ABS, _THRESHOLD = range(8)  # UnaryFunction.Operation


@LAYERS.lowering(*_FUNCTIONS, *_ACTIVATIONS)
def function(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node((_FUNCTIONS | _ACTIVATIONS)[op.kind], x)
    return result


@LAYERS.lowering(*_PAIRS)
def pair(op: Source) -> str:
    x, y = op.operands("input")
    result: str = op.node(_PAIRS[op.kind], x, y)
    return result


@LAYERS.lowering(*_FOLDS)
def fold(op: Source) -> str:
    values = op.operands("input")
    if len(values) == 1 and op.kind in {"add", "multiply"}:
        values.append(op.scalar(op.params.alpha))
    return reduce(lambda x, y: op.node(_FOLDS[op.kind], x, y), values)


@LAYERS.lowering("average")
def average(op: Source) -> str:
    values = op.operands("input")
    total = reduce(lambda x, y: op.node("Add", x, y), values)
    result: str = op.node("Div", total, op.scalar(len(values)))
    return result


@LAYERS.lowering("unary")
def unary(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    x = op.node("Add", op.node("Mul", x, op.scalar(p.scale or 1.0)), op.scalar(p.shift))
    if p.type in {_RSQRT, _INVERSE}:
        x = op.node("Add", x, op.scalar(p.epsilon or 1e-6))
    if p.type == _RSQRT:
        x = op.node("Sqrt", x)
    if p.type in {_POWER, _THRESHOLD}:
        result: str = op.node("Pow" if p.type == _POWER else "Max", x, op.scalar(p.alpha))
        return result
    result = op.node(
        {_SQRT: "Sqrt", _RSQRT: "Reciprocal", _INVERSE: "Reciprocal", _EXP: "Exp", _LOG: "Log",
         _ABS: "Abs"}[p.type], x,
    )  # fmt: skip
    return result


@LAYERS.lowering("clip")
def clip(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Clip", x, op.scalar(op.params.minVal), op.scalar(op.params.maxVal))
    return result


@LAYERS.lowering("exp2")
def exp2(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Pow", op.scalar(2.0), x)
    return result


@LAYERS.lowering("gelu")
def gelu(op: Source) -> str:
    (x,) = op.operands("input")
    return gelu_of(op, x, _GELU_MODES[op.params.mode])


@LAYERS.lowering("activation.linear")
def linear(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params.linear
    result: str = op.node("Add", op.node("Mul", x, op.scalar(p.alpha)), op.scalar(p.beta))
    return result


@LAYERS.lowering("activation.leakyReLU")
def leaky_relu(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("LeakyRelu", x, alpha=op.params.leakyReLU.alpha)
    return result


@LAYERS.lowering("activation.ELU")
def elu(op: Source) -> str:
    (x,) = op.operands("input")
    result: str = op.node("Elu", x, alpha=op.params.ELU.alpha)
    return result


@LAYERS.lowering("activation.thresholdedReLU")
def thresholded_relu(op: Source) -> str:
    (x,) = op.operands("input")
    low = op.node("Less", x, op.scalar(op.params.thresholdedReLU.alpha))
    result: str = op.node("Where", low, op.scalar(0.0), x)
    return result


@LAYERS.lowering("clampedReLU")
def clamped_relu(op: Source) -> str:
    (x,) = op.operands("input")
    leaky = op.node("LeakyRelu", x, alpha=op.params.alpha)
    result: str = op.node("Min", leaky, op.scalar(op.params.beta))
    return result


@LAYERS.lowering("activation.PReLU", "activation.parametricSoftplus")
def per_channel(op: Source) -> str:
    (x,) = op.operands("input")
    which = op.kind.removeprefix("activation.")
    names = [f"{which}.{name}" for name in ("alpha", "beta") if op.has(f"{which}.{name}")]
    weights = [_per_channel(op, x, name) for name in names]
    if which == "PReLU":
        result: str = op.node("PRelu", x, *weights)
        return result
    alpha, beta = weights
    result = op.node("Mul", op.node("Softplus", op.node("Mul", x, beta)), alpha)
    return result


@LAYERS.lowering("activation.sigmoidHard")
def sigmoid_hard(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params.sigmoidHard
    result: str = op.node("HardSigmoid", x, alpha=p.alpha, beta=p.beta)
    return result


@LAYERS.lowering("activation.scaledTanh")
def scaled_tanh(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params.scaledTanh
    inner = op.node("Tanh", op.node("Mul", x, op.scalar(p.beta)))
    result: str = op.node("Mul", inner, op.scalar(p.alpha))
    return result


@LAYERS.lowering(*_COMPARISONS)
def comparison(op: Source) -> str:
    values = op.operands("input")
    if len(values) == 1:
        values.append(op.scalar(op.params.alpha))
    found = op.node(_COMPARISONS[op.kind], *values)
    return op.cast(op.node("Not", found) if op.kind == "notEqual" else found, np.float32)


@LAYERS.lowering(*_LOGIC)
def logic(op: Source) -> str:
    x, y = (op.cast(name, np.bool_) for name in op.operands("input"))
    return op.cast(op.node(_LOGIC[op.kind], x, y), np.float32)


@LAYERS.lowering("logicalNot")
def logical_not(op: Source) -> str:
    (x,) = op.operands("input")
    return op.cast(op.node("Not", op.cast(x, np.bool_)), np.float32)


@LAYERS.lowering("floorDivBroadcastable")
def floor_div(op: Source) -> str:
    """As Python's ``//``: the remainder decides, not a quotient that was rounded already."""
    x, y = op.operands("input")
    zero = op.scalar(0.0)
    rest = op.node("Mod", x, y, fmod=1)  # with the sign of x
    quotient = op.node("Div", op.node("Sub", x, rest), y)
    less = op.node("Sub", quotient, op.scalar(1.0))
    other = op.node("Less", op.node("Mul", op.node("Sign", rest), op.node("Sign", y)), zero)
    whole = op.node("Round", op.node("Where", other, less, quotient))
    result: str = op.node("Where", op.node("Equal", y, zero), op.node("Div", x, y), whole)
    return result


@LAYERS.lowering("modBroadcastable")
def mod(op: Source) -> str:
    x, y = op.operands("input")
    rest = op.node("Mod", x, y, fmod=1)
    other = op.node(
        "Less", op.node("Mul", op.node("Sign", rest), op.node("Sign", y)), op.scalar(0.0)
    )
    result: str = op.node("Where", other, op.node("Add", rest, y), rest)
    return result


def _per_channel(op: Source, x: str, name: str) -> str:
    (channels,) = last_sizes(op, x, 3)[:1]
    for shape in ((channels, 1, 1), (1, 1, 1)):
        with suppress(ArtefactError, Unlowered):
            return op.weight(name, shape)
    raise Unlowered(f"'{name}' of another size than its input's channels")
