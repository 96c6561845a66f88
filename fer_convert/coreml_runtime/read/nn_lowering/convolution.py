"""Convolution in two and three dimensions, and its transpose."""

from __future__ import annotations

from typing import Any

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes
from fer_convert.coreml_runtime.read.nn_lowering.window_fields import (
    padding_of,
    padding_of_3d,
    pair,
    triple,
)

RECIPES = Recipes()


@RECIPES.operation("convolution")
def convolution(layer: Layer) -> Value:
    """Two-dimensional convolution, or its transpose, of ``input [*, C, H, W]``.

    Inputs: x, and the weights where the file holds none.

    Fields: weights ``[outputChannels, kernelChannels, *kernelSize]`` with kernelChannels =
    C / nGroups, bias ``[outputChannels]`` if hasBias, kernelSize (3), stride (1), dilationFactor
    (1), each height then width, padding valid (with amounts) or same.

    With ``isDeconvolution`` the weights are ``[C, outputChannels / nGroups, *kernelSize]`` and each
    value of x adds a multiple of them to the result, stride apart. Padding is what is cut off: the
    amounts of valid, or with same what exceeds stride times the input. ``outputShape`` decides the
    size instead, and padding that does not lead to it is ignored. The specification says that
    dilationFactor is ignored as well; coremltools writes it and its tests on Apple's systems expect
    that it counts, so it does.
    """
    params, sizes = layer.params, _output_shape(layer, 2)
    size, groups = pair(layer, "kernelSize", default=3), int(params.nGroups) or 1
    channels, kernel_channels = int(params.outputChannels), int(params.kernelChannels)
    if params.isDeconvolution:
        shape = (kernel_channels, channels // groups, *size)
    else:
        shape = (channels, kernel_channels, *size)
    x, *computed = layer.inputs_between(1, 2)
    if computed:
        weight = layer.add("layer:of_shape", x=computed[0], shape=shape, name="weights")
    return _convolve(
        layer,
        sizes=sizes,
        x=x,
        weight=weight if computed else layer.weight("weights", shape),
        strides=pair(layer, "stride", default=1),
        dilations=pair(layer, "dilationFactor", default=1),
        **padding_of(params),
    )


@RECIPES.operation("convolution3d")
def convolution3d(layer: Layer) -> Value:
    """Three-dimensional convolution, or its transpose, of ``input [*, C, D, H, W]``.

    Fields: weights ``[outputChannels, inputChannels / nGroups, *kernel]``, or with
    ``isDeconvolution`` ``[inputChannels, outputChannels / nGroups, *kernel]``; bias
    ``[outputChannels]`` if hasBias; kernelDepth, kernelHeight, kernelWidth; strides (1); dilations
    (1); paddingType CUSTOM (with amounts) | VALID | SAME; outputShape as in ``convolution``.
    """
    params, sizes = layer.params, _output_shape(layer, 3)
    size, groups = triple(layer, "kernel"), int(params.nGroups) or 1
    channels, inputs = int(params.outputChannels), int(params.inputChannels)
    # The specification names the two channel sizes of a transposed one the other way round; this is
    # how coremltools' builder writes them, as for two dimensions.
    turned = params.isDeconvolution
    shape = (inputs, channels // groups) if turned else (channels, inputs // groups)
    return _convolve(
        layer,
        sizes=sizes,
        x=layer.x,
        weight=layer.weight("weights", (*shape, *size)),
        strides=triple(layer, "stride"),
        dilations=triple(layer, "dilation"),
        **padding_of_3d(params),
    )


def _convolve(
    layer: Layer, *, strides: tuple[int, ...], sizes: list[int], pad_type: str, **arguments: Any
) -> Value:
    params = layer.params
    operation = "conv"
    if params.isDeconvolution:
        internal = sizes or pad_type == "same_lower"
        operation = "layer:conv_transpose" if internal else "conv_transpose"
    return layer.add(
        operation,
        trailing=len(strides) + 1,
        bias=layer.weight("bias", (int(params.outputChannels),)) if params.hasBias else None,
        strides=strides,
        groups=int(params.nGroups) or 1,
        pad_type=pad_type,
        sizes=sizes or None,
        **arguments,
    )


def _output_shape(layer: Layer, rank: int) -> list[int]:
    """The size that a transposed convolution is to have; empty where nothing says."""
    sizes = [int(size) for size in layer.params.outputShape]
    if not layer.params.isDeconvolution:
        return []
    if sizes and (len(sizes) != rank or min(sizes) < 1):
        raise layer.refuse(f"outputShape {sizes} is not {rank} sizes")
    return sizes
