"""ML Program: tensors made from shapes and indices."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.moving import broadcast_fill, true_indices
from fer_convert.coreml_runtime.fast.onnx_builder import value_type
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()


@OPERATIONS.lowering("shape")
def shape(op: Source) -> str:
    return op.cast(op.node("Shape", op.operand("x")), np.int32)


@OPERATIONS.lowering("fill")
def fill(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, op.indices("shape"))


@OPERATIONS.lowering("fill_like")
def fill_like(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, op.node("Shape", op.operand("ref_tensor")))


@OPERATIONS.lowering("range_1d")
def range_1d(op: Source) -> str:
    result: str = op.node("Range", op.operand("start"), op.operand("end"), op.operand("step"))
    return result


@OPERATIONS.lowering("one_hot")
def one_hot(op: Source) -> str:
    kind, axis = value_type(op.result), op.option("axis", int, -1)
    size = op.node("Reshape", op.indices("one_hot_vector_size"), op.ints())
    zero, one = op.scalar(0, np.int64), op.scalar(1, np.int64)
    places = op.node("Range", zero, size, one)
    # ONNX's OneHot takes negative indices; here they name no place.
    hit = op.node("Equal", op.node("Unsqueeze", op.indices("indices"), op.ints(-1)), places)
    on, off = (
        op.operand(name) if op.has(name) else op.scalar(value, kind)
        for name, value in (("on_value", 1), ("off_value", 0))
    )
    vectors = op.node("Where", hit, on, off)
    rank = len(op.shape_of("indices")) + 1
    order = list(range(rank - 1))
    order.insert(axis % rank, rank - 1)
    result: str = op.node("Transpose", vectors, perm=order)
    return result


@OPERATIONS.lowering("non_zero")
def non_zero(op: Source) -> str:
    return true_indices(op, op.operand("x"))


@OPERATIONS.lowering("identity")
def identity(op: Source) -> str:
    return op.operand("x")


@OPERATIONS.lowering("band_part")
def band_part(op: Source) -> str:
    x: str = op.operand("x")
    lower, upper = op.option("lower", int, -1), op.option("upper", int, -1)
    if lower >= 0:
        x = op.node("Trilu", x, op.builder.array(np.array(-lower, np.int64)), upper=1)
    if upper >= 0:
        x = op.node("Trilu", x, op.builder.array(np.array(upper, np.int64)), upper=0)
    return x
