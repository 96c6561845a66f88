"""Gathering, scattering, choosing; indices are floats in a NeuralNetwork."""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes

RECIPES = Recipes()

_SCATTER_MODES = ("update", "add", "sub", "mul", "div", "max", "min")  # ScatterMode


@RECIPES.operation("gather")
def gather(layer: Layer) -> Value:
    """Slices of the first input along ``axis``, chosen by the second:
    ``x.shape[:axis] + indices.shape + x.shape[axis + 1:]``."""
    return _gather(layer, "gather", axis=int(layer.params.axis))


@RECIPES.operation("gatherAlongAxis")
def gather_along_axis(layer: Layer) -> Value:
    """One element per index along ``axis``; indices have the shape of ``x`` elsewhere."""
    return _gather(layer, "gather_along_axis", axis=int(layer.params.axis))


@RECIPES.operation("gatherND")
def gather_nd(layer: Layer) -> Value:
    """``x`` at each index vector, the last axis of the second input."""
    return _gather(layer, "gather_nd")


@RECIPES.operation("scatter")
def scatter(layer: Layer) -> Value:
    """The first input with slices along ``axis`` changed: inputs data, indices, updates.

    Field ``mode``: update, add, sub, mul, div, max, min.
    """
    return _scatter(layer, "scatter", axis=int(layer.params.axis))


@RECIPES.operation("scatterAlongAxis")
def scatter_along_axis(layer: Layer) -> Value:
    """The first input with one element per index along ``axis`` changed; ``mode`` as in scatter."""
    return _scatter(layer, "scatter_along_axis", axis=int(layer.params.axis))


@RECIPES.operation("scatterND")
def scatter_nd(layer: Layer) -> Value:
    """The first input changed at each index vector; inputs data, indices, updates; ``mode`` as in
    scatter."""
    return _scatter(layer, "scatter_nd")


@RECIPES.operation("whereBroadcastable")
def where(layer: Layer) -> Value:
    """The second input where the first is not 0, else the third, broadcast."""
    condition, a, b = layer.inputs_between(3, 3)
    return layer.add("select", cond=layer.cast(condition, "bool"), a=a, b=b)


@RECIPES.operation("whereNonZero")
def where_non_zero(layer: Layer) -> Value:
    """Index vectors ``[n, rank]`` of the values that are not 0."""
    return layer.add("non_zero", element="int32", x=layer.x)


@RECIPES.operation("oneHot")
def one_hot(layer: Layer) -> Value:
    """``onValue`` at each index along a new ``axis`` of ``oneHotVectorSize``, else ``offValue``.

    The size may be a second input. An index outside it, a negative one too, gives offValue only.
    """
    p = layer.params
    indices, *given = layer.inputs_between(1, 2)
    return layer.add(
        "one_hot",
        indices=layer.cast(indices, "int32"),
        one_hot_vector_size=layer.cast(given[0], "int32") if given else int(p.oneHotVectorSize),
        axis=int(p.axis),
        on_value=p.onValue,
        off_value=p.offValue,
    )


@RECIPES.operation("matrixBandPart")
def band_part(layer: Layer) -> Value:
    """Zeros outside the band of ``numLower`` and ``numUpper`` diagonals (negative: all of them)."""
    p = layer.params
    return layer.add("band_part", x=layer.x, lower=int(p.numLower), upper=int(p.numUpper))


@RECIPES.operation("lowerTriangular")
def lower_triangular(layer: Layer) -> Value:
    """Zeros above diagonal ``k``."""
    return layer.add("layer:triangle", x=layer.x, k=int(layer.params.k), upper=False)


@RECIPES.operation("upperTriangular")
def upper_triangular(layer: Layer) -> Value:
    """Zeros below diagonal ``k``."""
    return layer.add("layer:triangle", x=layer.x, k=int(layer.params.k), upper=True)


def _gather(layer: Layer, operation: str, axis: int | None = None) -> Value:
    x, indices = layer.inputs_between(2, 2)
    return layer.add(operation, x=x, indices=layer.cast(indices, "int32"), axis=axis)


def _scatter(layer: Layer, operation: str, axis: int | None = None) -> Value:
    data, indices, updates = layer.inputs_between(3, 3)
    return layer.add(
        operation,
        data=data,
        indices=layer.cast(indices, "int32"),
        updates=updates,
        axis=axis,
        mode=_SCATTER_MODES[layer.params.mode],
    )
