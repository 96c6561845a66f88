"""Activations."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()

_FUNCTIONS = {
    "relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign",
}  # fmt: skip


@OPERATIONS.lowering(*_FUNCTIONS)
def function(op: Source) -> str:
    op.only_floats("x")
    result: str = op.node(_FUNCTIONS[op.kind], op.operand("x"))
    return result


@OPERATIONS.lowering("relu6")
def relu6(op: Source) -> str:
    result: str = op.node("Clip", op.operand("x"), op.scalar(0.0), op.scalar(6.0))
    return result


@OPERATIONS.lowering("silu")
def silu(op: Source) -> str:
    x = op.operand("x")
    result: str = op.node("Mul", x, op.node("Sigmoid", x))
    return result


@OPERATIONS.lowering("gelu")
def gelu(op: Source) -> str:
    return gelu_of(op, op.operand("x"), op.option("mode", str, "EXACT"))


@OPERATIONS.lowering("elu", "leaky_relu")
def with_alpha(op: Source) -> str:
    kind = "Elu" if op.kind == "elu" else "LeakyRelu"
    result: str = op.node(kind, op.operand("x"), alpha=op.option("alpha", float))
    return result


@OPERATIONS.lowering("sigmoid_hard")
def sigmoid_hard(op: Source) -> str:
    alpha, beta = op.option("alpha", float), op.option("beta", float)
    result: str = op.node("HardSigmoid", op.operand("x"), alpha=alpha, beta=beta)
    return result


@OPERATIONS.lowering("linear_activation")
def linear_activation(op: Source) -> str:
    scaled = op.node("Mul", op.operand("x"), op.scalar(op.option("alpha", float)))
    result: str = op.node("Add", scaled, op.scalar(op.option("beta", float)))
    return result


@OPERATIONS.lowering("scaled_tanh")
def scaled_tanh(op: Source) -> str:
    inner = op.node("Mul", op.operand("x"), op.scalar(op.option("beta", float)))
    result: str = op.node("Mul", op.node("Tanh", inner), op.scalar(op.option("alpha", float)))
    return result


@OPERATIONS.lowering("clamped_relu")
def clamped_relu(op: Source) -> str:
    leaky = op.node("LeakyRelu", op.operand("x"), alpha=op.option("alpha", float))
    result: str = op.node("Min", leaky, op.scalar(op.option("beta", float)))
    return result


@OPERATIONS.lowering("thresholded_relu")
def thresholded_relu(op: Source) -> str:
    x = op.operand("x")
    low = op.node("Less", x, op.scalar(op.option("alpha", float)))
    result: str = op.node("Where", low, op.scalar(0.0), x)
    return result


@OPERATIONS.lowering("prelu", "layer:prelu")
def prelu(op: Source) -> str:
    result: str = op.node("PRelu", op.operand("x"), _per_channel(op, "alpha"))
    return result


@OPERATIONS.lowering("softplus_parametric", "layer:softplus_parametric")
def softplus_parametric(op: Source) -> str:
    inner = op.node("Mul", op.operand("x"), _per_channel(op, "beta"))
    result: str = op.node("Mul", op.node("Softplus", inner), _per_channel(op, "alpha"))
    return result


@OPERATIONS.lowering("softmax")
def softmax(op: Source) -> str:
    if not op.shape_of("x"):
        raise Unlowered("a scalar")
    result: str = op.node("Softmax", op.operand("x"), axis=op.option("axis", int, -1))
    return result


@OPERATIONS.lowering("layer:softmax")
def layer_softmax(op: Source) -> str:
    axis = -1 if len(op.shape_of("x")) == 3 else -3
    result: str = op.node("Softmax", op.operand("x"), axis=axis)
    return result


def gelu_of(op: Source, x: str, mode: str) -> str:
    """Core ML's three forms of ``x * Phi(x)``."""
    if mode == "SIGMOID_APPROXIMATION":
        gate = op.node("Sigmoid", op.node("Mul", x, op.scalar(1.702)))
        result: str = op.node("Mul", x, gate)
        return result
    if mode == "EXACT":
        inner = op.node("Erf", op.node("Div", x, op.scalar(2**0.5)))
    elif mode == "TANH_APPROXIMATION":
        cube = op.node("Mul", op.node("Mul", op.node("Mul", x, x), x), op.scalar(0.044715))
        scaled = op.node("Mul", op.node("Add", x, cube), op.scalar((2 / np.pi) ** 0.5))
        inner = op.node("Tanh", scaled)
    else:
        raise Unlowered(f"mode '{mode}'")
    gate = op.node("Add", inner, op.scalar(1.0))
    if mode == "EXACT":  # in the order that onnxruntime knows as one operation
        result = op.node("Mul", op.node("Mul", x, gate), op.scalar(0.5))
    else:  # twice the greatest number would be infinite
        result = op.node("Mul", x, op.node("Mul", gate, op.scalar(0.5)))
    return result


def _per_channel(op: Source, name: str) -> str:
    """A vector of the file that broadcasts with ``x [N, C, *D]``; of a layer with ``x [*, C, H,
    W]``, for which it may hold a single value."""
    axis = -3 if op.operation.layer else 1
    channels, *rest = op.shape_of("x")[axis:]
    if channels is not None and op.operation.layer:
        for shape in ((channels, 1, 1), (1, 1, 1)):
            with suppress(ArtefactError, Unlowered):
                return op.weight(name, shape)
    if channels is None or op.operation.layer or op.shape_of(name) != (channels,):
        raise Unlowered(f"'{name}' of another size than the channels")
    return op.weight(name, (channels, *(1,) * len(rest)))
