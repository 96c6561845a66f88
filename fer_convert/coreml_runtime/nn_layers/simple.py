"""Layers without windows or weights: image scaling, sums, products, joins, reshapes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View


@LAYERS.operation("scaler")
def scaler(op: View) -> Call:
    """Image preprocessing: ``channelScale * x + bias``, x ``[1, C, H, W]`` in the declared layout.

    Fields: channelScale, redBias, greenBias, blueBias (colour), grayBias (one channel). The biases
    are named by colour, so their order follows the input's layout.
    """
    params, layout = op.params
    red, green, blue = params.redBias, params.greenBias, params.blueBias
    biases = {"RGB": (red, green, blue), "BGR": (blue, green, red), "GRAYSCALE": (params.grayBias,)}
    bias = torch.tensor(biases[layout]).reshape(1, -1, 1, 1)
    scale = params.channelScale
    return op.call(lambda x: scale * x + bias, "input")


@LAYERS.operation("add")
def add(op: View) -> Call:
    """Sum of all inputs, broadcast; a single input is increased by ``alpha``."""
    return _fold(op, torch.add)


@LAYERS.operation("multiply")
def multiply(op: View) -> Call:
    """Product of all inputs, broadcast; a single input is multiplied by ``alpha``."""
    return _fold(op, torch.mul)


@LAYERS.operation("copy")
def copy(op: View) -> Call:
    """The input under another name."""
    return op.call(lambda x: x, "input", exact=True)


@LAYERS.operation("concat")
def concat(op: View) -> Call:
    """Inputs ``[..., C_i, H, W]`` joined along the channels (axis -3).

    Field ``sequenceConcat`` (along the sequence axis of the five-dimensional mapping) is not
    supported.
    """
    if op.params.sequenceConcat:
        raise op.unsupported("sequenceConcat")
    return op.call(lambda *values: torch.cat(values, -3), "input", exact=True)


@LAYERS.operation("reshapeStatic")
def reshape_static(op: View) -> Call:
    """The input in ``targetShape``, one -1 of which is inferred."""
    shape = tuple(op.params.targetShape)
    return op.call(lambda x: x.reshape(shape), "input", exact=True)


def _fold(op: View, function: Callable[[Tensor, Tensor], Tensor]) -> Call:
    if len(op.operation.arguments["input"]) == 1:
        alpha = torch.tensor(op.params.alpha)
        return op.call(lambda x: function(x, alpha), "input")
    return op.call(lambda *values: functools.reduce(function, values), "input")
