"""The fast engine: a graph as one ONNX model, run by onnxruntime in fp32.

A second implementation of the operations, sharing nothing with the reference engine's kernels.
"""

from fer_convert.coreml_runtime.fast.layers import LAYERS
from fer_convert.coreml_runtime.fast.lowering import Lowered, NotLowered, lower
from fer_convert.coreml_runtime.fast.mil import MIL
from fer_convert.coreml_runtime.fast.session import FastEngine

__all__ = ["LAYERS", "MIL", "FastEngine", "Lowered", "NotLowered", "lower"]
