"""NeuralNetwork layers. Importing this package imports torch and fills ``LAYERS``."""

from fer_convert.coreml_runtime.nn_layers import activations, neural, simple
from fer_convert.coreml_runtime.nn_layers.table import LAYERS

__all__ = ["LAYERS", "activations", "neural", "simple"]
