"""Constants that multiply images and are added to them: two layers, and image preprocessing."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes

RECIPES = Recipes()


@RECIPES.operation("scale")
def scale(layer: Layer) -> Value:
    """``scale * x + bias`` with x ``[*, C, H, W]``.

    Fields: scale and bias (if hasBias), their shapes shapeScale and shapeBias: ``[1]``, ``[C]``,
    ``[1, H, W]`` or ``[C, H, W]``.
    """
    params = layer.params
    layer.rank = IMAGE
    factor = layer.weight("scale", _channels_first(params.shapeScale))
    scaled = layer.add("mul", x=layer.x, y=factor)
    if not params.hasBias:
        return scaled
    return layer.add("add", x=scaled, y=layer.weight("bias", _channels_first(params.shapeBias)))


@RECIPES.operation("bias")
def bias(layer: Layer) -> Value:
    """``x + bias`` with x ``[*, C, H, W]``.

    Fields: bias, and its shape: ``[1]``, ``[C]``, ``[1, H, W]`` or ``[C, H, W]``.
    """
    layer.rank = IMAGE
    added = layer.weight("bias", _channels_first(layer.params.shape))
    return layer.add("add", x=layer.x, y=added)


@RECIPES.operation("scaler")
def scaler(layer: Layer) -> Value:
    """Image preprocessing: ``channelScale * x + bias``, x ``[*, C, H, W]`` in the declared layout.

    Fields: channelScale, redBias, greenBias, blueBias (colour), grayBias (one channel). The biases
    are named by colour, so their order follows the input's layout.
    """
    params, image = layer.params
    red, green, blue = params.redBias, params.greenBias, params.blueBias
    biases = {"RGB": (red, green, blue), "BGR": (blue, green, red)}
    added = biases.get(image.color_layout, (params.grayBias,))
    scaled = layer.add("mul", x=layer.x, y=params.channelScale)
    return layer.add("add", x=scaled, y=np.array(added).reshape(-1, 1, 1))


@RECIPES.operation("meanImage")
def mean_image(layer: Layer) -> Value:
    """Image preprocessing: ``x - meanImage``, one value for each of x ``[*, C, H, W]``."""
    params, image = layer.params
    mean, shape = np.array(params.meanImage), (image.channels, *image.shape)
    if mean.size != prod(shape):
        raise layer.refuse(f"it holds {mean.size} values, {list(shape)} are needed")
    return layer.add("sub", x=layer.x, y=mean.reshape(shape))


def _channels_first(shape: Iterable[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in shape)
    if sizes in {(), (1,)}:
        return ()
    return (*sizes, 1, 1) if len(sizes) == 1 else sizes
