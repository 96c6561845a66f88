"""ML Program: images sampled at given positions, by ONNX's GridSample.

GridSample counts from -1 to 1, between the centres of the outermost pixels (``align_corners``) or
their outer edges; reflection about those is what Core ML calls reflection or symmetric.
"""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import check_positions, check_size

OPERATIONS = Translations()

_PADDING = {
    "constant": "zeros", "border": "border", "reflection": "reflection", "symmetric": "reflection",
}  # fmt: skip


_MIRRORS = {"reflection": True, "symmetric": False}


_SCALES = {"normalized_minus_one_to_one": (-1.0, 1.0), "normalized_zero_to_one": (0.0, 1.0)}


@OPERATIONS.lowering("resample")
def resample(op: Source) -> str:
    padding, mode = op.option("padding_mode", str).lower(), op.option("coordinates_mode", str)
    given = op.option("align_corners", bool)
    nearest = op.option("sampling_mode", str).lower() == "nearest"
    if nearest and padding in _MIRRORS:
        raise Unlowered("the nearest of mirrored pixels")  # ONNX rounds before it mirrors
    aligned = _MIRRORS.get(padding, given)
    grid = op.cast(op.operand("coordinates"), np.float32)
    if nearest and mode == "unnormalized":  # on ONNX's scale a half would not stay one
        grid = op.node("Round", grid)
    if mode != "normalized_minus_one_to_one" or aligned != given or padding == "reflection":
        width, height = (_size(size) for size in (op.shape_of("x")[3], op.shape_of("x")[2]))
        factors, offsets = zip(
            *(_to_grid(size, mode, given, aligned) for size in (width, height)), strict=True
        )
        scaled = op.node("Mul", grid, op.builder.array(np.array(factors, np.float32)))
        grid = op.node("Add", scaled, op.builder.array(np.array(offsets, np.float32)))
    return _sample(op, grid, padding, aligned)


@OPERATIONS.lowering("affine")
def affine(op: Source) -> str:
    height, width = op.option("output_height", int), op.option("output_width", int)
    aligned, count = op.option("align_corners", bool), op.shape_of("x")[0]
    if count is None:
        raise Unlowered("an unknown number of images")
    if op.is_constant("transform_matrix") and not np.isfinite(op.literal("transform_matrix")).all():
        raise Unlowered("a matrix that leads nowhere")
    check_positions(count, height, width, 3)
    check_size((count, height, width, 2))
    rows, columns = np.meshgrid(_base(height, aligned), _base(width, aligned), indexing="ij")
    places = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(1, -1, 3)
    matrices = op.node("Reshape", op.operand("transform_matrix"), op.ints(-1, 2, 3))
    turned = op.node("Transpose", matrices, perm=[0, 2, 1])
    # A single matrix serves every image.
    base = op.builder.array(np.repeat(places, count, 0).astype(np.float32))
    grid = op.node("Reshape", op.node("MatMul", base, turned), op.ints(-1, height, width, 2))
    return _sample(op, grid, "constant", aligned)


@OPERATIONS.lowering("crop_resize")
def crop_resize(op: Source) -> str:
    height, width = (_size(size) for size in op.shape_of("x")[2:])
    rows, columns = op.option("target_height", int, 1), op.option("target_width", int, 1)
    x = op.operand("x")
    check_size((rows, columns))
    boxes, images, roi = _boxes(op)
    row, column = box_points(
        op,
        boxes,
        (height, width),
        (rows, columns),
        order=op.option("box_coordinate_mode", str, "CORNERS_HEIGHT_FIRST"),
        mode=op.option("sampling_mode", str, "DEFAULT"),
        scale=op.option("spatial_scale", float, 1.0),
        normalized=op.option("normalized_coordinates", bool, False),
    )
    inside = op.node("And", _within(op, row, height), _within(op, column, width))
    chosen = op.node("Gather", x, images, axis=0)
    sampled = sample_points(op, chosen, row, column, (height, width))
    value = op.scalar(op.option("pad_value", float, 0.0))
    crops: str = op.node("Where", op.node("Unsqueeze", inside, op.ints(1)), sampled, value)
    if not roi:
        return crops
    channels = _size(op.shape_of("x")[1])
    result: str = op.node("Reshape", crops, op.ints(-1, roi, channels, rows, columns))
    return result


@OPERATIONS.lowering("layer:crop_resize")
def layer_crop_resize(op: Source) -> str:
    x, given = op.operand("x"), op.operand("roi")
    one, batch, channels, height, width = last_sizes(op, x, 5)
    number, single, length, *rest = last_sizes(op, given, 5)
    rows, columns = op.option("target_height", int), op.option("target_width", int)
    if one != 1 or [single, *rest] != [1, 1, 1] or length not in {4, 5}:
        raise Unlowered("another shape")
    if not number:
        raise Unlowered("no boxes")  # onnxruntime samples no empty grid
    result_shape = (number, 1 if length == 5 else batch, channels, rows, columns)
    check_size(result_shape)
    boxes = op.node("Reshape", given, op.ints(number, length))
    if length == 5:
        index, boxes = op.node("Split", boxes, op.ints(1, 4), count=2, axis=1)
        index = op.cast(op.node("Reshape", index, op.ints(-1)), np.int64)
        # ONNX counts a negative number from the end; here it is none.
        index = op.node("Where", op.node("Less", index, op.ints(0)), op.ints(batch), index)
        images = op.node("Gather", op.node("Squeeze", x, op.ints(0)), index, axis=0)
    else:
        check_size((number, batch, channels, height, width))
        every = op.node("Reshape", x, op.ints(1, batch * channels, height, width))
        images = op.node("Expand", every, op.ints(number, 1, 1, 1))
    row, column = box_points(
        op,
        boxes,
        (height, width),
        (rows, columns),
        order=op.option("box_coordinate_mode", str),
        mode=op.option("sampling_mode", str),
        scale=op.option("spatial_scale", float),
        normalized=op.option("normalized_coordinates", bool),
    )
    crops = sample_points(op, images, row, column, (height, width))
    result: str = op.node("Reshape", crops, op.ints(*result_shape))
    return result


def _boxes(op: Source) -> tuple[str, str, int]:
    """Boxes ``[N, 4]``, the image of each, and how many images a roi has (0: there is none)."""
    if not op.has("roi"):
        boxes = op.cast(op.operand("boxes"), np.float32)
        if op.has("box_indices"):
            return boxes, op.indices("box_indices"), 0
        number = _size(op.shape_of("boxes")[0])
        check_positions(number)
        return boxes, op.ints(*range(number)), 0
    count, width = _size(op.shape_of("roi")[0]), op.shape_of("roi")[2]
    flat = op.node("Reshape", op.operand("roi"), op.ints(count, -1))
    if width == 5:
        index, boxes = op.node("Split", flat, op.ints(1, 4), count=2, axis=1)
        return boxes, op.cast(op.node("Reshape", index, op.ints(-1)), np.int64), 1
    batch = _size(op.shape_of("x")[0])
    check_positions(count, batch)
    every = np.repeat(np.arange(count), batch)
    images = op.ints(*np.tile(np.arange(batch), count))
    return op.node("Gather", flat, op.ints(*every), axis=0), images, batch


def box_points(
    op: Source,
    boxes: str,
    sizes: tuple[int, int],
    counts: tuple[int, int],
    *,
    order: str,
    mode: str,
    scale: float,
    normalized: bool,
) -> tuple[str, str]:
    """Where ``boxes [N, 4]`` sample an image of ``sizes``, height and width: rows ``[N, R, 1]`` and
    columns ``[N, 1, C]`` in pixels."""
    a, b, c, d = op.node("Split", boxes, count=4, axis=1, num_outputs=4)
    if order.endswith("WIDTH_FIRST"):
        a, b, c, d = b, a, d, c
    if order.startswith("CENTER"):
        half = op.scalar(0.5)
        rows, columns = op.node("Mul", c, half), op.node("Mul", d, half)
        a, c = op.node("Sub", a, rows), op.node("Add", a, rows)
        b, d = op.node("Sub", b, columns), op.node("Add", b, columns)
    row, column = (
        _axis(op, start, end, count, mode, scale * (size - 1 if normalized else 1))
        for start, end, size, count in zip((a, b), (c, d), sizes, counts, strict=True)
    )
    return op.node("Unsqueeze", row, op.ints(2)), op.node("Unsqueeze", column, op.ints(1))


def sample_points(op: Source, x: str, row: str, column: str, sizes: tuple[int, int]) -> str:
    """``x [N, C, H, W]`` at every pair of rows and columns; those outside are the nearest edge."""
    full = op.node("Shape", op.node("Add", row, column))
    places = [
        op.node("Unsqueeze", op.node("Expand", _normal(op, at, size), full), op.ints(3))
        for at, size in zip((column, row), reversed(sizes), strict=True)
    ]
    grid = op.node("Concat", *places, axis=3)
    result: str = op.node("GridSample", x, grid, padding_mode="border", align_corners=1)
    return result


def _axis(op: Source, start: str, end: str, count: int, mode: str, scale: float) -> str:
    """Positions ``[N, count]`` in pixels, from corners ``[N, 1]``."""
    first, last = (op.node("Mul", corner, op.scalar(scale)) for corner in (start, end))
    span = op.node("Sub", last, first)  # of a box of span + 1 elements
    check_positions(count)
    steps = np.arange(count)
    if mode == "ALIGN_CORNERS" and count == 1:
        shares, offset = np.array([0.5]), 0.0
    elif mode in {"ALIGN_CORNERS", "STRICT_ALIGN_CORNERS"}:
        shares, offset = steps / max(1, count - 1), 0.0
    elif mode == "OFFSET_CORNERS":
        shares, offset = (steps + 0.5) / count, 0.0
        span = op.node("Max", span, op.scalar(1.0))
    else:
        shift = 0.5 if mode == "UNALIGN_CORNERS" else 0.0
        shares, offset = (steps + shift) / count, -shift
        span = op.node("Add", span, op.scalar(1.0))
    part = op.node("Mul", span, op.builder.array(shares[None].astype(np.float32)))
    at = op.node("Add", first, op.node("Add", part, op.scalar(offset)))
    low, high = op.node("Min", first, last), op.node("Max", first, last)
    result: str = op.node("Min", op.node("Max", at, low), high)
    return result


def _within(op: Source, at: str, size: int) -> str:
    above = op.node("GreaterOrEqual", at, op.scalar(0.0))
    result: str = op.node("And", above, op.node("LessOrEqual", at, op.scalar(float(size - 1))))
    return result


def _normal(op: Source, at: str, size: int) -> str:
    factor, offset = _to_grid(size, "unnormalized", True, True)
    result: str = op.node("Add", op.node("Mul", at, op.scalar(factor)), op.scalar(offset))
    return result


def _to_grid(size: int, mode: str, given: bool, aligned: bool) -> tuple[float, float]:
    """Factor and offset from coordinates of ``mode`` to GridSample's."""
    factor, offset = 1.0, 0.0  # to pixels
    if mode in _SCALES:
        first, last = _SCALES[mode]
        factor = (size - 1 if given else size) / (last - first)
        offset = -first * factor - (0.0 if given else 0.5)
    elif mode != "unnormalized":
        raise Unlowered(f"coordinates_mode '{mode}'")
    if aligned and size == 1:
        raise Unlowered("an image of one row or column")
    unit, shift = (2 / (size - 1), 0.0) if aligned else (2 / size, 0.5)
    return factor * unit, (offset + shift) * unit - 1


def _sample(op: Source, grid: str, padding: str, aligned: bool) -> str:
    mode, value = op.option("sampling_mode", str).lower(), op.option("padding_value", float, 0.0)
    x, shift = op.operand("x"), op.scalar(value)
    moved = padding == "constant" and value != 0  # ONNX pads with 0 only
    result: str = op.node(
        "GridSample",
        op.node("Sub", x, shift) if moved else x,
        grid,
        mode=mode,
        padding_mode=_PADDING[padding],
        align_corners=int(aligned),
    )
    return op.node("Add", result, shift) if moved else result


def _base(count: int, aligned: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if aligned:
        return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    return (2 * np.arange(count) + 1) / count - 1


def _size(size: int | None) -> int:
    if size is None:
        raise Unlowered("an image of unknown size")
    return size
