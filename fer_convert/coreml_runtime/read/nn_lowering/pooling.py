"""Pooling in two and three dimensions."""

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

# By PoolingLayerParams.PoolingType.
_WINDOWS = ("max_pool", "avg_pool", "l2_pool")
_WHOLE = ("reduce_max", "reduce_mean", "reduce_l2_norm")


@RECIPES.operation("pooling")
def pooling(layer: Layer) -> Value:
    """Two-dimensional pooling of ``input [*, C, H, W]``; ``globalPooling`` leaves ``[*, C, 1, 1]``.

    Fields: type MAX | AVERAGE | L2 (root of the sum of squares), kernelSize (3), stride (1),
    padding valid | same | includeLastPixel (``paddingAmounts`` on both sides and the last window
    may hang over the edge), avgPoolExcludePadding. What hangs over is padding to an average.
    """
    params = layer.params
    if params.globalPooling:
        return _whole(layer, 2)
    last_pixel = params.WhichOneof("PoolingPaddingType") == "includeLastPixel"
    return layer.add(
        f"layer:{_WINDOWS[params.type]}" if last_pixel else _WINDOWS[params.type],
        x=layer.x,
        trailing=3,
        kernel_sizes=pair(layer, "kernelSize", default=3),
        strides=pair(layer, "stride", default=1),
        ceil_mode=last_pixel,
        **padding_of(params),
        **_excluding(layer, params.avgPoolExcludePadding),
    )


@RECIPES.operation("pooling3d")
def pooling3d(layer: Layer) -> Value:
    """Three-dimensional pooling of ``input [*, C, D, H, W]``.

    Fields: type MAX | AVERAGE; kernelDepth, kernelHeight, kernelWidth; strides (1); paddingType
    CUSTOM (with amounts) | VALID | SAME (the result has the size of the input divided by the
    strides, rounded up); countExcludePadding. MAX takes the amounts of CUSTOM for zeros, as the
    specification says, where ``pooling`` never chooses padding; nor does it with SAME, as
    coremltools' tests on Apple's systems expect.
    """
    params, x, padding = layer.params, layer.x, padding_of_3d(layer.params)
    windows: dict[str, Any] = {
        "kernel_sizes": triple(layer, "kernel"),
        "strides": triple(layer, "stride"),
    }
    operation = _WINDOWS[params.type]
    if operation == "max_pool" and padding["pad_type"] == "custom":
        x, padding = layer.add("pad", x=x, pad=padding["pad"]), {"pad_type": "valid"}
    excluding = _excluding(layer, params.countExcludePadding)
    return layer.add(operation, x=x, trailing=4, **windows, **padding, **excluding)


@RECIPES.operation("globalPooling3d")
def global_pooling3d(layer: Layer) -> Value:
    """The maximum or mean over the last three dimensions of ``input``, each left with size 1."""
    return _whole(layer, 3)


def _whole(layer: Layer, count: int) -> Value:
    x = layer.add("layer:with_elements", x=layer.x, axes=count)
    axes = tuple(range(-count, 0))
    return layer.add(_WHOLE[layer.params.type], x=x, axes=axes, keep_dims=True)


def _excluding(layer: Layer, excludes: bool) -> dict[str, Any]:
    """The option that only an average has."""
    average = _WINDOWS[layer.params.type] == "avg_pool"
    return {"exclude_padding_from_average": excludes} if average else {}
