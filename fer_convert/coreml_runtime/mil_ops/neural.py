"""Layers of a network: convolution, pooling, normalisation, linear."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.windows import Pads, convolve, pool, same_pads

_PAD_TYPES = ("valid", "custom", "same", "same_lower")


@MIL.operation("conv")
def conv(op: View) -> Call:
    """Convolution over 1, 2 or 3 spatial dimensions.

    Arguments: x ``[N, C, *D]``, weight ``[O, C / groups, *K]``, bias ``[O]`` (optional), strides,
    dilations ``[len(D)]`` (ones), pad ``[2 * len(D)]`` (before, after of each dimension), pad_type
    valid | custom | same | same_lower, groups (1).
    """
    weight, bias = op.weight("weight"), op.optional_weight("bias")
    rank = weight.dim() - 2
    if not 1 <= rank <= 3:
        raise op.refuse(f"a kernel of shape {list(weight.shape)}")
    strides = _per_dimension(op, "strides", rank)
    dilations = _per_dimension(op, "dilations", rank)
    groups = op.option("groups", int, 1)
    pad_type, custom = _padding(op, rank)

    def kernel(x: Tensor) -> Tensor:
        pads = _resolve(pad_type, custom, x, weight.shape[2:], strides, dilations)
        return convolve(
            x, weight, bias, pads=pads, strides=strides, dilations=dilations, groups=groups
        )

    return op.call(kernel, "x")


@MIL.operation("max_pool", "avg_pool")
def pooling(op: View) -> Call:
    """Maximum or mean of each window.

    Arguments: x ``[N, C, *D]``, kernel_sizes ``[len(D)]``, strides (ones), pad, pad_type as in
    conv, ceil_mode (false), exclude_padding_from_average (false, avg_pool only).
    """
    kernel_sizes = op.integers("kernel_sizes")
    rank = len(kernel_sizes)
    strides = _per_dimension(op, "strides", rank)
    pad_type, custom = _padding(op, rank)
    kind: Literal["max", "average"] = "max" if op.operation.type == "max_pool" else "average"
    ceil_mode = op.option("ceil_mode", bool, False)
    exclude = op.option("exclude_padding_from_average", bool, False)

    def kernel(x: Tensor) -> Tensor:
        return pool(
            x,
            kind=kind,
            kernel=kernel_sizes,
            strides=strides,
            pads=_resolve(pad_type, custom, x, kernel_sizes, strides, (1,) * rank),
            ceil_mode=ceil_mode,
            exclude_padding=exclude,
        )

    return op.call(kernel, "x", exact=kind == "max")


@MIL.operation("batch_norm")
def batch_norm(op: View) -> Call:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per channel.

    Arguments: x ``[N, C, *D]``, mean, variance ``[C]``, gamma, beta ``[C]`` (ones, zeros), epsilon
    (1e-5).
    """
    mean, variance = op.weight("mean"), op.weight("variance")
    gamma, beta = op.optional_weight("gamma"), op.optional_weight("beta")
    epsilon = op.option("epsilon", float, 1e-5)
    return op.call(
        lambda x: F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon), "x"
    )


@MIL.operation("linear")
def linear(op: View) -> Call:
    """``x @ weight.T + bias``: x ``[*, in]``, weight ``[out, in]``, bias ``[out]`` (zeros)."""
    weight, bias = op.weight("weight"), op.optional_weight("bias")
    return op.call(lambda x: F.linear(x, weight, bias), "x")


def _per_dimension(op: View, name: str, rank: int) -> tuple[int, ...]:
    values = op.integers(name, (1,) * rank)
    if len(values) != rank or min(values) < 1:
        raise op.refuse(f"{name} {list(values)} for {rank} spatial dimensions")
    return values


def _padding(op: View, rank: int) -> tuple[str, Pads]:
    pad_type = op.option("pad_type", str, "valid")
    if pad_type not in _PAD_TYPES:
        raise op.refuse(f"pad_type '{pad_type}' is none of {', '.join(_PAD_TYPES)}")
    if pad_type != "custom":
        return pad_type, [(0, 0)] * rank  # a leftover `pad` is ignored, as Core ML does
    flat = op.integers("pad", (0,) * 2 * rank)
    if len(flat) != 2 * rank or min(flat) < 0:
        raise op.refuse(f"pad {list(flat)} for {rank} spatial dimensions")
    return pad_type, list(zip(flat[::2], flat[1::2], strict=True))


def _resolve(
    pad_type: str,
    custom: Pads,
    x: Tensor,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> Pads:
    if pad_type in {"valid", "custom"}:
        return custom
    heavy: Literal["after", "before"] = "before" if pad_type == "same_lower" else "after"
    return same_pads(x.shape[2:], kernel, strides, dilations, heavy=heavy)
