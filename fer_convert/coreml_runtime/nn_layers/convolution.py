"""Convolution in two and three dimensions, and its transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.nn_layers.window_fields import (
    SAME,
    border_amounts,
    custom_amounts,
    heavy_side,
    pads_of,
    pads_of_3d,
    pair,
    triple,
)
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.windows import (
    Pads,
    convolve,
    pad,
    require_elements,
    transposed_sizes,
)

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
    amounts of valid, or with same what exceeds stride times the input. ``outputShape`` decides the
    size instead, and padding that does not lead to it is ignored: see `_cuts`. The specification
    says that dilationFactor is ignored as well; coremltools writes it and its tests on Apple's
    systems expect that it counts, so it does.
    """
    params = op.params
    size, strides = pair(op, "kernelSize", default=3), pair(op, "stride", default=1)
    dilations, groups = pair(op, "dilationFactor", default=1), int(params.nGroups) or 1
    channels, kernel_channels = int(params.outputChannels), int(params.kernelChannels)
    bias = op.weight("bias", (channels,)) if params.hasBias else None
    if params.isDeconvolution:
        shape = (kernel_channels, channels // groups)
        kernel = _transposed(
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=None if params.HasField("same") else border_amounts(params),
            output=_output_shape(op, 2),
            heavy=heavy_side(params),
        )
    else:
        shape = (channels, kernel_channels)
        kernel = _convolution(
            bias,
            find_pads=lambda x: pads_of(params, x, size, strides, dilations),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )
    if len(op.operation.arguments["input"]) > 1:

        def checked(x: Tensor, weight: Tensor) -> Tensor:
            if tuple(weight.shape) != (*shape, *size):
                raise ValueError(f"weights {list(weight.shape)}, not {[*shape, *size]}")
            return kernel(x, weight)

        return op.call(over_batches(checked, 3), "input")
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
    size, strides = triple(op, "kernel"), triple(op, "stride")
    dilations, groups = triple(op, "dilation"), int(params.nGroups) or 1
    channels, inputs = int(params.outputChannels), int(params.inputChannels)
    bias = op.weight("bias", (channels,)) if params.hasBias else None
    if params.isDeconvolution:
        # The specification names the two channel sizes the other way round; this is how
        # coremltools' builder writes them, as for two dimensions.
        weight = op.weight("weights", (inputs, channels // groups, *size))
        kernel = _transposed(
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=None if params.paddingType == SAME else custom_amounts(params),
            output=_output_shape(op, 3),
            heavy="after",
        )
    else:
        weight = op.weight("weights", (channels, inputs // groups, *size))
        kernel = _convolution(
            bias,
            find_pads=lambda x: pads_of_3d(params, x, size, strides, dilations),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )
    return op.call(over_batches(lambda x: kernel(x, weight), 4), "input")


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
        transposed_sizes(x, weight, strides=strides, dilations=dilations, groups=groups)
        full = function(x, weight, None, list(strides), 0, 0, groups, list(dilations))
        natural = tuple(n * s for n, s in zip(x.shape[-rank:], strides, strict=True))
        cuts = _cuts(full.shape[-rank:], crops, output, natural, heavy)
        require_elements([n - sum(cut) for n, cut in zip(full.shape[-rank:], cuts, strict=True)])
        # Negative padding cuts; a size beyond the last window is filled with zeros.
        placed = pad(full, [(-before, -after) for before, after in cuts])
        return placed if bias is None else placed + bias.reshape(-1, *(1,) * rank)

    return kernel


def _cuts(
    sizes: Sequence[int],
    crops: Pads | None,
    output: tuple[int, ...],
    natural: tuple[int, ...],
    heavy: Literal["after", "before"],
) -> Pads:
    """What a transposed convolution cuts off at both ends; a negative amount adds zeros.

    Args:
        sizes: of the whole result. crops: the amounts of the padding, None for same.
        output: the size the layer asks for, or empty. natural: the size of padding same.
    """
    if crops is not None:
        cropped = tuple(n - before - after for n, (before, after) in zip(sizes, crops, strict=True))
        if output in {(), cropped}:
            return crops
        heavy = "after"
    surplus = [size - wanted for size, wanted in zip(sizes, output or natural, strict=True)]
    starts = [max(0, total + (heavy == "before")) // 2 for total in surplus]
    return [(start, total - start) for start, total in zip(starts, surplus, strict=True)]


def _output_shape(op: View, rank: int) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in op.params.outputShape)
    if sizes and (len(sizes) != rank or min(sizes) < 1):
        raise op.refuse(f"outputShape {list(sizes)} is not {rank} sizes")
    return sizes
