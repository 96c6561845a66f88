"""Pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.fast.windows import declared_padding, pool

OPERATIONS = Translations()

_KINDS: Mapping[str, Literal["max", "average", "l2"]] = {
    "max_pool": "max", "avg_pool": "average", "l2_pool": "l2",
}  # fmt: skip


@OPERATIONS.lowering("max_pool", "avg_pool", "l2_pool")
def pooling(op: Source) -> str:
    kernel = op.integers("kernel_sizes")
    return pool(
        op,
        op.operand("x"),
        kind=_KINDS[op.kind],
        kernel=kernel,
        strides=op.integers("strides", (1,) * len(kernel)),
        padding=declared_padding(op, len(kernel)),
        ceil_mode=op.option("ceil_mode", bool, False),
        exclude_padding=op.option("exclude_padding_from_average", bool, False),
    )
