"""ML Program operations, grouped as Apple's MIL reference groups them.

Importing this package imports torch. Result shapes need not be computed: the plan compares each
result with the shape that the file declares.
"""

from fer_convert.coreml_runtime.reference.mil import (
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
    pooling,
    quantization,
    reductions,
    reshaping,
    resizing,
    sampling,
)
from fer_convert.coreml_runtime.reference.operations import Table

MIL = Table("mlprogram")
for module in (
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
    pooling,
    quantization,
    reductions,
    reshaping,
    resizing,
    sampling,
):
    MIL.include(module.OPERATIONS)
