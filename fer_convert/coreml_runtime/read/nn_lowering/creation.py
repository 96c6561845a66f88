"""Values out of nothing: constants, fills, ranges, shapes."""

from __future__ import annotations

from collections.abc import Iterable

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Argument, Layer, Recipes

RECIPES = Recipes()


@RECIPES.operation("loadConstantND")
def load_constant_nd(layer: Layer) -> Value:
    """The constant ``data`` in ``shape``."""
    return layer.add("identity", x=layer.weight("data", _sizes(layer.params.shape)))


@RECIPES.operation("loadConstant")
def load_constant(layer: Layer) -> Value:
    """The constant ``data`` in ``shape`` (C, H, W), as ``[1, 1, C, H, W]``."""
    shape = _sizes(layer.params.shape)
    if len(shape) != 3:
        raise layer.refuse(f"its shape {list(shape)} is not a C, H and W")
    return layer.add("identity", x=layer.weight("data", (1, 1, *shape)))


@RECIPES.operation("fillLike")
def fill_like(layer: Layer) -> Value:
    """``value`` in the shape of the input."""
    return layer.add("fill_like", ref_tensor=layer.x, value=layer.params.value)


@RECIPES.operation("fillStatic")
def fill_static(layer: Layer) -> Value:
    """``value`` in ``targetShape``."""
    return layer.add("fill", shape=_sizes(layer.params.targetShape), value=layer.params.value)


@RECIPES.operation("fillDynamic")
def fill_dynamic(layer: Layer) -> Value:
    """``value`` in the shape that the input holds."""
    return layer.add("fill", shape=layer.cast(layer.x, "int32"), value=layer.params.value)


@RECIPES.operation("rangeStatic")
def range_static(layer: Layer) -> Value:
    """Numbers from ``startValue`` to before ``endValue`` in steps of ``stepSizeValue``."""
    p = layer.params
    return layer.add("range_1d", start=p.startValue, end=p.endValue, step=p.stepSizeValue)


@RECIPES.operation("rangeDynamic")
def range_dynamic(layer: Layer) -> Value:
    """As rangeStatic: inputs end and, optionally, start and step; else the fields."""
    p = layer.params
    end, *given = layer.inputs_between(1, 3)
    start: Argument = given[0] if given else p.startValue
    step: Argument = given[1] if len(given) > 1 else p.stepSizeValue
    return layer.add("range_1d", start=start, end=end, step=step)


@RECIPES.operation("getShape")
def get_shape(layer: Layer) -> Value:
    """The shape of the input, ``[rank]``."""
    return layer.add("shape", element="int32", x=layer.x)


def _sizes(shape: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(size) for size in shape)
