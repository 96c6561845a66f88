"""Images made larger or smaller, x ``[..., H, W]``."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.mil_ops.table import MIL
from fer_convert.coreml_runtime.registry import Call, View

# Sampling modes that are PyTorch's align_corners true or false; the others are not supported.
_ALIGNED = {"STRICT_ALIGN_CORNERS": True, "ALIGN_CORNERS": True, "UNALIGN_CORNERS": False}


@MIL.operation("upsample_nearest_neighbor")
def upsample_nearest_neighbor(op: View) -> Call:
    """Each pixel repeated scale_factor_height by scale_factor_width times (whole numbers)."""
    factors = _factors(op)
    if any(factor != int(factor) for factor in factors):
        raise op.unsupported("fractional factors")
    rows, columns = (int(factor) for factor in factors)

    def kernel(x: Tensor) -> Tensor:
        _check(op, x, x.shape[-2] * rows, x.shape[-1] * columns)
        return x.repeat_interleave(rows, -2).repeat_interleave(columns, -1)

    return op.call(kernel, "x", exact=True)


@MIL.operation("upsample_bilinear")
def upsample_bilinear(op: View) -> Call:
    """Bilinear interpolation by scale_factor_height, scale_factor_width; align_corners (true).

    ``half_pixel_centers`` must be the opposite of align_corners.
    """
    rows, columns = _factors(op)
    aligned = op.option("align_corners", bool, True)
    if not aligned and (rows != int(rows) or columns != int(columns)):
        raise op.unsupported("fractional factors without align_corners")
    if op.option("half_pixel_centers", bool, not aligned) == aligned:
        raise op.unsupported("half_pixel_centers equal to align_corners")

    def kernel(x: Tensor) -> Tensor:
        return _bilinear(op, x, int(x.shape[-2] * rows), int(x.shape[-1] * columns), aligned)

    return op.call(kernel, "x")


@MIL.operation("resize_bilinear")
def resize_bilinear(op: View) -> Call:
    """Bilinear interpolation to target_size_height by target_size_width.

    sampling_mode: STRICT_ALIGN_CORNERS, ALIGN_CORNERS or UNALIGN_CORNERS; DEFAULT and
    OFFSET_CORNERS are not supported.
    """
    mode = op.option("sampling_mode", str, "DEFAULT")
    height, width = op.option("target_size_height", int, 1), op.option("target_size_width", int, 1)
    if mode not in _ALIGNED:
        raise op.unsupported(f"sampling mode {mode}")
    if mode == "ALIGN_CORNERS" and 1 in (height, width):
        raise op.unsupported("sampling mode ALIGN_CORNERS to a size of 1")
    return op.call(lambda x: _bilinear(op, x, height, width, _ALIGNED[mode]), "x")


@MIL.operation("crop")
def crop(op: View) -> Call:
    """Rows and columns cut off: crop_height, crop_width (before, after)."""
    (top, bottom), (left, right) = op.integers("crop_height"), op.integers("crop_width")
    if min(top, bottom, left, right) < 0:
        raise op.refuse(f"crops of {[top, bottom]} rows and {[left, right]} columns")

    def kernel(x: Tensor) -> Tensor:
        if top + bottom >= x.shape[-2] or left + right >= x.shape[-1]:
            raise ValueError("nothing is left")
        return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]

    return op.call(kernel, "x", exact=True)


def _factors(op: View) -> tuple[float, float]:
    return op.option("scale_factor_height", float, 1.0), op.option("scale_factor_width", float, 1.0)


def _bilinear(op: View, x: Tensor, height: int, width: int, aligned: bool) -> Tensor:
    _check(op, x, height, width)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    resized: Tensor = F.interpolate(flat, (height, width), mode="bilinear", align_corners=aligned)
    return resized.reshape(*x.shape[:-2], height, width)


def _check(op: View, x: Tensor, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise op.refuse(f"a result of {height} x {width} pixels")
    check_size((*x.shape[:-2], height, width))
