"""Layers that sample height and width anew, or move blocks of them to channels."""

from __future__ import annotations

from math import floor

import torch
import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size, check_steps
from fer_convert.coreml_runtime.nn_layers.sampling import GRIDS, Grid, half_pixels, sample
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import Call, View

_NEAREST = 0  # UpsampleLayerParams.InterpolationMode
_STRICT, _UPSAMPLE = 0, 2  # SamplingMode.Method
_SPACE_TO_DEPTH, _DEPTH_TO_SPACE = 0, 1  # ReorganizeDataLayerParams.ReorganizationType


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

        def repeat(x: Tensor) -> Tensor:
            check_size((*x.shape[:-2], x.shape[-2] * rows, x.shape[-1] * columns))
            return x.repeat_interleave(rows, -2).repeat_interleave(columns, -1)

        return op.call(repeat, "input", exact=True)
    grid = (GRIDS[_UPSAMPLE], GRIDS[_STRICT], half_pixels)[params.linearUpsampleMode]

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
    height, width = target_size(op)
    grid = GRIDS[op.params.mode.samplingMethod]
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
    check_steps(block * block)

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


def target_size(op: View) -> tuple[int, int]:
    """The field targetSize, height and width (1 each)."""
    target = tuple(int(size) for size in op.params.targetSize) or (1, 1)
    if len(target) != 2 or min(target) < 1:
        raise op.refuse(f"targetSize {list(target)} is not a height and a width")
    return target


def _resample(x: Tensor, height: int, width: int, grid: Grid) -> Tensor:
    rows, columns = (torch.tensor(size - 1.0, dtype=torch.float64) for size in x.shape[-2:])
    return sample(x, grid(rows, height), grid(columns, width))
