"""Element by element: arithmetic, activations, casts."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View

# The plan rounds floats to their declared type, so every float type is fp32 here.
_CAST_TYPES = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "int32": torch.int32,
    "bool": torch.bool,
}


@MIL.operation("add")
def add(op: View) -> Call:
    """``x + y``, broadcast."""
    return op.call(torch.add, "x", "y")


@MIL.operation("mul")
def mul(op: View) -> Call:
    """``x * y``, broadcast."""
    return op.call(torch.mul, "x", "y")


@MIL.operation("relu")
def relu(op: View) -> Call:
    """``max(x, 0)``."""
    return op.call(F.relu, "x", exact=True)


@MIL.operation("sigmoid")
def sigmoid(op: View) -> Call:
    """``1 / (1 + exp(-x))``."""
    return op.call(torch.sigmoid, "x")


@MIL.operation("silu")
def silu(op: View) -> Call:
    """``x * sigmoid(x)``."""
    return op.call(F.silu, "x")


@MIL.operation("cast")
def cast(op: View) -> Call:
    """``x`` as ``dtype``; a float becomes an integer by dropping its fraction."""
    name = op.option("dtype", str)
    if name not in _CAST_TYPES:
        raise op.unsupported(f"dtype '{name}'")
    dtype = _CAST_TYPES[name]
    return op.call(lambda x: x.to(dtype), "x", exact=True)
