"""ML Program: reductions, running sums, sorting."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations

OPERATIONS = Translations()

_REDUCTIONS = {
    "reduce_l1_norm": "ReduceL1", "reduce_l2_norm": "ReduceL2", "reduce_log_sum": "ReduceLogSum",
    "reduce_log_sum_exp": "ReduceLogSumExp", "reduce_max": "ReduceMax", "reduce_mean": "ReduceMean",
    "reduce_min": "ReduceMin", "reduce_prod": "ReduceProd", "reduce_sum": "ReduceSum",
    "reduce_sum_square": "ReduceSumSquare",
}  # fmt: skip


_OF_IMAGES = {"reduce_mean": "GlobalAveragePool", "reduce_max": "GlobalMaxPool"}


_OF_INTEGERS = {"reduce_max", "reduce_min", "reduce_sum"}  # onnxruntime bounds a product


@OPERATIONS.lowering(*_REDUCTIONS)
def reduction(op: Source) -> str:
    if not op.element("x").is_float and op.kind not in _OF_INTEGERS:
        raise Unlowered("integers")
    keep, x = op.option("keep_dims", bool, False), op.operand("x")
    if not op.has("axes"):
        return _reduced(op, x, keep=keep)
    axes = op.integers("axes")
    if not axes:
        raise Unlowered("no axes")
    rank = len(op.shape_of("x"))
    if len({axis % rank for axis in axes}) < len(axes):
        raise Unlowered("an axis named twice")
    if op.kind in _OF_IMAGES and op.element("x").is_float and _is_of_image(op, axes):
        # onnxruntime has these in the layout of its convolutions.
        pooled: str = op.node(_OF_IMAGES[op.kind], x)
        return pooled if keep else op.node("Squeeze", pooled, op.ints(2, 3))
    return _reduced(op, x, op.ints(*axes), keep=keep)


def _reduced(op: Source, x: str, *axes: str, keep: bool) -> str:
    if op.kind != "reduce_sum" or op.element("x").is_float:
        result: str = op.node(_REDUCTIONS[op.kind], x, *axes, keepdims=int(keep))
        return result
    # A sum of int32 wraps around; onnxruntime's ends at the greatest.
    wide = op.node("ReduceSum", op.cast(x, np.int64), *axes, keepdims=int(keep))
    return op.cast(wide, np.int32)


@OPERATIONS.lowering("reduce_argmax", "reduce_argmin")
def argument(op: Source) -> str:
    kind = "ArgMax" if op.kind == "reduce_argmax" else "ArgMin"
    axis, keep = op.option("axis", int, -1), op.option("keep_dims", bool, False)
    return op.cast(op.node(kind, op.operand("x"), axis=axis, keepdims=int(keep)), np.int32)


@OPERATIONS.lowering("cumsum", "layer:cumsum")
def cumsum(op: Source) -> str:
    if not op.shape_of("x"):
        raise Unlowered("a scalar")
    options = {name: int(op.option(name, bool, False)) for name in ("exclusive", "reverse")}
    computed = op.kind != "cumsum"
    axis = (
        op.number("axis", np.int64) if computed else op.scalar(op.option("axis", int, 0), np.int64)
    )
    result: str = op.node("CumSum", op.operand("x"), axis, **options)
    return result


@OPERATIONS.lowering("topk")
def topk(op: Source) -> tuple[str, ...]:
    axis, ascending = op.option("axis", int, -1), op.option("ascending", bool, False)
    if op.has("k") and not op.is_constant("k"):
        size = op.number("k", np.int64, [1])
    else:
        count = op.option("k", int, 1)
        size = _whole(op, axis) if count == -1 else op.ints(count)
    values, indices = _sorted(op, axis, ascending, size)
    both = op.option("return_indices", bool, True)
    return (values, indices) if both else (values,)


@OPERATIONS.lowering("argsort")
def argsort(op: Source) -> str:
    axis, ascending = op.option("axis", int, -1), op.option("ascending", bool, False)
    return _sorted(op, axis, ascending, _whole(op, axis))[1]


def _whole(op: Source, axis: int) -> str:
    """The size of ``axis``, as a vector."""
    at = axis_of(op, op.operand("x"), axis)
    return str(op.node("Shape", op.operand("x"), start=at, end=at + 1))


def _sorted(op: Source, axis: int, ascending: bool, size: str) -> tuple[str, str]:
    x = op.operand("x")
    values, indices = op.node("TopK", x, size, count=2, axis=axis, largest=int(not ascending))
    return values, op.cast(indices, np.int32)


def _is_of_image(op: Source, axes: tuple[int, ...]) -> bool:
    return len(op.shape_of("x")) == 4 and sorted(axis % 4 for axis in axes) == [2, 3]
