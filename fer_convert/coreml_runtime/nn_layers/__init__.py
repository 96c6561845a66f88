"""NeuralNetwork layers. Importing this package imports torch and fills ``LAYERS``."""

from fer_convert.coreml_runtime.nn_layers import (
    activations,
    creation,
    elementwise,
    indexing,
    left_out,
    linear,
    neural,
    normalization,
    preprocessing,
    reductions,
    reshaping,
    resizing,
)
from fer_convert.coreml_runtime.nn_layers.table import LAYERS

__all__ = [
    "LAYERS",
    "activations",
    "creation",
    "elementwise",
    "indexing",
    "left_out",
    "linear",
    "neural",
    "normalization",
    "preprocessing",
    "reductions",
    "reshaping",
    "resizing",
]
