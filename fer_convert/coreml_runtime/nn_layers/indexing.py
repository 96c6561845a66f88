"""Gathering, scattering, choosing; indices are floats in a NeuralNetwork."""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import (
    SCATTER_MODES,
    flat_positions,
    index_vectors,
    integers_of,
    scatter_flat,
    wrapped,
)


@LAYERS.operation("gather")
def gather(op: View) -> Call:
    """Slices of the first input along ``axis``, chosen by the second:
    ``x.shape[:axis] + indices.shape + x.shape[axis + 1:]``."""
    axis = int(op.params.axis)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        at = axis % x.dim()
        chosen = x.index_select(at, wrapped(indices, x.shape[at]).reshape(-1))
        return chosen.reshape(*x.shape[:at], *indices.shape, *x.shape[at + 1 :])

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("gatherAlongAxis")
def gather_along_axis(op: View) -> Call:
    """One element per index along ``axis``; indices have the shape of ``x`` elsewhere."""
    axis = int(op.params.axis)
    return op.call(
        lambda x, indices: x.take_along_dim(wrapped(indices, x.shape[axis]), axis),
        "input",
        exact=True,
    )


@LAYERS.operation("gatherND")
def gather_nd(op: View) -> Call:
    """``x`` at each index vector, the last axis of the second input."""
    return op.call(lambda x, indices: x[index_vectors(x, indices)], "input", exact=True)


@LAYERS.operation("scatter")
def scatter(op: View) -> Call:
    """The first input with slices along ``axis`` changed: inputs data, indices, updates.

    Field ``mode``: update, add, sub, mul, div, max, min.
    """
    axis, mode = int(op.params.axis), SCATTER_MODES[op.params.mode]

    def kernel(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        at = axis % x.dim()
        chosen = flat_positions(x).index_select(at, wrapped(indices, x.shape[at]).reshape(-1))
        return scatter_flat(x, chosen, updates, mode)

    return op.call(kernel, "input")


@LAYERS.operation("scatterAlongAxis")
def scatter_along_axis(op: View) -> Call:
    """The first input with one element per index along ``axis`` changed; ``mode`` as in scatter."""
    axis, mode = int(op.params.axis), SCATTER_MODES[op.params.mode]

    def kernel(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        chosen = flat_positions(x).take_along_dim(wrapped(indices, x.shape[axis]), axis)
        return scatter_flat(x, chosen, updates, mode)

    return op.call(kernel, "input")


@LAYERS.operation("scatterND")
def scatter_nd(op: View) -> Call:
    """The first input changed at each index vector; inputs data, indices, updates; ``mode`` as in
    scatter."""
    mode = SCATTER_MODES[op.params.mode]

    def kernel(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        return scatter_flat(x, flat_positions(x)[index_vectors(x, indices)], updates, mode)

    return op.call(kernel, "input")


@LAYERS.operation("whereBroadcastable")
def where(op: View) -> Call:
    """The second input where the first is not 0, else the third, broadcast."""
    return op.call(lambda condition, a, b: torch.where(condition != 0, a, b), "input", exact=True)


@LAYERS.operation("whereNonZero")
def where_non_zero(op: View) -> Call:
    """Index vectors ``[n, rank]`` of the values that are not 0."""
    return op.call(torch.nonzero, "input")


@LAYERS.operation("oneHot")
def one_hot(op: View) -> Call:
    """``onValue`` at each index along a new ``axis`` of ``oneHotVectorSize``, else ``offValue``.

    The size may be a second input. An index outside it, a negative one too, gives offValue only.
    """
    p = op.params
    axis, on, off = int(p.axis), float(p.onValue), float(p.offValue)

    def kernel(indices: Tensor, given: Tensor | None = None) -> Tensor:
        (size,) = (int(p.oneHotVectorSize),) if given is None else integers_of(given)
        check_size((*indices.shape, size))
        hot = indices.long().unsqueeze(-1) == torch.arange(size)
        return torch.where(hot, on, off).movedim(-1, axis)

    return op.call(kernel, "input")


@LAYERS.operation("matrixBandPart")
def band_part(op: View) -> Call:
    """Zeros outside the band of ``numLower`` and ``numUpper`` diagonals (negative: all of them)."""
    lower, upper = int(op.params.numLower), int(op.params.numUpper)

    def kernel(x: Tensor) -> Tensor:
        kept = x if upper < 0 else x.tril(upper)
        return kept if lower < 0 else kept.triu(-lower)

    return op.call(kernel, "input", exact=True)


@LAYERS.operation("lowerTriangular")
def lower_triangular(op: View) -> Call:
    """Zeros above diagonal ``k``."""
    k = int(op.params.k)
    return op.call(lambda x: x.tril(k), "input", exact=True)


@LAYERS.operation("upperTriangular")
def upper_triangular(op: View) -> Call:
    """Zeros below diagonal ``k``."""
    k = int(op.params.k)
    return op.call(lambda x: x.triu(k), "input", exact=True)
