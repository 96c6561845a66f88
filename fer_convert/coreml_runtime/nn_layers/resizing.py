"""Layers that change height and width: padding, cropping, resampling, moving blocks to channels."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.batches import over_batches
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.registry import Call, View
from fer_convert.coreml_runtime.windows import Pads, pad

_NEAREST = 0  # UpsampleLayerParams.InterpolationMode
_SPACE_TO_DEPTH, _DEPTH_TO_SPACE = 0, 1  # ReorganizeDataLayerParams.ReorganizationType

# Positions in the input, not yet bounded by its ends, where the output is sampled.
_Grid = Callable[[int, int], Tensor]


LAYERS.refuse("cropResize", reason="not written yet; no classifier of torchvision needs it")


@LAYERS.operation("padding")
def padding(op: View) -> Call:
    """``input [*, H, W]`` with rows and columns added around it.

    Fields: paddingAmounts (height, width; start and end), and what is added: constant (value) |
    reflection (without the edge itself) | replication (of the edge).
    """
    params = op.params
    kind = params.WhichOneof("PaddingType")
    amounts = _edges(op, params.paddingAmounts)
    if kind == "constant":
        value = params.constant.value
        return op.call(lambda x: pad(x, amounts, value), "input")
    if kind is None:
        raise op.refuse("its padding type is not set")
    mode = "reflect" if kind == "reflection" else "replicate"
    sides = [amount for pair in reversed(amounts) for amount in pair]
    # torch pads two dimensions of a rank 4 tensor; all before them are alike.
    kernel = over_batches(lambda x: F.pad(x[None], sides, mode)[0], 2)
    return op.call(kernel, "input", exact=True)


@LAYERS.operation("constantPad")
def constant_pad(op: View) -> Call:
    """The input with ``value`` added at both ends of every dimension.

    Inputs: x, and optionally the amounts ``[2 * rank]``, which padAmounts holds otherwise: before
    and after each dimension, first dimension first. With padToGivenOutputSizeMode an amount is the
    size to reach on that side; the other of the pair is then 0.
    """
    params = op.params
    stored = [int(amount) for amount in params.padAmounts]

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        amounts = stored if given is None else given.reshape(-1).long().tolist()
        if len(amounts) != 2 * x.dim() or min(amounts, default=0) < 0:
            raise ValueError(f"the amounts {amounts} do not fit an input {list(x.shape)}")
        pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
        if params.padToGivenOutputSizeMode:
            if any(before and after for before, after in pairs):
                raise ValueError(f"the sizes {amounts} name both ends of a dimension")
            pairs = [
                (max(0, before - size) if before else 0, max(0, after - size) if after else 0)
                for (before, after), size in zip(pairs, x.shape, strict=True)
            ]
        return pad(x, pairs, params.value)

    return op.call(kernel, "input")


@LAYERS.operation("crop")
def crop(op: View) -> Call:
    """``input [*, H, W]`` without cropAmounts rows and columns at its edges.

    With a second input the result has that one's height and width, and starts at ``offset``.
    """
    params = op.params
    if len(op.operation.arguments["input"]) > 1:
        top, left = [int(v) for v in params.offset] or [0, 0]

        def to_reference(x: Tensor, reference: Tensor) -> Tensor:
            height, width = reference.shape[-2:]
            if top + height > x.shape[-2] or left + width > x.shape[-1]:
                raise ValueError(f"{[height, width]} from {[top, left]} is beyond {list(x.shape)}")
            return x[..., top : top + height, left : left + width]

        return op.call(to_reference, "input", exact=True)
    amounts = [(-before, -after) for before, after in _edges(op, params.cropAmounts)]
    return op.call(lambda x: pad(x, amounts), "input", exact=True)


@LAYERS.operation("upsample")
def upsample(op: View) -> Call:
    """``input [*, H, W]`` enlarged by scalingFactor (or fractionalScalingFactor), height and width.

    Fields: mode NN (every value repeated) | BILINEAR, which samples the input at positions i *
    spacing, within its ends, by linearUpsampleMode: DEFAULT (spacing ``(in - in / out) / (out -
    1)``) | ALIGN_CORNERS_TRUE (``(in - 1) / (out - 1)``) | ALIGN_CORNERS_FALSE (``in / out``, and
    positions half a step on, less 0.5). Fractional factors need one of the last two.
    """
    params = op.params
    fractional = tuple(params.fractionalScalingFactor)
    factors = fractional or tuple(int(f) for f in params.scalingFactor) or (1, 1)
    if len(factors) != 2 or min(factors) <= 0:
        raise op.refuse(f"scaling factors {list(factors)} are not a height's and a width's")
    if fractional and (params.mode == _NEAREST or params.linearUpsampleMode == 0):
        raise op.refuse("fractionalScalingFactor needs BILINEAR and one of ALIGN_CORNERS")
    if params.mode == _NEAREST:
        rows, columns = (int(f) for f in factors)
        return op.call(
            lambda x: x.repeat_interleave(rows, -2).repeat_interleave(columns, -1),
            "input",
            exact=True,
        )
    grid = (_default_grid, _strict_align_grid, _half_pixel_grid)[params.linearUpsampleMode]

    def kernel(x: Tensor) -> Tensor:
        height, width = (floor(n * f) for n, f in zip(x.shape[-2:], factors, strict=True))
        return _resample(x, height, width, grid)

    return op.call(kernel, "input")


@LAYERS.operation("resizeBilinear")
def resize_bilinear(op: View) -> Call:
    """``input [*, H, W]`` sampled bilinearly to ``targetSize``.

    Positions are i * spacing, within the input's ends, by field mode:
    STRICT_ALIGN_ENDPOINTS_MODE (spacing ``(in - 1) / (out - 1)``) | ALIGN_ENDPOINTS_MODE (the same,
    but a single one lies in the middle) | UPSAMPLE_MODE (``(in - in / out) / (out - 1)``) |
    ROI_ALIGN_MODE (``max(1, in - 1) / out``, half a step on).
    """
    params = op.params
    target = [int(size) for size in params.targetSize] or [1, 1]
    if len(target) != 2 or min(target) < 1:
        raise op.refuse(f"targetSize {target} is not a height and a width")
    height, width = target
    grids = (_strict_align_grid, _align_grid, _default_grid, _roi_grid)
    grid = grids[params.mode.samplingMethod]
    return op.call(lambda x: _resample(x, height, width, grid), "input")


@LAYERS.operation("reorganizeData")
def reorganize_data(op: View) -> Call:
    """Blocks of blockSize x blockSize pixels of ``input [*, C, H, W]`` moved to channels or back.

    Field mode: SPACE_TO_DEPTH (channels of the result by row in the block, column, then channel of
    the input) | DEPTH_TO_SPACE (its inverse) | PIXEL_SHUFFLE (channels of the input by channel of
    the result, row, then column).
    """
    mode, block = op.params.mode, int(op.params.blockSize)
    if block < 1:
        raise op.refuse("blockSize is 0")

    def to_depth(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // block, block, w // block, block)
        return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, h // block, w // block)

    def to_space(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = x.reshape(n, block, block, c // block**2, h, w)
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * block, w * block)

    if mode == _SPACE_TO_DEPTH:
        kernel = to_depth
    elif mode == _DEPTH_TO_SPACE:
        kernel = to_space
    else:
        return op.call(lambda x: F.pixel_shuffle(x, block), "input", exact=True)
    return op.call(over_batches(kernel, 3), "input", exact=True)


def _edges(op: View, amounts: object) -> Pads:
    edges = [
        (int(edge.startEdgeSize), int(edge.endEdgeSize))
        for edge in amounts.borderAmounts  # type: ignore[attr-defined]
    ]
    if len(edges) not in {0, 2}:
        raise op.refuse(f"{len(edges)} border amounts are not a height's and a width's")
    return edges or [(0, 0), (0, 0)]


def _resample(x: Tensor, height: int, width: int, grid: _Grid) -> Tensor:
    for axis, size in ((-2, height), (-1, width)):
        at = grid(x.shape[axis], size).clamp(0, x.shape[axis] - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        share = (at - low).float().reshape(-1, *(1,) * (-1 - axis))
        below, above = x.index_select(axis, low), x.index_select(axis, high)
        x = torch.lerp(below, above, share)
    return x


def _steps(count: int, spacing: float, start: float = 0.0) -> Tensor:
    return start + spacing * torch.arange(count, dtype=torch.float64)


def _strict_align_grid(size: int, count: int) -> Tensor:
    return _steps(count, (size - 1) / max(1, count - 1))


def _align_grid(size: int, count: int) -> Tensor:
    return _steps(1, 0.0, (size - 1) / 2) if count == 1 else _strict_align_grid(size, count)


def _default_grid(size: int, count: int) -> Tensor:
    return _steps(count, (size - size / count) / max(1, count - 1))


def _half_pixel_grid(size: int, count: int) -> Tensor:
    return _steps(count, size / count, 0.5 * size / count - 0.5)


def _roi_grid(size: int, count: int) -> Tensor:
    delta = max(1, size - 1) / count
    return _steps(count, delta, 0.5 * delta)
