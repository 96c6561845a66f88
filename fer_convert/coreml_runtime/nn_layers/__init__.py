"""NeuralNetwork layers. Importing this package imports torch and fills ``LAYERS``."""

from fer_convert.coreml_runtime.nn_layers import (
    activations,
    convolution,
    creation,
    cropping,
    elementwise,
    indexing,
    joining,
    left_out,
    linear,
    normalization,
    padding,
    pooling,
    preprocessing,
    reductions,
    reshaping,
    resizing,
    slicing,
)
from fer_convert.coreml_runtime.nn_layers.table import LAYERS

__all__ = [
    "LAYERS",
    "activations",
    "convolution",
    "creation",
    "cropping",
    "elementwise",
    "indexing",
    "joining",
    "left_out",
    "linear",
    "normalization",
    "padding",
    "pooling",
    "preprocessing",
    "reductions",
    "reshaping",
    "resizing",
    "slicing",
]
