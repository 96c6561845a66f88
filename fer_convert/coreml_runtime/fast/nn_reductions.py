"""NeuralNetwork: reductions, running sums, sorting."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of
from fer_convert.coreml_runtime.fast.nn_batches import single
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source

_REDUCTIONS = {
    "reduceSum": "ReduceSum", "reduceMean": "ReduceMean", "reduceProd": "ReduceProd",
    "reduceMax": "ReduceMax", "reduceMin": "ReduceMin", "reduceL1": "ReduceL1",
    "reduceL2": "ReduceL2", "reduceSumSquare": "ReduceSumSquare", "reduceLogSum": "ReduceLogSum",
    "reduceLogSumExp": "ReduceLogSumExp",
}  # fmt: skip
# ReduceLayerParams: by mode, and the axes by field axis.
_OLD_MODES = (
    "ReduceSum", "ReduceMean", "ReduceProd", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2",
    "ReduceMax", "ReduceMin",
)  # fmt: skip
_OLD_AXES = ((-3, -2, -1), (-2, -1), (-3,), (-2,), (-1,))
_OLD_LOG_SUM, _OLD_ARGMAX = 3, 9


@LAYERS.lowering(*_REDUCTIONS)
def reduction(op: Source) -> str:
    (x,) = op.operands("input")
    axes = [int(axis) for axis in op.params.axes]
    rank, keep = len(op.shape(x)), bool(op.params.keepDims)
    if op.params.reduceAll or not axes:
        axes = list(range(rank))
    if len({axis % rank for axis in axes}) < len(axes):
        raise Unlowered("an axis named twice")
    image = rank == 4 and sorted(axis % 4 for axis in axes) == [2, 3]
    if op.kind == "reduceMean" and image:
        pooled: str = op.node("GlobalAveragePool", x)
        return pooled if keep else op.node("Squeeze", pooled, op.ints(2, 3))
    result: str = op.node(_REDUCTIONS[op.kind], x, op.ints(*axes), keepdims=int(keep))
    # An array has at least one axis.
    everything = len({axis % rank for axis in axes}) == rank and not keep
    return op.node("Reshape", result, op.ints(1)) if everything else result


@LAYERS.lowering("argMax", "argMin")
def argument(op: Source) -> str:
    (x,) = op.operands("input")
    p, kind = op.params, "ArgMax" if op.kind == "argMax" else "ArgMin"
    if p.removeDim and len(op.shape(x)) == 1:
        raise Unlowered("the only axis removed")
    found = op.node(kind, x, axis=int(p.axis), keepdims=int(not p.removeDim))
    return op.cast(found, np.float32)


@LAYERS.lowering("reduce")
def old_reduction(op: Source) -> str:
    (x,) = op.operands("input")
    p, axes = op.params, _OLD_AXES[op.params.axis]
    if p.mode == _OLD_ARGMAX:
        if len(axes) > 1:
            raise Unlowered("argmax over several axes")
        return op.cast(op.node("ArgMax", x, axis=axes[0], keepdims=1), np.float32)
    if p.mode == _OLD_LOG_SUM:
        x = op.node("Log", op.node("Add", x, op.scalar(p.epsilon or 1e-6)))
    result: str = op.node(_OLD_MODES[p.mode], x, op.ints(*axes), keepdims=1)
    return result


@LAYERS.lowering("cumSum")
def cumulative_sum(op: Source) -> str:
    x, *given = op.operands("input")
    p = op.params
    axis = single(op, given[0], np.int64) if given else op.scalar(int(p.axis), np.int64)
    result: str = op.node(
        "CumSum", x, axis, exclusive=int(p.excludeFinalSum), reverse=int(p.reverse)
    )
    return result


@LAYERS.lowering("topK")
def top_k(op: Source) -> tuple[str, ...]:
    x, *given = op.operands("input")
    p = op.params
    count = op.ints(int(p.K))
    if given:
        count = single(op, given[0], np.int64, [1])
    return _sorted(op, x, count, int(p.axis), descending=not p.useBottomK)


@LAYERS.lowering("argSort")
def arg_sort(op: Source) -> str:
    (x,) = op.operands("input")
    axis = axis_of(op, x, int(op.params.axis))
    count = op.node("Shape", x, start=axis, end=axis + 1)
    return _sorted(op, x, count, axis, descending=op.params.descending)[1]


def _sorted(op: Source, x: str, count: str, axis: int, *, descending: bool) -> tuple[str, str]:
    values, indices = op.node("TopK", x, count, count=2, axis=axis, largest=int(descending))
    return values, op.cast(indices, np.float32)
