"""Pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.fast.windows import declared_padding, pool

OPERATIONS = Translations()

_KINDS: Mapping[str, Literal["max", "average", "l2"]] = {
    "max_pool": "max", "avg_pool": "average", "l2_pool": "l2",
}  # fmt: skip


@OPERATIONS.lowering("max_pool", "avg_pool", "l2_pool")
def pooling(op: Source) -> str:
    return _pool(op)


@OPERATIONS.lowering("layer:max_pool", "layer:avg_pool", "layer:l2_pool")
def layer_pool(op: Source) -> str:
    if not any(op.integers("pad")):
        sizes = last_sizes(op, op.operand("x"), 2)
        windows = zip(sizes, op.integers("kernel_sizes"), op.integers("strides"), strict=True)
        if any(-((k - size) // s) * s >= size for size, k, s in windows):
            raise Unlowered("a window behind its input")
    return _pool(op)


@OPERATIONS.lowering("layer:with_elements")
def layer_with_elements(op: Source) -> str:
    if 0 in op.shape_of("x")[-op.option("axes", int) :]:
        raise Unlowered("no elements")
    return op.operand("x")


def _pool(op: Source) -> str:
    kernel = op.integers("kernel_sizes")
    return pool(
        op,
        op.operand("x"),
        kind=_KINDS[op.kind.removeprefix("layer:")],
        kernel=kernel,
        strides=op.integers("strides", (1,) * len(kernel)),
        padding=declared_padding(op, len(kernel)),
        ceil_mode=op.option("ceil_mode", bool, False),
        exclude_padding=op.option("exclude_padding_from_average", bool, False),
    )
