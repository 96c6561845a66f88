"""Executes saved Core ML models (.mlmodel, .mlpackage) on any machine. See docs/coreml-runtime.md.

    program = load("EmotionNet.mlpackage")
    program.predict({"image": picture})  # {"classLabel": "fear", "classLabel_probs": {...}}
    program.run({"image": picture}, precision="fp16", capture=[program.logits_name])

An independent witness: it shares nothing with the code that trains or exports. Of coremltools it
uses the generated protobuf classes and nothing else; arithmetic is PyTorch's, on the CPU.
"""

from fer_convert.coreml_runtime.errors import (
    ArtefactError,
    ExecutionFailed,
    RefusedInput,
    UnsupportedOperation,
)
from fer_convert.coreml_runtime.loader import load
from fer_convert.coreml_runtime.program import Program

__version__ = "0.1.0"

__all__ = [
    "ArtefactError",
    "ExecutionFailed",
    "Program",
    "RefusedInput",
    "UnsupportedOperation",
    "__version__",
    "load",
]
