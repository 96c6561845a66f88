"""Layers that subtract a mean or divide by a size: batch, layer, instance, L2 and softmax."""

from __future__ import annotations

from typing import Any

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes

RECIPES = Recipes()

# What a layer uses where a file holds none, or 0.
_BATCHNORM_EPSILON, _EPSILON = 1e-5, 1e-6


@RECIPES.operation("batchnorm")
def batchnorm(layer: Layer) -> Value:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per channel, x ``[*, C, H, W]``.

    Fields: channels, gamma, beta, mean, variance ``[channels]``, epsilon (1e-5). With
    ``computeMeanVar`` mean and variance are those of the input: over the whole batch, or of each
    image alone if ``instanceNormalization`` (which means nothing without computeMeanVar).
    """
    params, x = layer.params, layer.x
    channels, epsilon = int(params.channels), params.epsilon or _BATCHNORM_EPSILON
    layer.rank = IMAGE
    if not params.computeMeanVar:
        weights = _weights(layer, (channels,), "gamma", "beta", "mean", "variance")
        return layer.add("batch_norm", x=x, trailing=3, epsilon=epsilon, **weights)
    if params.instanceNormalization:
        affine = _weights(layer, (channels,), "gamma", "beta")
        return layer.add("instance_norm", x=x, trailing=3, epsilon=epsilon, **affine)
    affine = _weights(layer, (channels, 1, 1), "gamma", "beta")
    normal = layer.add("layer_norm", x=x, trailing=3, axes=[0, 2, 3], epsilon=epsilon)
    return layer.add("add", x=layer.add("mul", x=normal, y=affine["gamma"]), y=affine["beta"])


@RECIPES.operation("layerNormalization")
def layer_normalization(layer: Layer) -> Value:
    """``gamma * (x - mean) / sqrt(variance + eps) + beta`` over the trailing dimensions.

    Fields: normalizedShape (those dimensions), gamma and beta in that shape, eps (0).
    """
    shape = tuple(int(size) for size in layer.params.normalizedShape)
    if not shape:
        raise layer.refuse("normalizedShape is empty")
    affine = _weights(layer, shape, "gamma", "beta")
    axes = list(range(-len(shape), 0))
    return layer.add("layer_norm", x=layer.x, axes=axes, epsilon=layer.params.eps, **affine)


@RECIPES.operation("mvn")
def mvn(layer: Layer) -> Value:
    """``(x - mean) / sqrt(variance + epsilon)`` of each plane, x ``[*, C, H, W]``.

    Fields: acrossChannels (mean and variance over C, H and W instead), normalizeVariance (if false,
    only the mean is subtracted), epsilon (1e-6).
    """
    params, x = layer.params, layer.x
    axes = [-3, -2, -1] if params.acrossChannels else [-2, -1]
    layer.rank = IMAGE
    if params.normalizeVariance:
        return layer.add("layer_norm", x=x, axes=axes, epsilon=params.epsilon or _EPSILON)
    return layer.add("sub", x=x, y=layer.add("reduce_mean", x=x, axes=axes, keep_dims=True))


@RECIPES.operation("l2normalize")
def l2_normalize(layer: Layer) -> Value:
    """``x / sqrt(sum(x**2) + epsilon)``, the sum over C, H and W of x ``[*, C, H, W]``.

    Field epsilon (1e-6).
    """
    layer.rank = IMAGE
    return layer.add("l2_norm", x=layer.x, epsilon=layer.params.epsilon or _EPSILON)


@RECIPES.operation("lrn")
def lrn(layer: Layer) -> Value:
    """``x / (k + alpha / localSize * sum(x**2))**beta``, the sum over localSize channels around.

    Fields: alpha, beta, localSize, k (1); x is ``[*, C, H, W]``, and channels outside it are zero.
    An even localSize reaches one channel further down than up.
    """
    params = layer.params
    if params.localSize < 1:
        raise layer.refuse("localSize is 0")
    layer.rank = IMAGE
    return layer.add(
        "local_response_norm",
        x=layer.x,
        trailing=3,
        size=int(params.localSize),
        alpha=params.alpha,
        beta=params.beta,
        k=params.k or 1.0,
    )


@RECIPES.operation("softmaxND")
def softmax_nd(layer: Layer) -> Value:
    """``exp(x) / sum(exp(x))`` along field ``axis``."""
    return layer.add("softmax", x=layer.x, axis=int(layer.params.axis))


@RECIPES.operation("softmax")
def softmax(layer: Layer) -> Value:
    """``exp(x) / sum(exp(x))`` along the channels (axis -3) of an input of rank 4 or more; of rank
    3 along the last axis, whatever the specification says: so Core ML was measured.
    """
    layer.rank = IMAGE
    return layer.add("layer:softmax", x=layer.x)


def _weights(layer: Layer, shape: tuple[int, ...], *names: str) -> dict[str, Any]:
    return {name: layer.weight(name, shape) for name in names}
