"""Executes saved Core ML models (.mlmodel, .mlpackage) on any machine. See docs/coreml-runtime.md.

    model = load("EmotionNet.mlpackage")
    model.predict({"image": picture})  # {"classLabel": "fear", "classLabel_probs": {...}}

    program = load_program("EmotionNet.mlpackage")  # never a pipeline
    program.run({"image": picture}, precision="fp16", capture=[program.logits_name])

An independent witness: it shares nothing with the code that trains or exports. Of coremltools it
uses the generated protobuf classes and nothing else; arithmetic is PyTorch's or onnxruntime's.
"""

from fer_convert.coreml_runtime.answer import Answer
from fer_convert.coreml_runtime.errors import (
    ArtefactError,
    ExecutionFailed,
    RefusedInput,
    UnsupportedOperation,
)
from fer_convert.coreml_runtime.loader import load, load_program
from fer_convert.coreml_runtime.pipeline import Pipeline
from fer_convert.coreml_runtime.program import Program

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "ArtefactError",
    "ExecutionFailed",
    "Pipeline",
    "Program",
    "RefusedInput",
    "UnsupportedOperation",
    "__version__",
    "load",
    "load_program",
]
