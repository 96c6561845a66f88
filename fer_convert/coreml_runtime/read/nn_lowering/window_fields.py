"""Kernel sizes, strides and padding, as the messages of layers with windows hold them."""

from __future__ import annotations

from typing import Any

from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer

_TOP_LEFT_HEAVY = 1  # SamePadding.SamePaddingMode
_CUSTOM, _SAME = 0, 2  # PaddingType of Convolution3DLayerParams and Pooling3DLayerParams
_SIDES = ("Front", "Back", "Top", "Bottom", "Left", "Right")


def pair(layer: Layer, field: str, *, default: int) -> tuple[int, ...]:
    """A repeated field of two sizes, height then width."""
    values = tuple(int(v) for v in getattr(layer.params, field)) or (default, default)
    if len(values) != 2 or min(values) < 1:
        raise layer.refuse(f"{field} {list(values)} is not a height and a width")
    return values


def triple(layer: Layer, field: str) -> tuple[int, ...]:
    """Three fields of a three-dimensional layer, such as strideDepth, strideHeight, strideWidth."""
    axes = ("Depth", "Height", "Width")
    sizes = tuple(int(getattr(layer.params, f"{field}{axis}")) or 1 for axis in axes)
    if min(sizes) < 1:
        raise layer.refuse(f"its {field} is {list(sizes)}")
    return sizes


def padding_of(params: Any) -> dict[str, Any]:
    """The options pad_type and pad that say what a two-dimensional layer does."""
    if params.HasField("same"):
        top_left = params.same.asymmetryMode == _TOP_LEFT_HEAVY
        return {"pad_type": "same_lower" if top_left else "same"}
    if params.WhichOneof(params.DESCRIPTOR.oneofs[0].name) == "includeLastPixel":
        amounts = [int(a) for a in params.includeLastPixel.paddingAmounts for _ in range(2)]
    else:
        amounts = border_amounts(params.valid.paddingAmounts)
    return {"pad_type": "custom", "pad": amounts or [0, 0, 0, 0]}


def padding_of_3d(params: Any) -> dict[str, Any]:
    """As `padding_of`, of a three-dimensional layer."""
    if params.paddingType == _SAME:
        return {"pad_type": "same"}
    if params.paddingType != _CUSTOM:
        return {"pad_type": "valid"}
    amounts = [int(getattr(params, f"customPadding{side}")) for side in _SIDES]
    return {"pad_type": "custom", "pad": amounts}


def border_amounts(amounts: Any) -> list[int]:
    """Before and after each dimension of a BorderAmounts message; it may be empty."""
    return [
        int(size)
        for edge in amounts.borderAmounts
        for size in (edge.startEdgeSize, edge.endEdgeSize)
    ]
