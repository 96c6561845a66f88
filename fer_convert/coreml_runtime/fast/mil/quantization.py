"""ML Program: values to 8-bit integers and back."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()


@OPERATIONS.lowering("quantize")
def quantize(op: Source) -> str:
    low, high = {"int8": (-128, 127), "uint8": (0, 255)}[op.option("output_dtype", str)]
    value = op.node("Round", op.node("Div", op.operand("input"), _along(op, "scale")))
    if op.has("zero_point"):
        value = op.node("Add", value, _along(op, "zero_point"))
    known = op.node("Where", op.node("IsNaN", value), op.scalar(0.0), value)
    return op.cast(op.node("Clip", known, op.scalar(low), op.scalar(high)), np.int32)


@OPERATIONS.lowering("dequantize")
def dequantize(op: Source) -> str:
    value = op.cast(op.operand("input"), np.float32)
    if op.has("zero_point"):
        value = op.node("Sub", value, _along(op, "zero_point"))
    result: str = op.node("Mul", value, _along(op, "scale"))
    return result


def _along(op: Source, name: str) -> str:
    parameter = op.literal(name).astype(np.float32)
    if parameter.ndim:
        rank = len(op.shape_of("input"))
        axis = op.option("axis", int) % rank
        parameter = parameter.reshape(-1, *(1,) * (rank - 1 - axis))
    return op.builder.array(parameter)
