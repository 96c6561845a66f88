"""The fast engine: a graph as one ONNX model, run by onnxruntime in fp32.

A second implementation of the operations, sharing nothing with the reference engine's kernels.
"""

from fer_convert.coreml_runtime.fast.engine import FastEngine
from fer_convert.coreml_runtime.fast.lower import Lowered, NotLowered, lower
from fer_convert.coreml_runtime.fast.mil import MIL

__all__ = ["MIL", "FastEngine", "Lowered", "NotLowered", "lower"]
