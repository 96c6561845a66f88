"""What a NeuralNetwork does to an image before its first layer."""

from __future__ import annotations

import torch

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View


@LAYERS.operation("scaler")
def scaler(op: View) -> Call:
    """Image preprocessing: ``channelScale * x + bias``, x ``[*, C, H, W]`` in the declared layout.

    Fields: channelScale, redBias, greenBias, blueBias (colour), grayBias (one channel). The biases
    are named by colour, so their order follows the input's layout.
    """
    params, layout = op.params
    red, green, blue = params.redBias, params.greenBias, params.blueBias
    grey = (params.grayBias,)
    biases = {"RGB": (red, green, blue), "BGR": (blue, green, red)}
    bias = torch.tensor(biases.get(layout, grey)).reshape(1, -1, 1, 1)
    scale = params.channelScale
    return op.call(lambda x: scale * x + bias, "input")


@LAYERS.operation("meanImage")
def mean_image(op: View) -> Call:
    """Image preprocessing: ``x - meanImage``, one value for each of x ``[*, C, H, W]``."""
    params, _layout = op.params
    mean = torch.tensor(params.meanImage)
    return op.call(lambda x: x - mean.reshape(x.shape[-3:]), "input")
