"""Translations of ML Program operations: importing this module fills ``MIL``."""

from fer_convert.coreml_runtime.fast import (
    mil_blocks,
    mil_comparison,
    mil_creation,
    mil_elementwise,
    mil_indexing,
    mil_moving,
    mil_neural,
    mil_quantization,
    mil_reductions,
    mil_resizing,
    mil_sampling,
    mil_windows,
)
from fer_convert.coreml_runtime.fast.tables import MIL

__all__ = [
    "MIL",
    "mil_blocks",
    "mil_comparison",
    "mil_creation",
    "mil_elementwise",
    "mil_indexing",
    "mil_moving",
    "mil_neural",
    "mil_quantization",
    "mil_reductions",
    "mil_resizing",
    "mil_sampling",
    "mil_windows",
]
