"""Moving values without changing them."""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View


@MIL.operation("concat")
def concat(op: View) -> Call:
    """``values`` joined along ``axis``; ``interleave`` alternates their slices instead."""
    axis = op.option("axis", int)
    if op.option("interleave", bool, False):
        raise op.unsupported("interleave")
    return op.call(lambda *values: torch.cat(values, axis), "values", exact=True)


@MIL.operation("reshape")
def reshape(op: View) -> Call:
    """``x`` in the given ``shape``: one -1 is inferred, a 0 keeps the dimension at its place."""
    shape = op.integers("shape")

    def kernel(x: Tensor) -> Tensor:
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    return op.call(kernel, "x", exact=True)
