"""Layers with windows or weights: convolution, pooling, batchnorm, innerProduct, softmax."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.windows import Pads, convolve, pool, same_pads

_TOP_LEFT_HEAVY = 1  # SamePadding.SamePaddingMode
_MAX, _AVERAGE = 0, 1  # PoolingLayerParams.PoolingType


@LAYERS.operation("convolution")
def convolution(op: View) -> Call:
    """Two-dimensional convolution of ``input [N, C, H, W]``.

    Fields: weights ``[outputChannels, kernelChannels, *kernelSize]`` with kernelChannels =
    C / nGroups, bias ``[outputChannels]`` if hasBias, kernelSize, stride, dilationFactor (height,
    width; the last two default to 1), padding valid (with amounts) or same. ``isDeconvolution`` is
    not supported.
    """
    params = op.params
    if params.isDeconvolution:
        raise op.unsupported("isDeconvolution")
    size = _pair(op, "kernelSize", default=3)
    channels, groups = int(params.outputChannels), int(params.nGroups) or 1
    weight = op.weight("weights", (channels, int(params.kernelChannels), *size))
    bias = op.weight("bias", (channels,)) if params.hasBias else None
    strides, dilations = _pair(op, "stride", default=1), _pair(op, "dilationFactor", default=1)

    def kernel(x: Tensor) -> Tensor:
        pads = _pads(params, x, size, strides, dilations)
        return convolve(
            x, weight, bias, pads=pads, strides=strides, dilations=dilations, groups=groups
        )

    return op.call(kernel, "input")


@LAYERS.operation("pooling")
def pooling(op: View) -> Call:
    """Two-dimensional pooling of ``input [N, C, H, W]``; ``globalPooling`` leaves ``[N, C, 1, 1]``.

    Fields: type MAX | AVERAGE (L2 is not supported), kernelSize (3), stride (1), padding valid |
    same | includeLastPixel (``paddingAmounts`` on both sides and the last window may hang over the
    edge), avgPoolExcludePadding.
    """
    params = op.params
    if params.type not in {_MAX, _AVERAGE}:
        raise op.unsupported("L2 pooling")
    kind: Literal["max", "average"] = "max" if params.type == _MAX else "average"
    if params.globalPooling:
        reduce = torch.amax if kind == "max" else torch.mean
        return op.call(lambda x: reduce(x, (-2, -1), keepdim=True), "input", exact=kind == "max")
    size, strides = _pair(op, "kernelSize", default=3), _pair(op, "stride", default=1)
    ceil_mode = params.WhichOneof("PoolingPaddingType") == "includeLastPixel"

    def kernel(x: Tensor) -> Tensor:
        return pool(
            x,
            kind=kind,
            kernel=size,
            strides=strides,
            pads=_pads(params, x, size, strides, (1, 1)),
            ceil_mode=ceil_mode,
            exclude_padding=params.avgPoolExcludePadding,
        )

    return op.call(kernel, "input", exact=kind == "max")


@LAYERS.operation("batchnorm")
def batchnorm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per channel, x ``[N, C, H, W]``.

    Fields: channels, gamma, beta, mean, variance ``[channels]``, epsilon (1e-5). Statistics
    computed from the input (``computeMeanVar``, ``instanceNormalization``) are not supported.
    """
    params = op.params
    if params.computeMeanVar or params.instanceNormalization:
        raise op.unsupported("statistics of its input (computeMeanVar)")
    shape = (int(params.channels),)
    mean, variance = op.weight("mean", shape), op.weight("variance", shape)
    gamma, beta = op.weight("gamma", shape), op.weight("beta", shape)
    epsilon = params.epsilon or 1e-5
    return op.call(
        lambda x: F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon), "input"
    )


@LAYERS.operation("innerProduct")
def inner_product(op: View) -> Call:
    """``x @ weights.T + bias``: input ``[*, inputChannels]``.

    Fields: weights ``[outputChannels, inputChannels]``, bias ``[outputChannels]`` if hasBias.
    """
    params = op.params
    if params.int8DynamicQuantize:
        raise op.unsupported("int8DynamicQuantize")
    weight = op.weight("weights", (int(params.outputChannels), int(params.inputChannels)))
    bias = op.weight("bias", (int(params.outputChannels),)) if params.hasBias else None
    return op.call(lambda x: F.linear(x, weight, bias), "input")


@LAYERS.operation("softmaxND")
def softmax_nd(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along field ``axis``."""
    axis = int(op.params.axis)
    return op.call(lambda x: torch.softmax(x, axis), "input")


@LAYERS.operation("softmax")
def softmax(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along the channels (axis -3) of an input of rank 3 or more."""
    return op.call(lambda x: torch.softmax(x, -3), "input")


def _pair(op: View, field: str, *, default: int) -> tuple[int, int]:
    values = tuple(int(v) for v in getattr(op.params, field)) or (default, default)
    if len(values) != 2 or min(values) < 1:
        raise op.refuse(f"{field} {list(values)} is not a height and a width")
    return values


def _pads(
    params: Any,
    x: Tensor,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> Pads:
    if params.HasField("same"):
        top_left = params.same.asymmetryMode == _TOP_LEFT_HEAVY
        return same_pads(
            x.shape[-2:], kernel, strides, dilations, heavy="before" if top_left else "after"
        )
    if "includeLastPixel" in params.DESCRIPTOR.fields_by_name and params.HasField(
        "includeLastPixel"
    ):
        amounts = [(int(a), int(a)) for a in params.includeLastPixel.paddingAmounts]
    else:
        amounts = [
            (int(edge.startEdgeSize), int(edge.endEdgeSize))
            for edge in params.valid.paddingAmounts.borderAmounts
        ]
    return amounts or [(0, 0), (0, 0)]
