"""Kernel sizes, strides and padding, as the messages of layers with windows hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from fer_convert.coreml_runtime.reference.operations import View
from fer_convert.coreml_runtime.reference.windows import Pads, same_pads

_TOP_LEFT_HEAVY = 1  # SamePadding.SamePaddingMode
_CUSTOM, SAME = 0, 2  # PaddingType of Convolution3DLayerParams and Pooling3DLayerParams
_SIDES = (("Front", "Back"), ("Top", "Bottom"), ("Left", "Right"))


def pair(op: View, field: str, *, default: int) -> tuple[int, int]:
    """A repeated field of two sizes, height then width."""
    values = tuple(int(v) for v in getattr(op.params, field)) or (default, default)
    if len(values) != 2 or min(values) < 1:
        raise op.refuse(f"{field} {list(values)} is not a height and a width")
    return values


def triple(op: View, field: str) -> tuple[int, int, int]:
    """Three fields of a three-dimensional layer, such as strideDepth, strideHeight, strideWidth."""
    params = op.params
    depth, height, width = (
        int(getattr(params, f"{field}{axis}")) or 1 for axis in ("Depth", "Height", "Width")
    )
    if min(depth, height, width) < 1:
        raise op.refuse(f"its {field} is {[depth, height, width]}")
    return depth, height, width


def pads_of(
    params: Any,
    x: Tensor,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> Pads:
    """Padding of a two-dimensional layer; SAME follows the height and width of ``x``."""
    if params.HasField("same"):
        return same_pads(x.shape[-2:], kernel, strides, dilations, heavy=heavy_side(params))
    if params.WhichOneof(params.DESCRIPTOR.oneofs[0].name) == "includeLastPixel":
        amounts = [(int(a), int(a)) for a in params.includeLastPixel.paddingAmounts]
        return amounts or [(0, 0), (0, 0)]
    return border_amounts(params)


def heavy_side(params: Any) -> Literal["after", "before"]:
    """On which side padding SAME has an odd row or column."""
    top_left = params.HasField("same") and params.same.asymmetryMode == _TOP_LEFT_HEAVY
    return "before" if top_left else "after"


def border_amounts(params: Any) -> Pads:
    """The amounts of padding VALID."""
    amounts = [
        (int(edge.startEdgeSize), int(edge.endEdgeSize))
        for edge in params.valid.paddingAmounts.borderAmounts
    ]
    return amounts or [(0, 0), (0, 0)]


def pads_of_3d(
    params: Any,
    x: Tensor,
    kernel: tuple[int, int, int],
    strides: tuple[int, int, int],
    dilations: tuple[int, int, int],
) -> Pads:
    """Padding of a three-dimensional layer; SAME follows the last three sizes of ``x``."""
    if params.paddingType == SAME:
        return same_pads(x.shape[-3:], kernel, strides, dilations, heavy="after")
    return custom_amounts(params)


def custom_amounts(params: Any) -> Sequence[tuple[int, int]]:
    """The amounts of padding CUSTOM; VALID has none."""
    if params.paddingType != _CUSTOM:
        return [(0, 0)] * 3
    return [
        (int(getattr(params, f"customPadding{a}")), int(getattr(params, f"customPadding{b}")))
        for a, b in _SIDES
    ]
