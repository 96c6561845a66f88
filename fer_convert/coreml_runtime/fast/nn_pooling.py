"""NeuralNetwork: pooling."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.fast.batches import last_sizes, over_batches
from fer_convert.coreml_runtime.fast.nn_window_fields import (
    amounts_of,
    padding_of,
    padding_of_3d,
    pair,
    triple,
)
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.fast.windows import Padding, flat, pool, refuse_large_windows

_MAX, _AVERAGE = 0, 1  # PoolingLayerParams.PoolingType


@LAYERS.lowering("pooling")
def pooling(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    if p.globalPooling:
        return _global(op, x, p.type, 2)
    kernel, strides = pair(p.kernelSize, 3), pair(p.stride, 1)
    padding, last = padding_of(p, "PoolingPaddingType"), p.WhichOneof("PoolingPaddingType")
    ceil_mode = last == "includeLastPixel"
    if ceil_mode and not isinstance(padding, str) and not any(map(any, padding)):
        for size, k, s in zip(last_sizes(op, x, 2), kernel, strides, strict=True):
            if -((k - size) // s) * s >= size:
                raise Unlowered("a window behind its input")

    def translate(x: str) -> str:
        if isinstance(padding, str):
            amounts_of(last_sizes(op, x, 2), kernel, strides, (1, 1), padding)  # not too large
        if p.type not in {_MAX, _AVERAGE}:
            return _l2_pool(op, x, kernel, strides, padding, ceil_mode=ceil_mode)
        return pool(
            op,
            x,
            kind="max" if p.type == _MAX else "average",
            kernel=kernel,
            strides=strides,
            padding=padding,
            ceil_mode=ceil_mode,
            exclude_padding=p.avgPoolExcludePadding,
        )

    return over_batches(op, x, translate, 3)


@LAYERS.lowering("pooling3d")
def pooling3d(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    kernel, strides, padding = triple(p, "kernel"), triple(p, "stride"), padding_of_3d(p)

    def translate(x: str) -> str:
        if p.type == _MAX:  # of padding, too: zeros
            amounts = amounts_of(last_sizes(op, x, 3), kernel, strides, (1, 1, 1), padding)
            x = op.node("Pad", x, op.ints(*flat([(0, 0), (0, 0), *amounts])), op.scalar(0.0))
        return pool(
            op,
            x,
            kind="max" if p.type == _MAX else "average",
            kernel=kernel,
            strides=strides,
            padding=[(0, 0)] * 3 if p.type == _MAX else padding,
            ceil_mode=False,
            exclude_padding=p.countExcludePadding,
        )

    return over_batches(op, x, translate, 4)


@LAYERS.lowering("globalPooling3d")
def global_pooling3d(op: Source) -> str:
    (x,) = op.operands("input")
    return _global(op, x, op.params.type, 3)


def _global(op: Source, x: str, kind: int, count: int) -> str:
    if kind in {_MAX, _AVERAGE} and len(op.shape(x)) == count + 2:
        # onnxruntime has these in the layout of its convolutions.
        result: str = op.node("GlobalMaxPool" if kind == _MAX else "GlobalAveragePool", x)
        return result
    name = {_MAX: "ReduceMax", _AVERAGE: "ReduceMean"}.get(kind, "ReduceL2")
    result = op.node(name, x, op.ints(*range(-count, 0)), keepdims=1)
    return result


def _l2_pool(
    op: Source,
    x: str,
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    *,
    ceil_mode: bool,
) -> str:
    """With what hangs over the edge as zeros, which add nothing to a sum."""
    sizes = last_sizes(op, x, 2)
    edges = []
    given = amounts_of(sizes, kernel, strides, (1, 1), padding)
    for n, k, s, (before, after) in zip(sizes, kernel, strides, given, strict=True):
        last = -((k - before - after - n) // s) * s  # where the last window would start
        last -= s if last >= n + before else 0
        edges.append((before, max(after, last + k - n - before) if ceil_mode else after))
    if any(max(edge) >= k for edge, k in zip(given, kernel, strict=True)):
        raise Unlowered("padding as wide as its window")  # a window may lie in it alone
    refuse_large_windows(sizes, edges, kernel)
    x = op.node("Pad", x, op.ints(*flat([(0, 0), (0, 0), *edges])), op.scalar(0.0))
    result: str = op.node("LpPool", x, kernel_shape=list(kernel), strides=list(strides), p=2)
    return result
