"""ML Program: truth values, and selection by them."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.moving import true_indices
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()

_COMPARISONS = {
    "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual",
}  # fmt: skip


_LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}


@OPERATIONS.lowering(*_COMPARISONS)
def comparison(op: Source) -> str:
    result: str = op.node(_COMPARISONS[op.kind], op.operand("x"), op.operand("y"))
    return result


@OPERATIONS.lowering("not_equal")
def not_equal(op: Source) -> str:
    result: str = op.node("Not", op.node("Equal", op.operand("x"), op.operand("y")))
    return result


@OPERATIONS.lowering(*_LOGIC)
def logic(op: Source) -> str:
    x, y = (op.cast(op.operand(name), np.bool_) for name in ("x", "y"))
    result: str = op.node(_LOGIC[op.kind], x, y)
    return result


@OPERATIONS.lowering("logical_not")
def logical_not(op: Source) -> str:
    result: str = op.node("Not", op.cast(op.operand("x"), np.bool_))
    return result


@OPERATIONS.lowering("select")
def select(op: Source) -> str:
    condition = op.cast(op.operand("cond"), np.bool_)
    if not op.has("a") and not op.has("b"):
        return true_indices(op, condition)
    result: str = op.node("Where", condition, op.operand("a"), op.operand("b"))
    return result
