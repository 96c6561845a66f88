"""Pooling in two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.nn_layers.window_fields import pads_of, pads_of_3d, pair, triple
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.windows import Pads, pad, pool, require_elements

_MAX, _AVERAGE = 0, 1  # PoolingLayerParams.PoolingType; 2 is L2


@LAYERS.operation("pooling")
def pooling(op: View) -> Call:
    """Two-dimensional pooling of ``input [*, C, H, W]``; ``globalPooling`` leaves ``[*, C, 1, 1]``.

    Fields: type MAX | AVERAGE | L2 (root of the sum of squares), kernelSize (3), stride (1),
    padding valid | same | includeLastPixel (``paddingAmounts`` on both sides and the last window
    may hang over the edge), avgPoolExcludePadding. An average never counts what hangs over.
    """
    params = op.params
    exact = params.type == _MAX
    if params.globalPooling:
        return op.call(_global(params.type, (-2, -1)), "input", exact=exact)
    size, strides = pair(op, "kernelSize", default=3), pair(op, "stride", default=1)
    ceil_mode = params.WhichOneof("PoolingPaddingType") == "includeLastPixel"

    def kernel(x: Tensor) -> Tensor:
        pads = pads_of(params, x, size, strides, (1, 1))
        rows, columns = _counts(x, pads, size, strides, ceil_mode=ceil_mode)
        # A window in the last padding alone is dropped, too, where padding is wider than it.
        return pool(
            x,
            kind=_kind(params.type),
            kernel=size,
            strides=strides,
            pads=pads,
            ceil_mode=ceil_mode,
            exclude_padding=params.avgPoolExcludePadding,
        )[..., :rows, :columns]

    return op.call(over_batches(kernel, 3), "input", exact=exact)


@LAYERS.operation("pooling3d")
def pooling3d(op: View) -> Call:
    """Three-dimensional pooling of ``input [*, C, D, H, W]``.

    Fields: type MAX | AVERAGE; kernelDepth, kernelHeight, kernelWidth; strides (1); paddingType
    CUSTOM (with amounts) | VALID | SAME (the result has the size of the input divided by the
    strides, rounded up); countExcludePadding. MAX takes padding for zeros, as the specification
    says, where ``pooling`` never chooses it.
    """
    params = op.params
    size, strides = triple(op, "kernel"), triple(op, "stride")

    def kernel(x: Tensor) -> Tensor:
        pads = pads_of_3d(params, x, size, strides, (1, 1, 1))
        maximum = params.type == _MAX
        return pool(
            pad(x, pads) if maximum else x,
            kind=_kind(params.type),
            kernel=size,
            strides=strides,
            pads=[(0, 0)] * 3 if maximum else pads,
            ceil_mode=False,
            exclude_padding=params.countExcludePadding,
        )

    return op.call(over_batches(kernel, 4), "input", exact=params.type == _MAX)


@LAYERS.operation("globalPooling3d")
def global_pooling3d(op: View) -> Call:
    """The maximum or mean over the last three dimensions of ``input``, each left with size 1."""
    kind = op.params.type
    return op.call(_global(kind, (-3, -2, -1)), "input", exact=kind == _MAX)


def _kind(kind: int) -> Literal["max", "average", "l2"]:
    return "max" if kind == _MAX else "average" if kind == _AVERAGE else "l2"


def _global(kind: int, axes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    def kernel(x: Tensor) -> Tensor:
        require_elements([x.shape[axis] for axis in axes])
        if kind == _MAX:
            return torch.amax(x, axes, keepdim=True)
        if kind == _AVERAGE:
            return torch.mean(x, axes, keepdim=True)
        return x.square().sum(axes, keepdim=True).sqrt()

    return kernel


def _counts(
    x: Tensor, pads: Pads, kernel: Sequence[int], strides: Sequence[int], *, ceil_mode: bool
) -> list[int]:
    """How many windows there are along height and width.

    Raises:
        ValueError: without any padding includeLastPixel keeps a last window that starts behind the
            image, and nothing says what it holds.
    """
    counts = []
    for size, (before, after), k, s in zip(x.shape[-2:], pads, kernel, strides, strict=True):
        span = size + before + after - k
        count = span // s + 1
        if ceil_mode:
            count = -(-span // s) + 1
            if (count - 1) * s >= size + before:
                if not any(map(any, pads)):
                    raise ValueError(
                        f"a last window of {k} every {s} lies behind an input of {size}"
                    )
                count -= 1
        counts.append(count)
    return counts
