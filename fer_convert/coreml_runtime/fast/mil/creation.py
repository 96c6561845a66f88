"""ML Program: tensors made from shapes and indices."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of, bounded_shape
from fer_convert.coreml_runtime.fast.moving import broadcast_fill, true_indices
from fer_convert.coreml_runtime.fast.onnx_builder import value_type
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS

OPERATIONS = Translations()


@OPERATIONS.lowering("shape")
def shape(op: Source) -> str:
    return op.cast(op.node("Shape", op.operand("x")), np.int32)


@OPERATIONS.lowering("fill")
def fill(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, bounded_shape(op, "shape"))


@OPERATIONS.lowering("fill_like")
def fill_like(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, op.node("Shape", op.operand("ref_tensor")))


@OPERATIONS.lowering("range_1d")
def range_1d(op: Source) -> str:
    floats = op.result.element.is_float
    start, end, step = (op.number(name, np.float64) for name in ("start", "end", "step"))
    count = op.node("Abs", op.node("Div", op.node("Sub", end, start), step))
    few = op.node("LessOrEqual", count, op.scalar(MOST_ELEMENTS, np.float64))
    # A step of 0 is an error, as too long a range should be.
    possible = op.node("Where", few, step, op.scalar(0.0, np.float64))
    # In double int32 is exact, and onnxruntime adds up the steps.
    return op.cast(op.node("Range", start, end, possible), np.float32 if floats else np.int32)


@OPERATIONS.lowering("one_hot")
def one_hot(op: Source) -> str:
    kind, axis = value_type(op.result), op.option("axis", int, -1)
    size = op.number("one_hot_vector_size", np.int64)
    zero, one = op.scalar(0, np.int64), op.scalar(1, np.int64)
    places = op.node("Range", zero, size, one)
    # ONNX's OneHot takes negative indices; here they name no place.
    hit = op.node("Equal", op.node("Unsqueeze", op.indices("indices"), op.ints(-1)), places)
    on, off = (
        op.operand(name) if op.has(name) else op.scalar(value, kind)
        for name, value in (("on_value", 1), ("off_value", 0))
    )
    vectors = op.node("Where", hit, on, off)
    indices = op.operand("indices")
    at = axis_of(op, indices, axis, more=1)
    order = list(range(len(op.shape(indices))))
    order.insert(at, len(order))
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
