"""NeuralNetwork: kernel sizes, strides and padding, as the messages hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fer_convert.coreml_runtime.fast.windows import Padding
from fer_convert.coreml_runtime.limits import check_size

_BOTTOM_RIGHT_HEAVY = 0  # SamePadding.SamePaddingMode
_CUSTOM, _SAME = 0, 2  # PaddingType of the three-dimensional layers
_SIDES = ("Front", "Back", "Top", "Bottom", "Left", "Right")


def pair(values: Any, default: int) -> tuple[int, ...]:
    """A repeated field of two sizes, height then width."""
    return tuple(int(value) for value in values) or (default, default)


def triple(params: Any, field: str) -> tuple[int, ...]:
    """Three fields of a three-dimensional layer."""
    return tuple(int(getattr(params, f"{field}{a}")) or 1 for a in ("Depth", "Height", "Width"))


def padding_of(params: Any, which: str) -> Padding:
    """The padding of a two-dimensional layer, in the oneof ``which``."""
    kind = params.WhichOneof(which)
    if kind == "same":
        heavy_after = params.same.asymmetryMode == _BOTTOM_RIGHT_HEAVY
        return "same" if heavy_after else "same_lower"
    if kind == "includeLastPixel":
        pads = [(int(amount),) * 2 for amount in params.includeLastPixel.paddingAmounts]
    else:
        borders = params.valid.paddingAmounts.borderAmounts
        pads = [(int(border.startEdgeSize), int(border.endEdgeSize)) for border in borders]
    return pads or [(0, 0), (0, 0)]


def padding_of_3d(params: Any) -> list[tuple[int, int]] | Literal["same"]:
    """The padding of a three-dimensional layer."""
    if params.paddingType == _SAME:
        return "same"
    custom = params.paddingType == _CUSTOM
    amounts = [int(getattr(params, f"customPadding{side}")) if custom else 0 for side in _SIDES]
    return list(zip(amounts[::2], amounts[1::2], strict=True))


def amounts_of(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Padding,
) -> list[tuple[int, int]]:
    """Padding in figures, that of SAME too."""
    if not isinstance(padding, str):
        return list(padding)
    pads = []
    for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = max(0, (n - 1) // s * s + (k - 1) * d + 1 - n)
        check_size([n + total])
        less, more = total // 2, (total + 1) // 2
        pads.append((less, more) if padding == "same" else (more, less))
    return pads
