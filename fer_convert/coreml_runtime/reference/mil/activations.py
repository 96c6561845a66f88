"""Activations: functions of one operand with constant parameters, and softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()

# Measured on the Neural Engine: docs/coreml-differences.md.
_SOFTPLUS_OVERFLOWS = 10.4

_GELU: Mapping[str, Callable[[Tensor], Tensor]] = {
    # From 6 on Phi is 1; torch's product overflows at half of the greatest number.
    "EXACT": lambda x: torch.where(x > 6, x, F.gelu(x)),
    "TANH_APPROXIMATION": lambda x: F.gelu(x, approximate="tanh"),
    "SIGMOID_APPROXIMATION": lambda x: x * torch.sigmoid(1.702 * x),
}


@OPERATIONS.operation("clamped_relu")
def clamped_relu(op: View) -> Call:
    """``min(x, beta)`` where ``x >= 0``, else ``min(alpha * x, beta)``."""
    alpha, beta = op.option("alpha", float), op.option("beta", float)

    def kernel(x: Tensor) -> Tensor:
        # Not clamp, for which a beta that is no number is no bound.
        return torch.minimum(torch.where(x >= 0, x, alpha * x), x.new_tensor(beta))

    return op.call(kernel, "x")


@OPERATIONS.operation("elu")
def elu(op: View) -> Call:
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``."""
    alpha = op.option("alpha", float)
    return op.call(lambda x: torch.where(x > 0, x, alpha * torch.expm1(x)), "x")


@OPERATIONS.operation("gelu")
def gelu(op: View) -> Call:
    """``x * Phi(x)``; mode EXACT (default) | TANH_APPROXIMATION | SIGMOID_APPROXIMATION."""
    mode = op.option("mode", str, "EXACT")
    if mode not in _GELU:
        raise op.refuse(f"mode '{mode}' is none of {', '.join(_GELU)}")
    return op.call(_GELU[mode], "x")


@OPERATIONS.operation("leaky_relu")
def leaky_relu(op: View) -> Call:
    """``x`` where ``x >= 0``, else ``alpha * x``."""
    alpha = op.option("alpha", float)
    return op.call(lambda x: torch.where(x >= 0, x, alpha * x), "x")


@OPERATIONS.operation("linear_activation")
def linear_activation(op: View) -> Call:
    """``alpha * x + beta``."""
    alpha, beta = op.option("alpha", float), op.option("beta", float)
    return op.call(lambda x: alpha * x + beta, "x")


@OPERATIONS.operation("prelu", "layer:prelu")
def prelu(op: View) -> Call:
    """``x`` where ``x > 0``, else ``alpha * x``: x ``[N, C, *D]``, alpha ``[C]``.

    For a layer: x ``[*, C, H, W]``, alpha ``[1]`` or ``[C]``.
    """
    alpha = _per_channel(op, "alpha")
    return op.call(lambda x: torch.where(x > 0, x, alpha(x) * x), "x")


@OPERATIONS.operation("relu")
def relu(op: View) -> Call:
    """``max(x, 0)``."""
    return op.call(F.relu, "x", exact=True)


@OPERATIONS.operation("relu6")
def relu6(op: View) -> Call:
    """``min(max(x, 0), 6)``."""
    return op.call(F.relu6, "x", exact=True)


@OPERATIONS.operation("scaled_tanh")
def scaled_tanh(op: View) -> Call:
    """``alpha * tanh(beta * x)``."""
    alpha, beta = op.option("alpha", float), op.option("beta", float)
    return op.call(lambda x: alpha * torch.tanh(beta * x), "x")


@OPERATIONS.operation("sigmoid")
def sigmoid(op: View) -> Call:
    """``1 / (1 + exp(-x))``."""
    return op.call(torch.sigmoid, "x")


@OPERATIONS.operation("sigmoid_hard")
def sigmoid_hard(op: View) -> Call:
    """``alpha * x + beta``, bounded by 0 and 1."""
    alpha, beta = op.option("alpha", float), op.option("beta", float)
    return op.call(lambda x: (alpha * x + beta).clamp(0, 1), "x")


@OPERATIONS.operation("silu")
def silu(op: View) -> Call:
    """``x * sigmoid(x)``."""
    return op.call(F.silu, "x")


@OPERATIONS.operation("softmax")
def softmax(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along ``axis`` (-1)."""
    axis = op.option("axis", int, -1)
    return op.call(lambda x: torch.softmax(x, axis), "x")


@OPERATIONS.operation("layer:softmax")
def layer_softmax(op: View) -> Call:
    """As softmax, along axis -3; of an input of rank 3, along axis -1."""
    return op.call(lambda x: torch.softmax(x, -1 if x.dim() == 3 else -3), "x")


@OPERATIONS.operation("softplus")
def softplus(op: View) -> Call:
    """``log(1 + exp(x))``; in fp16 0 above 10.4, as the Neural Engine's formula overflows."""
    if not op.half:
        return op.call(F.softplus, "x")
    return op.call(lambda x: torch.where(x > _SOFTPLUS_OVERFLOWS, 0.0, F.softplus(x)), "x")


@OPERATIONS.operation("softplus_parametric", "layer:softplus_parametric")
def softplus_parametric(op: View) -> Call:
    """``alpha * log(1 + exp(beta * x))``: x ``[N, C, *D]``, alpha and beta ``[C]``.

    For a layer: as prelu.
    """
    alpha, beta = _per_channel(op, "alpha"), _per_channel(op, "beta")
    return op.call(lambda x: alpha(x) * F.softplus(beta(x) * x), "x")


@OPERATIONS.operation("softsign")
def softsign(op: View) -> Call:
    """``x / (1 + |x|)``."""
    return op.call(F.softsign, "x")


@OPERATIONS.operation("thresholded_relu")
def thresholded_relu(op: View) -> Call:
    """``x`` where ``x >= alpha``, else 0."""
    alpha = op.option("alpha", float)
    return op.call(lambda x: x.masked_fill(x < alpha, 0), "x", exact=True)


def _per_channel(op: View, name: str) -> Callable[[Tensor], Tensor]:
    """The values of ``name`` in a shape that broadcasts with x."""
    if not op.operation.layer:
        values = op.weight(name)
        return lambda x: per_channel(values, x)

    # Quantised weights do not say how many they are, so it is x that decides.
    @cache
    def fitting(channels: int) -> Tensor | None:
        for shape in ((channels, 1, 1), ()):
            with suppress(ArtefactError):
                return op.weight(name, shape)
        return None

    def of_channels(x: Tensor) -> Tensor:
        found = fitting(x.shape[-3])
        if found is None:
            raise ValueError(f"'{name}' has neither one value nor one for each channel")
        return found

    return of_channels


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """``values [C]`` so that they broadcast with ``x [N, C, *D]``.

    Raises:
        ValueError: not one value for each channel; a single one would be broadcast, too.
    """
    if x.dim() < 2 or values.shape != x.shape[1:2]:
        raise ValueError(f"{list(values.shape)} values for the channels of {list(x.shape)}")
    return values.reshape(-1, *(1,) * (x.dim() - 2))
