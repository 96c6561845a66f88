"""Translations of NeuralNetwork layers: importing this module fills ``LAYERS``."""

from fer_convert.coreml_runtime.fast import (
    nn_convolution,
    nn_indexing,
    nn_joining,
    nn_linear,
    nn_normalization,
    nn_pooling,
    nn_reductions,
    nn_reshaping,
    nn_resizing,
    nn_sampling,
    nn_slicing,
)
from fer_convert.coreml_runtime.fast.tables import LAYERS

__all__ = [
    "LAYERS",
    "nn_convolution",
    "nn_indexing",
    "nn_joining",
    "nn_linear",
    "nn_normalization",
    "nn_pooling",
    "nn_reductions",
    "nn_reshaping",
    "nn_resizing",
    "nn_sampling",
    "nn_slicing",
]
