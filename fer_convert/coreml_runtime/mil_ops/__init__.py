"""ML Program operations, grouped as Apple's MIL reference groups them.

Importing this package imports torch and fills ``MIL``. Result shapes need not be computed: the plan
compares each result with the shape that the file declares.
"""

from fer_convert.coreml_runtime.mil_ops import (
    activations,
    blocks,
    comparison,
    convolution,
    creation,
    elementwise,
    indexing,
    left_out,
    linear,
    normalization,
    ordering,
    pooling,
    quantization,
    reductions,
    reshaping,
    resizing,
    sampling,
    unary,
)
from fer_convert.coreml_runtime.mil_ops.table import MIL

__all__ = [
    "MIL",
    "activations",
    "blocks",
    "comparison",
    "convolution",
    "creation",
    "elementwise",
    "indexing",
    "left_out",
    "linear",
    "normalization",
    "ordering",
    "pooling",
    "quantization",
    "reductions",
    "reshaping",
    "resizing",
    "sampling",
    "unary",
]
