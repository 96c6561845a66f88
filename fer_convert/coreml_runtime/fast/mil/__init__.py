"""Translations of ML Program operations, in files of the same names as the reference engine's."""

from fer_convert.coreml_runtime.fast.mil import (
    activations,
    blocks,
    comparison,
    convolution,
    creation,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    quantization,
    reductions,
    reshaping,
    resizing,
    sampling,
)
from fer_convert.coreml_runtime.fast.translation import Translations

MIL = Translations()
for module in (
    activations,
    blocks,
    comparison,
    convolution,
    creation,
    elementwise,
    indexing,
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
