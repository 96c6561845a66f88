"""Along axes: reductions, arg-extremes, cumulative sums, sorting.

Core ML arrays have at least one axis: reducing all of them leaves ``[1]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes

RECIPES = Recipes()

# ReduceLayerParams: by field mode, and the axes by field axis (CHW, HW, C, H, W).
_OLD_MODES = (
    "reduce_sum", "reduce_mean", "reduce_prod", "reduce_sum", "reduce_sum_square", "reduce_l1_norm",
    "reduce_l2_norm", "reduce_max", "reduce_min",
)  # fmt: skip
_OLD_AXES = ((-3, -2, -1), (-2, -1), (-3,), (-2,), (-1,))
_LOG_SUM, _ARGMAX = 3, 9


@RECIPES.operation("reduce")
def old_reduction(layer: Layer) -> Value:
    """Sum, mean, product, log-sum, sum of squares, L1, L2, max, min or argmax over channel, height
    or width.

    Fields: mode, axis (CHW, HW, C, H, W; kept as dimensions of 1), epsilon (1e-6, added before the
    logarithm). argmax needs a single axis.
    """
    p, axes = layer.params, _OLD_AXES[layer.params.axis]
    if p.mode == _ARGMAX:
        if len(axes) > 1:
            raise layer.refuse("argmax over several axes")
        return layer.add("reduce_argmax", element="int32", x=layer.x, axis=axes[0], keep_dims=True)
    x = layer.x
    if p.mode == _LOG_SUM:
        x = layer.add("log", x=x, epsilon=p.epsilon or 1e-6)
    return layer.add(_OLD_MODES[p.mode], x=x, axes=axes, keep_dims=True)


def _reduction(operation: str, layer: Layer) -> Value:
    p = layer.params
    axes = None if p.reduceAll or not p.axes else tuple(int(axis) for axis in p.axes)
    result = layer.add(operation, x=layer.x, axes=axes, keep_dims=bool(p.keepDims))
    return result if p.keepDims else layer.add("layer:at_least_one_axis", x=result)


for _name, _operation, _summary in (
    ("reduceSum", "reduce_sum", "Sum"),
    ("reduceMean", "reduce_mean", "Mean"),
    ("reduceProd", "reduce_prod", "Product"),
    ("reduceMax", "reduce_max", "Greatest value"),
    ("reduceMin", "reduce_min", "Least value"),
    ("reduceL1", "reduce_l1_norm", "Sum of absolute values"),
    ("reduceL2", "reduce_l2_norm", "Root of the sum of squares"),
    ("reduceSumSquare", "reduce_sum_square", "Sum of squares"),
    ("reduceLogSum", "reduce_log_sum", "Logarithm of the sum"),
    ("reduceLogSumExp", "reduce_log_sum_exp", "Logarithm of the sum of exponentials"),
):
    RECIPES.register(
        _name,
        partial(_reduction, _operation),
        f"{_summary} over ``axes`` (all if none, or ``reduceAll``); ``keepDims``.",
    )


@RECIPES.operation("argMax", "argMin")
def arg_extreme(layer: Layer) -> Value:
    """Index of the greatest (least) value along ``axis``; ``removeDim`` drops that axis."""
    p, operation = layer.params, f"reduce_{layer.kind.lower()}"
    keep = not p.removeDim
    result = layer.add(operation, element="int32", x=layer.x, axis=int(p.axis), keep_dims=keep)
    if keep:
        return result
    return layer.add("layer:at_least_one_axis", element="int32", x=result)


@RECIPES.operation("cumSum")
def cumulative_sum(layer: Layer) -> Value:
    """Cumulative sum along ``axis`` (or a second input).

    Fields: excludeFinalSum (each sum without its own element), reverse (from the end).
    """
    p = layer.params
    x, *given = layer.inputs_between(1, 2)
    return layer.add(
        "layer:cumsum" if given else "cumsum",
        x=x,
        axis=layer.cast(given[0], "int32") if given else int(p.axis),
        exclusive=p.excludeFinalSum,
        reverse=p.reverse,
    )


@RECIPES.operation("topK")
def top_k(layer: Layer) -> Sequence[Value]:
    """The K greatest values along ``axis`` and their indices; ``useBottomK`` takes the least.

    K comes from the field ``K`` or the second input; the first of equal values wins.
    """
    p = layer.params
    x, *given = layer.inputs_between(1, 2)
    return layer.add_many(
        "topk",
        ["fp32", "int32"],
        x=x,
        k=layer.cast(given[0], "int32") if given else int(p.K),
        axis=int(p.axis),
        ascending=p.useBottomK,
    )


@RECIPES.operation("argSort")
def arg_sort(layer: Layer) -> Value:
    """Indices that sort ``x`` along ``axis``, ascending unless ``descending``."""
    p = layer.params
    return layer.add(
        "argsort", element="int32", x=layer.x, axis=int(p.axis), ascending=not p.descending
    )
