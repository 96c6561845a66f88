"""Along axes: reductions, arg-extremes, cumulative sums, sorting.

Core ML arrays have at least one axis: reducing all of them leaves ``[1]``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import single

Reduction = Callable[[Tensor, tuple[int, ...], bool], Tensor]


def _product(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_SUM: Reduction = lambda x, axes, keep: x.sum(axes, keep)  # noqa: E731
_MEAN: Reduction = lambda x, axes, keep: x.mean(axes, keep)  # noqa: E731
_SQUARES: Reduction = lambda x, axes, keep: x.square().sum(axes, keep)  # noqa: E731
_L1: Reduction = lambda x, axes, keep: x.abs().sum(axes, keep)  # noqa: E731
_L2: Reduction = lambda x, axes, keep: x.square().sum(axes, keep).sqrt()  # noqa: E731
_MAX: Reduction = lambda x, axes, keep: x.amax(axes, keep)  # noqa: E731
_MIN: Reduction = lambda x, axes, keep: x.amin(axes, keep)  # noqa: E731
_LOG_SUM: Reduction = lambda x, axes, keep: x.sum(axes, keep).log()  # noqa: E731
_LOG_SUM_EXP: Reduction = lambda x, axes, keep: x.logsumexp(axes, keep)  # noqa: E731

_LEGACY_AXES: dict[int, tuple[int, ...]] = {
    0: (-3, -2, -1),
    1: (-2, -1),
    2: (-3,),
    3: (-2,),
    4: (-1,),
}
_LEGACY_LOG_SUM, _LEGACY_ARGMAX = 3, 9
_LEGACY_MODES = {0: _SUM, 1: _MEAN, 2: _product, 4: _SQUARES, 5: _L1, 6: _L2, 7: _MAX, 8: _MIN}


@LAYERS.operation("reduce")
def reduce(op: View) -> Call:
    """Sum, mean, product, log-sum, sum of squares, L1, L2, max, min or argmax over channel, height
    or width.

    Fields: mode, axis (CHW, HW, C, H, W; kept as dimensions of 1), epsilon (1e-6, added before the
    logarithm). argmax needs a single axis.
    """
    params = op.params
    if params.axis >= len(_LEGACY_AXES):
        raise op.unsupported(f"axis {params.axis}")
    axes, mode = _LEGACY_AXES[params.axis], params.mode
    epsilon = params.epsilon or 1e-6
    if mode == _LEGACY_LOG_SUM:
        return op.call(lambda x: (x + epsilon).log().sum(axes, True), "input")
    if mode == _LEGACY_ARGMAX:
        if len(axes) > 1:
            raise op.refuse("argmax over several axes")
        return op.call(lambda x: x.argmax(axes[0], keepdim=True), "input")
    if mode not in _LEGACY_MODES:
        raise op.unsupported(f"mode {mode}")
    function = _LEGACY_MODES[mode]
    return op.call(lambda x: function(x, axes, True), "input")


def _register_reduction(name: str, function: Reduction, summary: str) -> None:
    def layer(op: View) -> Call:
        params = op.params
        axes, keep = tuple(int(axis) for axis in params.axes), bool(params.keepDims)

        def kernel(x: Tensor) -> Tensor:
            everything = params.reduceAll or not axes
            result = function(x, tuple(range(x.dim())) if everything else axes, keep)
            return result if result.dim() else result.reshape(1)

        return op.call(kernel, "input")

    layer.__doc__ = f"{summary} over ``axes`` (all if none, or ``reduceAll``); ``keepDims``."
    LAYERS.operation(name)(layer)


for _name, _reduction, _summary in (
    ("reduceSum", _SUM, "Sum"),
    ("reduceMean", _MEAN, "Mean"),
    ("reduceProd", _product, "Product"),
    ("reduceMax", _MAX, "Greatest value"),
    ("reduceMin", _MIN, "Least value"),
    ("reduceL1", _L1, "Sum of absolute values"),
    ("reduceL2", _L2, "Root of the sum of squares"),
    ("reduceSumSquare", _SQUARES, "Sum of squares"),
    ("reduceLogSum", _LOG_SUM, "Logarithm of the sum"),
    ("reduceLogSumExp", _LOG_SUM_EXP, "Logarithm of the sum of exponentials"),
):
    _register_reduction(_name, _reduction, _summary)


@LAYERS.operation("argMax", "argMin")
def arg_extreme(op: View) -> Call:
    """Index of the greatest (least) value along ``axis``; ``removeDim`` drops that axis."""
    axis, keep = int(op.params.axis), not op.params.removeDim
    function = torch.argmax if op.operation.type == "argMax" else torch.argmin

    def kernel(x: Tensor) -> Tensor:
        result: Tensor = function(x, axis, keepdim=keep)
        return result if result.dim() else result.reshape(1)

    return op.call(kernel, "input")


@LAYERS.operation("cumSum")
def cumulative_sum(op: View) -> Call:
    """Cumulative sum along ``axis`` (or a second input).

    Fields: excludeFinalSum (each sum without its own element), reverse (from the end).
    """
    params = op.params

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        axis = int(params.axis if given is None else single(given))
        source = x.flip(axis) if params.reverse else x
        if params.excludeFinalSum and x.shape[axis]:
            first = torch.zeros_like(source.narrow(axis, 0, 1))
            source = torch.cat([first, source.narrow(axis, 0, x.shape[axis] - 1)], axis)
        result = source.cumsum(axis)
        return result.flip(axis) if params.reverse else result

    return op.call(kernel, "input")


@LAYERS.operation("topK")
def top_k(op: View) -> Call:
    """The K greatest values along ``axis`` and their indices; ``useBottomK`` takes the least.

    K comes from the field ``K`` or the second input; the first of equal values wins.
    """
    params = op.params

    def kernel(x: Tensor, given: Tensor | None = None) -> tuple[Tensor, Tensor]:
        axis, count = int(params.axis), int(params.K if given is None else single(given))
        order = x.argsort(dim=axis, descending=not params.useBottomK, stable=True)
        indices = order.narrow(axis, 0, count)
        return x.take_along_dim(indices, axis), indices

    return op.call(kernel, "input")


@LAYERS.operation("argSort")
def arg_sort(op: View) -> Call:
    """Indices that sort ``x`` along ``axis``, ascending unless ``descending``."""
    axis, descending = int(op.params.axis), bool(op.params.descending)
    return op.call(lambda x: x.argsort(dim=axis, descending=descending, stable=True), "input")
