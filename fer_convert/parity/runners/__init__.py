"""One small class per runtime, all with the interface ``parity.result.Runner``.

    runner = open_runner("onnx", path)
    runner.run_many(images)  # uint8 [N, S, S, 3] -> one Prediction each

The checkpoint's runner shares no pixel code with the exported module: its normalisation is written
again in NumPy, in float64, so that comparing the two is a real question.
"""

from fer_convert.parity.runners.answers import labels_in, normalise, predict_one, softmax
from fer_convert.parity.runners.apple import (
    APPLE_RUNTIME,
    COMPUTE_UNITS,
    AppleRunner,
    ComputeUnits,
    apple_runtime_missing,
)
from fer_convert.parity.runners.onnx_file import OnnxRunner
from fer_convert.parity.runners.opening import open_runner
from fer_convert.parity.runners.portable import PORTABLE_RUNTIME, PortableRunner
from fer_convert.parity.runners.pytorch import CheckpointRunner, ModuleRunner, TorchScriptRunner

__all__ = [
    "APPLE_RUNTIME",
    "COMPUTE_UNITS",
    "PORTABLE_RUNTIME",
    "AppleRunner",
    "CheckpointRunner",
    "ComputeUnits",
    "ModuleRunner",
    "OnnxRunner",
    "PortableRunner",
    "TorchScriptRunner",
    "apple_runtime_missing",
    "labels_in",
    "normalise",
    "open_runner",
    "predict_one",
    "softmax",
]
