"""The ``activation`` layer, one function per nonlinearity; all read ``input [*]``."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View


@LAYERS.operation("activation.ReLU")
def relu(op: View) -> Call:
    """``max(x, 0)``."""
    return op.call(F.relu, "input", exact=True)


@LAYERS.operation("activation.sigmoid")
def sigmoid(op: View) -> Call:
    """``1 / (1 + exp(-x))``."""
    return op.call(torch.sigmoid, "input")


@LAYERS.operation("activation.linear")
def linear(op: View) -> Call:
    """``alpha * x + beta``."""
    alpha, beta = op.params.linear.alpha, op.params.linear.beta
    return op.call(lambda x: alpha * x + beta, "input")
