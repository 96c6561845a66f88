"""The table of ML Program operations."""

from fer_convert.coreml_runtime.registry import Table

MIL = Table("mlprogram")
