"""Layers with windows: convolution, its transpose and pooling; softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.batches import over_batches
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.windows import Pads, convolve, pad, pool, same_pads

_TOP_LEFT_HEAVY = 1  # SamePadding.SamePaddingMode
_MAX, _AVERAGE = 0, 1  # PoolingLayerParams.PoolingType
_CUSTOM, _SAME = 0, 2  # Convolution3DLayerParams.PaddingType, Pooling3DPaddingType

_FindPads = Callable[[Tensor], Pads]


@LAYERS.operation("convolution")
def convolution(op: View) -> Call:
    """Two-dimensional convolution, or its transpose, of ``input [*, C, H, W]``.

    Inputs: x, and the weights where the file holds none.

    Fields: weights ``[outputChannels, kernelChannels, *kernelSize]`` with kernelChannels =
    C / nGroups, bias ``[outputChannels]`` if hasBias, kernelSize (3), stride (1), dilationFactor
    (1), each height then width, padding valid (with amounts) or same.

    With ``isDeconvolution`` the weights are ``[C, outputChannels / nGroups, *kernelSize]`` and each
    value of x adds a multiple of them to the result, stride apart. Padding is what is cut off: the
    amounts of valid (``outputShape``, if given, decides the end instead, with zeros beyond the
    last value); with same, what exceeds ``outputShape`` or else stride times the input.
    """
    params = op.params
    size, strides = _pair(op, "kernelSize", default=3), _pair(op, "stride", default=1)
    dilations, groups = _pair(op, "dilationFactor", default=1), int(params.nGroups) or 1
    channels, kernel_channels = int(params.outputChannels), int(params.kernelChannels)
    top_left = params.HasField("same") and params.same.asymmetryMode == _TOP_LEFT_HEAVY
    computed = len(op.operation.arguments["input"]) > 1
    shape = (
        (kernel_channels, channels // groups) if params.isDeconvolution
        else (channels, kernel_channels)
    )  # fmt: skip
    bias = op.weight("bias", (channels,)) if params.hasBias else None
    if params.isDeconvolution:
        kernel = _transposed(
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=None if params.HasField("same") else _border_amounts(params),
            output=_sizes(op, "outputShape"),
            heavy="before" if top_left else "after",
        )
    else:
        kernel = _convolution(
            bias,
            find_pads=lambda x: _pads(params, x, size, strides, dilations),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )
    if computed:
        return op.call(over_batches(kernel, 3), "input")
    weight = op.weight("weights", (*shape, *size))
    return op.call(over_batches(lambda x: kernel(x, weight), 3), "input")


@LAYERS.operation("convolution3d")
def convolution3d(op: View) -> Call:
    """Three-dimensional convolution, or its transpose, of ``input [*, C, D, H, W]``.

    Fields: weights ``[outputChannels, inputChannels / nGroups, *kernel]``, or with
    ``isDeconvolution`` ``[inputChannels, outputChannels / nGroups, *kernel]``; bias
    ``[outputChannels]`` if hasBias; kernelDepth, kernelHeight, kernelWidth; strides (1); dilations
    (1); paddingType CUSTOM (with amounts) | VALID | SAME; outputShape as in ``convolution``.
    """
    params = op.params
    size, strides = _triple(op, "kernel"), _triple(op, "stride")
    dilations, groups = _triple(op, "dilation"), int(params.nGroups) or 1
    channels, inputs = int(params.outputChannels), int(params.inputChannels)
    bias = op.weight("bias", (channels,)) if params.hasBias else None
    if params.isDeconvolution:
        weight = op.weight("weights", (inputs, channels // groups, *size))
        kernel = _transposed(
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=None if params.paddingType == _SAME else _custom_amounts(params),
            output=_sizes(op, "outputShape"),
            heavy="after",
        )
    else:
        weight = op.weight("weights", (channels, inputs // groups, *size))
        kernel = _convolution(
            bias,
            find_pads=lambda x: _pads3d(params, x, size, strides, dilations),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )
    return op.call(over_batches(lambda x: kernel(x, weight), 4), "input")


@LAYERS.operation("pooling")
def pooling(op: View) -> Call:
    """Two-dimensional pooling of ``input [*, C, H, W]``; ``globalPooling`` leaves ``[*, C, 1, 1]``.

    Fields: type MAX | AVERAGE | L2 (root of the sum of squares), kernelSize (3), stride (1),
    padding valid | same | includeLastPixel (``paddingAmounts`` on both sides and the last window
    may hang over the edge), avgPoolExcludePadding.
    """
    params = op.params
    exact = params.type == _MAX
    if params.globalPooling:
        return op.call(_global(params.type, (-2, -1)), "input", exact=exact)
    size, strides = _pair(op, "kernelSize", default=3), _pair(op, "stride", default=1)
    ceil_mode = params.WhichOneof("PoolingPaddingType") == "includeLastPixel"

    def kernel(x: Tensor) -> Tensor:
        pads = _pads(params, x, size, strides, (1, 1))
        if params.type not in {_MAX, _AVERAGE}:
            return _l2_pool(x, size, strides, pads, ceil_mode=ceil_mode)
        return pool(
            x,
            kind=_pool_kind(params.type),
            kernel=size,
            strides=strides,
            pads=pads,
            ceil_mode=ceil_mode,
            exclude_padding=params.avgPoolExcludePadding,
        )

    return op.call(over_batches(kernel, 3), "input", exact=exact)


@LAYERS.operation("pooling3d")
def pooling3d(op: View) -> Call:
    """Three-dimensional pooling of ``input [*, C, D, H, W]``.

    Fields: type MAX | AVERAGE; kernelDepth, kernelHeight, kernelWidth; strides (1); paddingType
    CUSTOM (with amounts) | VALID | SAME; countExcludePadding.
    """
    params = op.params
    size, strides = _triple(op, "kernel"), _triple(op, "stride")

    def kernel(x: Tensor) -> Tensor:
        return pool(
            x,
            kind=_pool_kind(params.type),
            kernel=size,
            strides=strides,
            pads=_pads3d(params, x, size, strides, (1, 1, 1)),
            ceil_mode=False,
            exclude_padding=params.countExcludePadding,
        )

    return op.call(over_batches(kernel, 4), "input", exact=params.type == _MAX)


@LAYERS.operation("globalPooling3d")
def global_pooling3d(op: View) -> Call:
    """The maximum or mean over the last three dimensions of ``input``, each left with size 1."""
    kind = op.params.type
    return op.call(_global(kind, (-3, -2, -1)), "input", exact=kind == _MAX)


@LAYERS.operation("softmaxND")
def softmax_nd(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along field ``axis``."""
    axis = int(op.params.axis)
    return op.call(lambda x: torch.softmax(x, axis), "input")


@LAYERS.operation("softmax")
def softmax(op: View) -> Call:
    """``exp(x) / sum(exp(x))`` along the channels (axis -3) of an input of rank 3 or more."""
    return op.call(lambda x: torch.softmax(x, -3), "input")


def _convolution(
    bias: Tensor | None,
    *,
    find_pads: _FindPads,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Callable[[Tensor, Tensor], Tensor]:
    def kernel(x: Tensor, weight: Tensor) -> Tensor:
        return convolve(
            x,
            weight,
            bias,
            pads=find_pads(x),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )

    return kernel


def _transposed(
    bias: Tensor | None,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    crops: Pads | None,
    output: tuple[int, ...],
    heavy: Literal["after", "before"],
) -> Callable[[Tensor, Tensor], Tensor]:
    """``crops`` None is the padding same; an empty ``output`` leaves the size to the padding."""
    rank = len(strides)
    function = (F.conv_transpose2d, F.conv_transpose3d)[rank - 2]

    def kernel(x: Tensor, weight: Tensor) -> Tensor:
        full = function(x, weight, None, list(strides), 0, 0, groups, list(dilations))
        sizes = full.shape[-rank:]
        wanted = output
        if crops is None:
            wanted = output or tuple(n * s for n, s in zip(x.shape[-rank:], strides, strict=True))
            surplus = [max(0, size - n) for size, n in zip(sizes, wanted, strict=True)]
            starts = [(total + (heavy == "before")) // 2 for total in surplus]
        else:
            starts = [before for before, _ in crops]
            ends = [after for _, after in crops]
            wanted = output or tuple(
                size - a - b for size, a, b in zip(sizes, starts, ends, strict=True)
            )
        # Negative padding cuts; a size beyond the last window is filled with zeros.
        moves = [(-a, a + n - size) for a, n, size in zip(starts, wanted, sizes, strict=True)]
        placed = pad(full, moves)
        return placed if bias is None else placed + bias.reshape(-1, *(1,) * rank)

    return kernel


def _pool_kind(kind: int) -> Literal["max", "average"]:
    return "max" if kind == _MAX else "average"


def _global(kind: int, axes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    if kind == _MAX:
        return lambda x: torch.amax(x, axes, keepdim=True)
    if kind == _AVERAGE:
        return lambda x: torch.mean(x, axes, keepdim=True)
    return lambda x: x.square().sum(axes, keepdim=True).sqrt()


def _l2_pool(
    x: Tensor,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: Pads,
    *,
    ceil_mode: bool,
) -> Tensor:
    windows = []
    for size, (before, after), k, s in zip(x.shape[-2:], pads, kernel, strides, strict=True):
        span = size + before + after - k
        count = span // s + 1
        if ceil_mode and span % s and count * s < size + before:
            count += 1
        windows.append(count)
    # Zeros beyond the edge, for windows that hang over it, add nothing to a sum.
    room = [(before, after + k) for (before, after), k in zip(pads, kernel, strict=True)]
    sums = F.avg_pool2d(pad(x.square(), room), list(kernel), list(strides), divisor_override=1)
    return sums[..., : windows[0], : windows[1]].sqrt()


def _pair(op: View, field: str, *, default: int) -> tuple[int, int]:
    values = tuple(int(v) for v in getattr(op.params, field)) or (default, default)
    if len(values) != 2 or min(values) < 1:
        raise op.refuse(f"{field} {list(values)} is not a height and a width")
    return values


def _triple(op: View, field: str) -> tuple[int, int, int]:
    params = op.params
    depth, height, width = (
        int(getattr(params, f"{field}{axis}")) or 1 for axis in ("Depth", "Height", "Width")
    )
    if min(depth, height, width) < 1:
        raise op.refuse(f"its {field} is {[depth, height, width]}")
    return depth, height, width


def _sizes(op: View, field: str) -> tuple[int, ...]:
    return tuple(int(v) for v in getattr(op.params, field))


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
    if params.WhichOneof(params.DESCRIPTOR.oneofs[0].name) == "includeLastPixel":
        amounts = [(int(a), int(a)) for a in params.includeLastPixel.paddingAmounts]
        return amounts or [(0, 0), (0, 0)]
    return _border_amounts(params)


def _border_amounts(params: Any) -> Pads:
    amounts = [
        (int(edge.startEdgeSize), int(edge.endEdgeSize))
        for edge in params.valid.paddingAmounts.borderAmounts
    ]
    return amounts or [(0, 0), (0, 0)]


def _pads3d(
    params: Any,
    x: Tensor,
    kernel: tuple[int, int, int],
    strides: tuple[int, int, int],
    dilations: tuple[int, int, int],
) -> Pads:
    if params.paddingType == _SAME:
        return same_pads(x.shape[-3:], kernel, strides, dilations, heavy="after")
    return _custom_amounts(params)


def _custom_amounts(params: Any) -> Pads:
    if params.paddingType != _CUSTOM:
        return [(0, 0)] * 3
    sides = (("Front", "Back"), ("Top", "Bottom"), ("Left", "Right"))
    return [
        (int(getattr(params, f"customPadding{a}")), int(getattr(params, f"customPadding{b}")))
        for a, b in sides
    ]
