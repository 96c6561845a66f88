"""Values out of nothing: constants, fills, ranges, shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import MOST_ELEMENTS, check_size
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.selecting import integers_of, single


@LAYERS.operation("loadConstantND")
def load_constant_nd(op: View) -> Call:
    """The constant ``data`` in ``shape``."""
    data = op.weight("data", tuple(int(size) for size in op.params.shape))
    return op.call(lambda: data)


@LAYERS.operation("loadConstant")
def load_constant(op: View) -> Call:
    """The constant ``data`` in ``shape`` (C, H, W), as ``[1, 1, C, H, W]``."""
    shape = tuple(int(size) for size in op.params.shape)
    if len(shape) != 3:
        raise op.refuse(f"its shape {list(shape)} is not a C, H and W")
    data = op.weight("data", (1, 1, *shape))
    return op.call(lambda: data)


@LAYERS.operation("fillLike")
def fill_like(op: View) -> Call:
    """``value`` in the shape of the input."""
    value = op.params.value
    return op.call(lambda x: torch.full(x.shape, value), "input")


@LAYERS.operation("fillStatic")
def fill_static(op: View) -> Call:
    """``value`` in ``targetShape``."""
    value, shape = op.params.value, tuple(int(size) for size in op.params.targetShape)
    return op.call(lambda: _full(shape, value))


@LAYERS.operation("fillDynamic")
def fill_dynamic(op: View) -> Call:
    """``value`` in the shape that the input holds."""
    value = op.params.value
    return op.call(lambda shape: _full(integers_of(shape), value), "input")


@LAYERS.operation("rangeStatic")
def range_static(op: View) -> Call:
    """Numbers from ``startValue`` to before ``endValue`` in steps of ``stepSizeValue``."""
    p = op.params
    return op.call(lambda: _range(op, p.startValue, p.endValue, p.stepSizeValue))


@LAYERS.operation("rangeDynamic")
def range_dynamic(op: View) -> Call:
    """As rangeStatic: inputs end and, optionally, start and step; else the fields."""
    p = op.params

    def kernel(end: Tensor, *rest: Tensor) -> Tensor:
        given = [single(value) for value in rest]
        given += [p.startValue, p.stepSizeValue][len(given) :]
        start, step = given
        return _range(op, start, single(end), step)

    return op.call(kernel, "input")


@LAYERS.operation("getShape")
def get_shape(op: View) -> Call:
    """The shape of the input, ``[rank]``."""
    return op.call(lambda x: torch.tensor(x.shape), "input")


def _full(shape: Sequence[int], value: float) -> Tensor:
    check_size(shape)
    return torch.full(tuple(shape), value)


def _range(op: View, start: float, end: float, step: float) -> Tensor:
    if step == 0 or not abs((end - start) / step) <= MOST_ELEMENTS:
        raise op.refuse(f"a range from {start} to {end} in steps of {step}")
    if (end - start) / step <= 0:
        return torch.zeros(0)
    return torch.arange(start, end, step, dtype=torch.float32)
