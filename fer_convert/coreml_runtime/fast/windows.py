"""Convolution and pooling in ONNX, shared by both formats.

Padding is ``[(before, after), …]`` per spatial dimension, or ``same`` / ``same_lower``, which ONNX
has as well: an odd row goes after, or before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source

Padding = Sequence[tuple[int, int]] | Literal["same", "same_lower"]


def flat(pads: Sequence[tuple[int, int]]) -> list[int]:
    """ONNX's order: every start, then every end."""
    return [before for before, _ in pads] + [after for _, after in pads]


def pad_attributes(padding: Padding) -> dict[str, Any]:
    if padding == "same":
        return {"auto_pad": "SAME_UPPER"}
    if padding == "same_lower":
        return {"auto_pad": "SAME_LOWER"}
    assert not isinstance(padding, str)
    return {"pads": flat(padding)}


def pool(
    op: Source,
    x: str,
    *,
    kind: Literal["max", "average"],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    ceil_mode: bool,
    exclude_padding: bool,
) -> str:
    """Pool ``x``; with ``ceil_mode`` the last window may hang over the padded edge.

    What hangs over is written as padding: the rule where the last window may start has changed
    between versions of ONNX.
    """
    attributes: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides)}
    pads = [] if isinstance(padding, str) else list(padding)
    over = [0] * len(pads)
    if ceil_mode and pads:
        over = _overhang(op.shape(x)[-len(kernel) :], kernel, strides, pads)
    edge = [(before, after + extra) for (before, after), extra in zip(pads, over, strict=True)]
    wide = any(p >= k for pair, k in zip(edge, kernel, strict=bool(edge)) for p in pair)
    if kind == "max":
        if wide:  # onnxruntime refuses padding as wide as the window
            x, edge = _pad(op, x, edge, -np.inf), [(0, 0)] * len(edge)
        attributes |= pad_attributes(edge or padding)
        result: str = op.node("MaxPool", x, **attributes)
        return result
    if wide and exclude_padding:
        raise Unlowered("padding as wide as its window")
    if (any(over) and not exclude_padding) or wide:
        # Padding counts and the overhang does not: the former becomes part of the image.
        x, edge = _pad(op, x, pads, 0.0), [(0, extra) for extra in over]
        exclude_padding = True
    attributes |= pad_attributes(edge or padding)
    result = op.node("AveragePool", x, count_include_pad=int(not exclude_padding), **attributes)
    return result


def _pad(op: Source, x: str, pads: Sequence[tuple[int, int]], value: float) -> str:
    axes = range(-len(pads), 0)
    result: str = op.node("Pad", x, op.ints(*flat(pads)), op.scalar(value), op.ints(*axes))
    return result


def _overhang(
    sizes: Sequence[int | None],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> list[int]:
    over = []
    for size, k, s, (before, after) in zip(sizes, kernel, strides, pads, strict=True):
        if size is None:
            raise Unlowered("ceil mode on an unknown size")
        last = -((k - before - after - size) // s) * s  # where the last window would start
        if last >= size + before:
            last -= s
        over.append(max(0, last + k - size - before - after))
    return over
