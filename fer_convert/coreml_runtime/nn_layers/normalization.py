"""Layers that subtract a mean or divide by a size: batch, layer, instance, L2 and softmax."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import Call, View

# What a layer uses where a file holds none, or 0.
_BATCHNORM_EPSILON, _EPSILON = 1e-5, 1e-6


@LAYERS.operation("batchnorm")
def batchnorm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per channel, x ``[*, C, H, W]``.

    Fields: channels, gamma, beta, mean, variance ``[channels]``, epsilon (1e-5). With
    ``computeMeanVar`` mean and variance are those of the input: over the whole batch, or of each
    image alone if ``instanceNormalization`` (which means nothing without computeMeanVar).
    """
    params = op.params
    shape = (int(params.channels),)
    gamma, beta = op.weight("gamma", shape), op.weight("beta", shape)
    epsilon = params.epsilon or _BATCHNORM_EPSILON
    if not params.computeMeanVar:
        mean, variance = op.weight("mean", shape), op.weight("variance", shape)
        return op.call(
            over_batches(lambda x: F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon), 3),
            "input",
        )
    axes = (-2, -1) if params.instanceNormalization else (0, -2, -1)

    def kernel(x: Tensor) -> Tensor:
        normal = _standardized(x, axes, epsilon)
        return normal * gamma.reshape(-1, 1, 1) + beta.reshape(-1, 1, 1)

    return op.call(over_batches(kernel, 3), "input")


@LAYERS.operation("layerNormalization")
def layer_normalization(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + eps) + beta`` over the trailing dimensions.

    Fields: normalizedShape (those dimensions), gamma and beta in that shape, eps (0).
    """
    params = op.params
    shape = tuple(int(size) for size in params.normalizedShape)
    if not shape:
        raise op.refuse("normalizedShape is empty")
    gamma, beta = op.weight("gamma", shape), op.weight("beta", shape)
    return op.call(lambda x: F.layer_norm(x, shape, gamma, beta, params.eps), "input")


@LAYERS.operation("mvn")
def mvn(op: View) -> Call:
    """``(x - mean) / sqrt(variance + epsilon)`` of each plane, x ``[*, C, H, W]``.

    Fields: acrossChannels (mean and variance over C, H and W instead), normalizeVariance (if false,
    only the mean is subtracted), epsilon (1e-6).
    """
    params = op.params
    axes = (-3, -2, -1) if params.acrossChannels else (-2, -1)
    if not params.normalizeVariance:
        return op.call(lambda x: x - x.mean(axes, keepdim=True), "input")
    epsilon = params.epsilon or _EPSILON
    return op.call(lambda x: _standardized(x, axes, epsilon), "input")


@LAYERS.operation("l2normalize")
def l2_normalize(op: View) -> Call:
    """``x / sqrt(sum(x**2) + epsilon)``, the sum over C, H and W of x ``[*, C, H, W]``.

    Field epsilon (1e-6).
    """
    epsilon = op.params.epsilon or _EPSILON

    def kernel(x: Tensor) -> Tensor:
        return x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt()

    return op.call(kernel, "input")


@LAYERS.operation("lrn")
def lrn(op: View) -> Call:
    """``x / (k + alpha / localSize * sum(x**2))**beta``, the sum over localSize channels around.

    Fields: alpha, beta, localSize, k (1); x is ``[*, C, H, W]``, and channels outside it are zero.
    An even localSize reaches one channel further down than up.
    """
    params = op.params
    size, k = int(params.localSize), params.k or 1.0
    if size < 1:
        raise op.refuse("localSize is 0")

    def kernel(x: Tensor) -> Tensor:
        return F.local_response_norm(x, size, params.alpha, params.beta, k)

    return op.call(over_batches(kernel, 3), "input")


@LAYERS.operation("softmaxND")
def softmax_nd(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along field ``axis``."""
    axis = int(op.params.axis)
    return op.call(lambda x: torch.softmax(x, axis), "input")


@LAYERS.operation("softmax")
def softmax(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along the channels (axis -3) of an input of rank 3 or more."""
    return op.call(lambda x: torch.softmax(x, -3), "input")


def _standardized(x: Tensor, axes: tuple[int, ...], epsilon: float) -> Tensor:
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) / (variance + epsilon).sqrt()
