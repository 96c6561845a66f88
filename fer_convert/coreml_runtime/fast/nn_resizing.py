"""NeuralNetwork: edges, height and width sampled anew, blocks of them moved to channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.fast.batches import last_sizes, over_batches
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_size

_PAD_MODES = {"constant": "constant", "reflection": "reflect", "replication": "edge"}
_BLOCK_MOVES = ("SpaceToDepth", "DCR", "CRD")  # by ReorganizationType
_NEAREST = 0  # UpsampleLayerParams.InterpolationMode

# Input and output size -> positions in the input, not yet bounded by its ends.
_Grid = Callable[[int, int], Array]


@LAYERS.lowering("padding")
def padding(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    kind, edges = p.WhichOneof("PaddingType"), _edges(p.paddingAmounts)
    sizes = last_sizes(op, x, 2)
    check_size([n + sum(pair) for n, pair in zip(sizes, edges, strict=True)])
    if kind == "reflection" and any(max(e) >= n for e, n in zip(edges, sizes, strict=True)):
        raise Unlowered("a reflection wider than its input")
    pads = op.ints(edges[0][0], edges[1][0], edges[0][1], edges[1][1])
    value = op.scalar(p.constant.value) if kind == "constant" else ""
    result: str = op.node("Pad", x, pads, value, op.ints(-2, -1), mode=_PAD_MODES[kind or ""])
    return result


@LAYERS.lowering("constantPad")
def constant_pad(op: Source) -> str:
    x, *given = op.operands("input")
    p = op.params
    if given:
        raise Unlowered("computed amounts")
    amounts = [int(amount) for amount in p.padAmounts]
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    sizes = last_sizes(op, x, len(op.shape(x)))
    if p.padToGivenOutputSizeMode:
        if any(map(all, pairs)):
            raise Unlowered("two sizes of one dimension")
        pairs = [
            (max(0, before - n) if before else 0, max(0, after - n) if after else 0)
            for (before, after), n in zip(pairs, sizes, strict=True)
        ]
    check_size([n + sum(pair) for n, pair in zip(sizes, pairs, strict=True)])
    pads = op.ints(*(before for before, _ in pairs), *(after for _, after in pairs))
    result: str = op.node("Pad", x, pads, op.scalar(p.value))
    return result


@LAYERS.lowering("crop")
def crop(op: Source) -> str:
    x, *like = op.operands("input")
    sizes = last_sizes(op, x, 2)
    if like:
        starts = [int(n) for n in op.params.offset] or [0, 0]
        ends = [a + n for a, n in zip(starts, last_sizes(op, like[0], 2), strict=True)]
    else:
        edges = _edges(op.params.cropAmounts)
        starts = [before for before, _ in edges]
        ends = [n - after for n, (_, after) in zip(sizes, edges, strict=True)]
    if any(end > n or start > end for start, end, n in zip(starts, ends, sizes, strict=True)):
        raise Unlowered("more than its input has")
    result: str = op.node("Slice", x, op.ints(*starts), op.ints(*ends), op.ints(-2, -1))
    return result


@LAYERS.lowering("upsample")
def upsample(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    factors = tuple(p.fractionalScalingFactor) or tuple(map(int, p.scalingFactor)) or (1, 1)
    sizes = last_sizes(op, x, 2)
    if min(factors) <= 0:
        raise Unlowered("a factor of 0")
    targets = [int(n * f) for n, f in zip(sizes, factors, strict=True)]
    if p.mode != _NEAREST:
        grids = (_upsample_grid, _strict_grid, _half_pixel_grid)
        return _resampled(op, x, targets, grids[p.linearUpsampleMode])
    if p.fractionalScalingFactor:
        raise Unlowered("a fractional factor")
    check_size(_whole(op, x, targets))
    for axis, size, factor in zip((-2, -1), sizes, factors, strict=True):
        rows = op.builder.array(np.arange(size).repeat(int(factor)))
        x = op.node("Gather", x, rows, axis=axis)
    return x


@LAYERS.lowering("resizeBilinear")
def resize_bilinear(op: Source) -> str:
    (x,) = op.operands("input")
    targets = [int(n) for n in op.params.targetSize] or [1, 1]
    grids = (_strict_grid, _align_grid, _upsample_grid, _roi_grid)
    return _resampled(op, x, targets, grids[op.params.mode.samplingMethod])


@LAYERS.lowering("reorganizeData")
def reorganize_data(op: Source) -> str:
    (x,) = op.operands("input")
    mode, block = _BLOCK_MOVES[op.params.mode], int(op.params.blockSize)

    def translate(x: str) -> str:
        if mode == "SpaceToDepth":
            result: str = op.node("SpaceToDepth", x, blocksize=block)
            return result
        result = op.node("DepthToSpace", x, blocksize=block, mode=mode)
        return result

    return over_batches(op, x, translate, 3)


def _resampled(op: Source, x: str, targets: Sequence[int], grid: _Grid) -> str:
    if min(targets) < 1:
        raise Unlowered("a size of 0")
    check_size(_whole(op, x, targets))
    for axis, size, count in zip((-2, -1), last_sizes(op, x, 2), targets, strict=True):
        at = grid(size, count).clip(0, size - 1)
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, size - 1)
        share = (at - low).astype(np.float32).reshape(-1, *(1,) * (-1 - axis))
        below = op.node("Gather", x, op.builder.array(low), axis=axis)
        above = op.node("Gather", x, op.builder.array(high), axis=axis)
        rise = op.node("Mul", op.node("Sub", above, below), op.builder.array(share))
        x = op.node("Add", below, rise)
    return x


def _whole(op: Source, x: str, targets: Sequence[int]) -> list[int]:
    """The shape of ``x`` with another height and width; what is unknown counts as 1."""
    return [*(size or 1 for size in op.shape(x)[:-2]), *targets]


def _strict_grid(size: int, count: int) -> Array:
    return np.linspace(0, size - 1, count)


def _align_grid(size: int, count: int) -> Array:
    return np.array([(size - 1) / 2]) if count == 1 else _strict_grid(size, count)


def _upsample_grid(size: int, count: int) -> Array:
    return np.linspace(0, size - size / count, count)


def _half_pixel_grid(size: int, count: int) -> Array:
    return (np.arange(count) + 0.5) * size / count - 0.5


def _roi_grid(size: int, count: int) -> Array:
    return (np.arange(count) + 0.5) * max(1, size - 1) / count


def _edges(amounts: Any) -> list[tuple[int, int]]:
    edges = [(int(edge.startEdgeSize), int(edge.endEdgeSize)) for edge in amounts.borderAmounts]
    return edges or [(0, 0), (0, 0)]
