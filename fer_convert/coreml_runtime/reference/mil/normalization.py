"""Normalisation, by stored statistics or by those of the input itself."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.activations import per_channel
from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()


@OPERATIONS.operation("batch_norm")
def batch_norm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per channel.

    Arguments: x ``[N, C, *D]``, mean, variance ``[C]``, gamma, beta ``[C]`` (ones, zeros), epsilon
    (1e-5).
    """
    mean, variance = op.weight("mean"), op.weight("variance")
    gamma, beta = op.optional_weight("gamma"), op.optional_weight("beta")
    epsilon = op.option("epsilon", float, 1e-5)

    def kernel(x: Tensor) -> Tensor:
        for vector in (mean, variance, gamma, beta):
            if vector is not None:  # torch takes any shape of as many elements
                per_channel(vector, x)
        return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon)

    return op.call(kernel, "x")


@OPERATIONS.operation("layer_norm")
def layer_norm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, statistics over ``axes`` (all).

    Arguments: gamma, beta of the shape of those axes (ones, zeros), epsilon (1e-5).
    """
    axes, epsilon = op.integers("axes", ()), op.option("epsilon", float, 1e-5)
    gamma, beta = op.optional_weight("gamma"), op.optional_weight("beta")

    def kernel(x: Tensor) -> Tensor:
        over = tuple(sorted(axis % x.dim() for axis in axes)) or tuple(range(x.dim()))
        shape = [x.shape[axis] if axis in over else 1 for axis in range(x.dim())]
        sizes = [x.shape[axis] for axis in over]
        for affine in (gamma, beta):
            if affine is not None and list(affine.shape) != sizes:
                raise ValueError(f"gamma or beta {list(affine.shape)} for axes of {sizes}")
        if over == tuple(range(x.dim() - len(over), x.dim())):  # the common case, done at once
            return F.layer_norm(x, sizes, gamma, beta, epsilon)
        centred = x - x.mean(over, keepdim=True)
        result = centred / (centred.square().mean(over, keepdim=True) + epsilon).sqrt()
        result = result if gamma is None else result * gamma.reshape(shape)
        return result if beta is None else result + beta.reshape(shape)

    return op.call(kernel, "x")


@OPERATIONS.operation("instance_norm")
def instance_norm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per image and channel.

    Arguments: x ``[N, C, *D]``, gamma, beta ``[C]`` (ones, zeros), epsilon (1e-5).
    """
    gamma, beta = op.optional_weight("gamma"), op.optional_weight("beta")
    epsilon = op.option("epsilon", float, 1e-5)

    def kernel(x: Tensor) -> Tensor:
        if x.dim() < 3:
            raise ValueError(f"its input has rank {x.dim()}, 3 or more is needed")
        over = tuple(range(2, x.dim()))
        centred = x - x.mean(over, keepdim=True)
        result = centred / (centred.square().mean(over, keepdim=True) + epsilon).sqrt()
        result = result if gamma is None else result * per_channel(gamma, x)
        return result if beta is None else result + per_channel(beta, x)

    return op.call(kernel, "x")


@OPERATIONS.operation("l2_norm")
def l2_norm(op: View) -> Call:
    """``x / sqrt(sum(x^2) + epsilon)``, the sum over the last three axes; epsilon (1e-6)."""
    epsilon = op.option("epsilon", float, 1e-6)
    return op.call(lambda x: x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt(), "x")


@OPERATIONS.operation("local_response_norm")
def local_response_norm(op: View) -> Call:
    """``x / (k + alpha / size * sum of squares of size neighbouring channels) ^ beta``.

    Arguments: x ``[N, C, *D]``, size, alpha (1e-4), beta (0.75), k (1).
    """
    size, alpha = op.option("size", int), op.option("alpha", float, 1e-4)
    beta, k = op.option("beta", float, 0.75), op.option("k", float, 1.0)
    return op.call(lambda x: F.local_response_norm(x, size, alpha, beta, k), "x")
