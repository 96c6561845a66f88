"""Translations of NeuralNetwork layers: importing this module fills ``LAYERS``."""

from fer_convert.coreml_runtime.fast import nn_elementwise, nn_moving, nn_neural
from fer_convert.coreml_runtime.fast.tables import LAYERS

__all__ = ["LAYERS", "nn_elementwise", "nn_moving", "nn_neural"]
