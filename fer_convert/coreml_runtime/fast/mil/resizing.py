"""ML Program: images made larger or smaller.

Linear interpolation is ONNX's Resize; of its nearest-neighbour forms none rounds as Core ML does,
so the elements are gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, prod

import numpy as np

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import check_positions, check_size

OPERATIONS = Translations()

# How ONNX calls the sampling modes.
_COORDINATES = {
    "STRICT_ALIGN_CORNERS": "align_corners", "ALIGN_CORNERS": "align_corners",
    "DEFAULT": "asymmetric", "UNALIGN_CORNERS": "half_pixel",
}  # fmt: skip


@OPERATIONS.lowering("upsample_nearest_neighbor")
def upsample_nearest(op: Source) -> str:
    x, result, sizes = op.shape_of("x"), op.operand("x"), _scaled(op)
    _check(sizes)
    for axis, size in zip((-2, -1), sizes, strict=True):
        length = _size(x[axis])
        check_positions(size)
        result = op.node("Gather", result, op.ints(*np.arange(size) * length // size), axis=axis)
    return result


@OPERATIONS.lowering("resize_nearest_neighbor")
def resize_nearest(op: Source) -> str:
    return _nearest(op, _targets(op), "UNALIGN_CORNERS")


@OPERATIONS.lowering("upsample_bilinear")
def upsample_bilinear(op: Source) -> str:
    aligned = op.option("align_corners", bool, True)
    centred = op.option("half_pixel_centers", bool, not aligned)
    if aligned and centred:
        raise Unlowered("both align_corners and half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return _linear(op, _scaled(op), mode)


@OPERATIONS.lowering("resize_bilinear")
def resize_bilinear(op: Source) -> str:
    return _linear(op, _targets(op), op.option("sampling_mode", str, "DEFAULT"))


@OPERATIONS.lowering("resize")
def resize(op: Source) -> str:
    count, wanted = op.option("resized_dims", int), op.integers("shape")
    shape, mode = op.shape_of("x"), op.option("sampling_mode", str, "DEFAULT")
    kept = shape[len(shape) - count :]
    sizes = [n or _size(old) for n, old in zip(wanted[len(wanted) - count :], kept, strict=True)]
    if op.option("interpolation_mode", str, "LINEAR") == "LINEAR":
        return _linear(op, sizes, mode)
    return _nearest(op, sizes, mode)


@OPERATIONS.lowering("crop")
def crop(op: Source) -> str:
    edges = op.integers("crop_height"), op.integers("crop_width")
    lengths = [_size(size) for size in op.shape_of("x")[-2:]]
    ends = [size - after for size, (_, after) in zip(lengths, edges, strict=True)]
    if any(before >= end for (before, _), end in zip(edges, ends, strict=True)):
        raise Unlowered("nothing left")
    starts = op.ints(*(before for before, _ in edges))
    result: str = op.node("Slice", op.operand("x"), starts, op.ints(*ends), op.ints(-2, -1))
    return result


@OPERATIONS.lowering("layer:crop_like")
def layer_crop_like(op: Source) -> str:
    x, starts = op.operand("x"), op.integers("offset")
    ends = [a + n for a, n in zip(starts, last_sizes(op, op.operand("like"), 2), strict=True)]
    if any(end > n for end, n in zip(ends, last_sizes(op, x, 2), strict=True)):
        raise Unlowered("more than its input has")
    result: str = op.node("Slice", x, op.ints(*starts), op.ints(*ends), op.ints(-2, -1))
    return result


def _targets(op: Source) -> list[int]:
    return [op.option(f"target_size_{side}", int, 1) for side in ("height", "width")]


def _scaled(op: Source) -> list[int]:
    factors = [op.option(f"scale_factor_{side}", float, 1.0) for side in ("height", "width")]
    sizes = [_size(size) for size in op.shape_of("x")[-2:]]
    return [floor(np.float32(f) * np.float32(s)) for f, s in zip(factors, sizes, strict=True)]


def _linear(op: Source, sizes: Sequence[int], mode: str) -> str:
    _check(sizes)
    shape, x = list(op.shape_of("x")), op.operand("x")
    if 0 in shape:
        raise Unlowered("no image")  # for which onnxruntime takes the sizes of another
    first = len(shape) - len(sizes)
    kept = op.node("Shape", x, end=first) if shape[:first].count(None) > 1 else ""
    for axis, size in zip(range(first, len(shape)), sizes, strict=True):
        length, inner = _size(shape[axis]), prod(_size(s) for s in shape[axis + 1 :])
        flat = op.node("Reshape", x, op.ints(1, -1, length, inner))
        if mode == "OFFSET_CORNERS":
            flat = op.node("MatMul", op.builder.array(_offset_corners(length, size)), flat)
        else:
            middle = (mode, size) == ("ALIGN_CORNERS", 1)
            flat = op.node(
                "Resize",
                flat,
                "",
                "",
                op.ints(size),
                mode="linear",
                axes=[2],
                coordinate_transformation_mode="half_pixel" if middle else _COORDINATES[mode],
            )
        shape[axis] = size
        if kept:
            whole = op.node("Concat", kept, op.ints(*map(_size, shape[first:])), axis=0)
        else:
            whole = op.ints(*(-1 if size is None else size for size in shape))
        x = op.node("Reshape", flat, whole)
    return x


def _offset_corners(length: int, size: int) -> Array:
    """The matrix of a mode that Resize lacks; its size may stay and the values still change."""
    check_positions(length, size)
    at = np.minimum((np.arange(size) + 0.5) * max(1, length - 1) / size, length - 1)
    shares: Array = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(length)))
    return shares.astype(np.float32)


def _nearest(op: Source, sizes: Sequence[int], mode: str) -> str:
    _check(sizes)
    shape, x = op.shape_of("x"), op.operand("x")
    for axis, size in zip(range(len(shape) - len(sizes), len(shape)), sizes, strict=True):
        check_positions(size)
        length, steps = _size(shape[axis]), np.arange(size)
        if mode in {"DEFAULT", "UNALIGN_CORNERS"}:
            places = (2 * steps + 1) * length // (2 * size)
        elif mode == "OFFSET_CORNERS":
            places = np.floor((steps + 0.5) * max(1, length - 1) / size + 0.5)
        elif mode == "ALIGN_CORNERS" and size == 1:
            places = np.floor([(length - 1) / 2 + 0.5])
        else:
            places = np.floor(steps * (length - 1) / max(1, size - 1) + 0.5)
        inside = np.minimum(places, length - 1).astype(int)
        x = op.node("Gather", x, op.ints(*inside), axis=axis)
    return x


def _check(sizes: Sequence[int]) -> None:
    """Indices are made for each; the reference engine says what is wrong with them."""
    if min(sizes, default=1) < 1:
        raise Unlowered("an image without pixels")
    check_size(sizes)


def _size(size: int | None) -> int:
    if not size:
        raise Unlowered("an image of unknown size, or none")
    return size
