"""The ``activation`` layer, one function per nonlinearity, and the layers gelu and clampedReLU.

All read ``input [*]``; those with one parameter per channel take channels on axis -3.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from math import pi, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View

_EXACT, _TANH_APPROXIMATION = 0, 1  # GeluLayerParams.GeluMode


@LAYERS.operation("activation.ReLU")
def relu(op: View) -> Call:
    """``max(x, 0)``."""
    return op.call(F.relu, "input", exact=True)


@LAYERS.operation("activation.leakyReLU")
def leaky_relu(op: View) -> Call:
    """``x`` where x >= 0, else ``alpha * x``."""
    alpha = op.params.leakyReLU.alpha
    return op.call(lambda x: F.leaky_relu(x, alpha), "input")


@LAYERS.operation("activation.thresholdedReLU")
def thresholded_relu(op: View) -> Call:
    """``x`` where x >= alpha, else 0."""
    alpha = op.params.thresholdedReLU.alpha
    return op.call(lambda x: torch.where(x < alpha, torch.zeros_like(x), x), "input", exact=True)


@LAYERS.operation("activation.PReLU")
def prelu(op: View) -> Call:
    """``x`` where x >= 0, else ``alpha * x``; alpha ``[1]`` or ``[C]``, x ``[*, C, H, W]``."""
    alpha = _per_channel(op, "PReLU.alpha")
    return op.call(lambda x: torch.where(x < 0, alpha(x) * x, x), "input")


@LAYERS.operation("activation.ELU")
def elu(op: View) -> Call:
    """``x`` where x >= 0, else ``alpha * (exp(x) - 1)``."""
    alpha = op.params.ELU.alpha
    return op.call(lambda x: torch.where(x < 0, alpha * torch.expm1(x), x), "input")


@LAYERS.operation("activation.tanh")
def tanh(op: View) -> Call:
    """Hyperbolic tangent."""
    return op.call(torch.tanh, "input")


@LAYERS.operation("activation.scaledTanh")
def scaled_tanh(op: View) -> Call:
    """``alpha * tanh(beta * x)``."""
    alpha, beta = op.params.scaledTanh.alpha, op.params.scaledTanh.beta
    return op.call(lambda x: alpha * torch.tanh(beta * x), "input")


@LAYERS.operation("activation.sigmoid")
def sigmoid(op: View) -> Call:
    """``1 / (1 + exp(-x))``."""
    return op.call(torch.sigmoid, "input")


@LAYERS.operation("activation.sigmoidHard")
def sigmoid_hard(op: View) -> Call:
    """``min(max(alpha * x + beta, 0), 1)``."""
    alpha, beta = op.params.sigmoidHard.alpha, op.params.sigmoidHard.beta
    return op.call(lambda x: (alpha * x + beta).clamp(0, 1), "input")


@LAYERS.operation("activation.softsign")
def softsign(op: View) -> Call:
    """``x / (1 + abs(x))``."""
    return op.call(F.softsign, "input")


@LAYERS.operation("activation.softplus")
def softplus(op: View) -> Call:
    """``log(1 + exp(x))``."""
    return op.call(_softplus, "input")


@LAYERS.operation("activation.parametricSoftplus")
def parametric_softplus(op: View) -> Call:
    """``alpha * log(1 + exp(beta * x))``; alpha and beta ``[1]`` or ``[C]``, x ``[*, C, H, W]``."""
    alpha = _per_channel(op, "parametricSoftplus.alpha")
    beta = _per_channel(op, "parametricSoftplus.beta")
    return op.call(lambda x: alpha(x) * _softplus(beta(x) * x), "input")


@LAYERS.operation("activation.linear")
def linear(op: View) -> Call:
    """``alpha * x + beta``."""
    alpha, beta = op.params.linear.alpha, op.params.linear.beta
    return op.call(lambda x: alpha * x + beta, "input")


@LAYERS.operation("gelu")
def gelu(op: View) -> Call:
    """``x`` times the normal distribution function of x.

    Field mode: EXACT ``x / 2 * (1 + erf(x / sqrt(2)))`` | TANH_APPROXIMATION
    ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`` | SIGMOID_APPROXIMATION
    ``x * sigmoid(1.702 * x)``.
    """
    mode = op.params.mode
    if mode == _EXACT:
        return op.call(lambda x: 0.5 * x * (1 + torch.erf(x / sqrt(2))), "input")
    if mode == _TANH_APPROXIMATION:
        slope = sqrt(2 / pi)
        return op.call(lambda x: 0.5 * x * (1 + torch.tanh(slope * (x + 0.044715 * x**3))), "input")
    return op.call(lambda x: x * torch.sigmoid(1.702 * x), "input")


@LAYERS.operation("clampedReLU")
def clamped_relu(op: View) -> Call:
    """``min(x, beta)`` where x >= 0, else ``min(alpha * x, beta)``."""
    alpha, beta = op.params.alpha, op.params.beta
    return op.call(lambda x: F.leaky_relu(x, alpha).clamp(max=beta), "input")


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _per_channel(op: View, name: str) -> Callable[[Tensor], Tensor]:
    """The values of ``name`` in a shape that fits x: one, or one for each of its channels.

    Quantised weights do not say how many they are, so it is x that decides.
    """

    @cache
    def fitting(channels: int) -> Tensor | None:
        for shape in ((channels, 1, 1), ()):
            with suppress(ArtefactError):
                return op.weight(name, shape)
        return None

    def values(x: Tensor) -> Tensor:
        found = fitting(x.shape[-3] if x.dim() > 2 else 1)
        if found is None:
            raise ValueError(f"'{name}' has neither one value nor one for each channel")
        return found.reshape(()) if found.numel() == 1 else found

    return values
