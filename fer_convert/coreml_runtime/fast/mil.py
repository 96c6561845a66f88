"""Translations of ML Program operations: importing this module fills ``MIL``."""

from fer_convert.coreml_runtime.fast import mil_elementwise, mil_moving, mil_neural, mil_reductions
from fer_convert.coreml_runtime.fast.tables import MIL

__all__ = ["MIL", "mil_elementwise", "mil_moving", "mil_neural", "mil_reductions"]
