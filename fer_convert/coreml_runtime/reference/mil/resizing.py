"""Images made larger or smaller, x ``[*, H, W]``, and tensors of any rank."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np
import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference.grids import (
    SAMPLING_MODES,
    interpolate,
    nearest_points,
    sample_points,
)
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.selecting import integers_of

OPERATIONS = Table()


@OPERATIONS.operation("upsample_nearest_neighbor")
def upsample_nearest_neighbor(op: View) -> Call:
    """Element ``i`` of a side is element ``floor(i * in / out)`` of the input's, and ``out =
    floor(in * factor)``.

    Arguments: scale_factor_height, scale_factor_width (1).
    """
    factors = _factors(op)

    def kernel(x: Tensor) -> Tensor:
        for axis, size in _scaled(x, factors):
            x = x.index_select(axis, torch.arange(size) * x.shape[axis] // size)
        return x

    return op.call(kernel, "x", exact=True)


@OPERATIONS.operation("resize_nearest_neighbor")
def resize_nearest_neighbor(op: View) -> Call:
    """Element ``i`` of a side is element ``floor((i + 1/2) * in / out)`` of the input's.

    Arguments: target_size_height, target_size_width.
    """
    sizes = op.option("target_size_height", int), op.option("target_size_width", int)
    return op.call(lambda x: _nearest(x, sizes, "UNALIGN_CORNERS"), "x", exact=True)


@OPERATIONS.operation("upsample_bilinear")
def upsample_bilinear(op: View) -> Call:
    """Bilinear interpolation to ``floor(in * factor)`` elements of each side.

    Arguments: scale_factor_height, scale_factor_width (1), align_corners (true),
    half_pixel_centers (the opposite). The three combinations sample as resize_bilinear's
    STRICT_ALIGN_CORNERS, UNALIGN_CORNERS (half_pixel_centers) and DEFAULT (neither).
    """
    factors = _factors(op)
    aligned = op.option("align_corners", bool, True)
    centred = op.option("half_pixel_centers", bool, not aligned)
    if aligned and centred:
        raise op.refuse("align_corners and half_pixel_centers are both true")
    mode = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return op.call(lambda x: _linear(x, [size for _, size in _scaled(x, factors)], mode), "x")


@OPERATIONS.operation("resize_bilinear")
def resize_bilinear(op: View) -> Call:
    """Bilinear interpolation to target_size_height by target_size_width (1).

    sampling_mode places Y samples on an axis of X elements, never beyond its ends: DEFAULT ``i * X
    / Y`` | STRICT_ALIGN_CORNERS ``i * (X - 1) / (Y - 1)`` | ALIGN_CORNERS the same, a single one in
    the middle | OFFSET_CORNERS ``(i + 1/2) * max(1, X - 1) / Y`` | UNALIGN_CORNERS ``(i + 1/2) * X
    / Y - 1/2``.
    """
    sizes = op.option("target_size_height", int, 1), op.option("target_size_width", int, 1)
    mode = sampling_mode(op)
    return op.call(lambda x: _linear(x, sizes, mode), "x")


@OPERATIONS.operation("resize")
def resize(op: View) -> Call:
    """The last ``resized_dims`` axes brought to the last sizes of ``shape``, where 0 keeps a size;
    not supported: LINEAR of integers, whose rounding is not specified.

    Arguments: interpolation_mode LINEAR (default) | NEAREST_NEIGHBOR, sampling_mode as in
    resize_bilinear. NEAREST_NEIGHBOR takes the element nearest to each sample, where DEFAULT
    samples as resize_nearest_neighbor.
    """
    count, mode = op.option("resized_dims", int), sampling_mode(op)
    interpolation = op.option("interpolation_mode", str, "LINEAR")
    if interpolation not in {"LINEAR", "NEAREST_NEIGHBOR"}:
        raise op.refuse(f"interpolation_mode '{interpolation}'")
    linear = interpolation == "LINEAR"

    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        sizes = integers_of(shape)
        if not 0 <= count <= len(sizes) <= x.dim():
            raise op.refuse(f"{count} axes of {list(x.shape)} to {list(sizes)}")
        if linear and not x.is_floating_point():
            raise op.unsupported("interpolated integers, whose rounding is not specified")
        kept = x.shape[x.dim() - count :]
        wanted = [n or size for n, size in zip(sizes[len(sizes) - count :], kept, strict=True)]
        return _linear(x, wanted, mode) if linear else _nearest(x, wanted, mode)

    return op.call(kernel, "x", "shape", exact=not linear)


@OPERATIONS.operation("crop")
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


@OPERATIONS.operation("layer:crop_like")
def layer_crop_like(op: View) -> Call:
    """As many rows and columns of ``x`` as ``like`` has, from ``offset`` (row, column) on."""
    top, left = op.integers("offset")

    def kernel(x: Tensor, like: Tensor) -> Tensor:
        height, width = like.shape[-2:]
        if top + height > x.shape[-2] or left + width > x.shape[-1]:
            raise ValueError(f"{[height, width]} from {[top, left]} is beyond {list(x.shape)}")
        return x[..., top : top + height, left : left + width]

    return op.call(kernel, "x", "like", exact=True)


def sampling_mode(op: View) -> str:
    """The option of that name (DEFAULT).

    Raises:
        ArtefactError: it is none of the specification's.
    """
    mode = op.option("sampling_mode", str, "DEFAULT")
    if mode not in SAMPLING_MODES:
        raise op.refuse(f"sampling_mode '{mode}' is none of {', '.join(SAMPLING_MODES)}")
    return mode


def _factors(op: View) -> tuple[float, float]:
    return op.option("scale_factor_height", float, 1.0), op.option("scale_factor_width", float, 1.0)


def _scaled(x: Tensor, factors: Sequence[float]) -> list[tuple[int, int]]:
    """The last axes and their new sizes; in fp32, where 0.7 times 10 is 7."""
    axes = range(-len(factors), 0)
    sizes = [
        floor(np.float32(factor) * np.float32(x.shape[axis]))
        for axis, factor in zip(axes, factors, strict=True)
    ]
    _check(x, sizes)
    return list(zip(axes, sizes, strict=True))


def _linear(x: Tensor, sizes: Sequence[int], mode: str) -> Tensor:
    _check(x, sizes)
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        if size != x.shape[axis] or mode == "OFFSET_CORNERS":  # the others sample each element
            points = sample_points(mode, torch.tensor(x.shape[axis]), size)
            x = interpolate(x, axis, points)
    return x


def _nearest(x: Tensor, sizes: Sequence[int], mode: str) -> Tensor:
    _check(x, sizes)
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        x = x.index_select(axis, nearest_points(mode, x.shape[axis], size))
    return x


def _check(x: Tensor, sizes: Sequence[int]) -> None:
    kept = x.shape[: x.dim() - len(sizes)]
    if min((*sizes, *x.shape[len(kept) :]), default=1) < 1:
        raise ValueError(f"{list(x.shape[len(kept) :])} elements resized to {list(sizes)}")
    check_size((*kept, *sizes))
