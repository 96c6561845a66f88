"""Images sampled at given positions: resample, affine maps, boxes cut out and resized."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference.grids import sample_points
from fer_convert.coreml_runtime.reference.mil.resizing import sampling_mode
from fer_convert.coreml_runtime.reference.operations import Call, Table, View

OPERATIONS = Table()

_FAR = 1e9  # beyond any image, within an integer


# Of each mode: where 0 .. 1 of its scale lies between the first and the last value.
_SCALES: Mapping[str, tuple[float, float]] = {
    "normalized_minus_one_to_one": (-1.0, 1.0), "normalized_zero_to_one": (0.0, 1.0),
}  # fmt: skip


_PADDING = ("constant", "border", "reflection", "symmetric")


_BOXES = (
    "CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST",
    "CENTER_SIZE_WIDTH_FIRST",
)  # fmt: skip


@OPERATIONS.operation("resample")
def resample(op: View) -> Call:
    """``x [B, C, H, W]`` sampled at ``coordinates [B, H2, W2, 2]``, which are (column, row).

    Arguments: sampling_mode bilinear | nearest (of two, the even one); padding_mode constant
    (padding_value) | border | reflection (without the edge) | symmetric (with it); coordinates_mode
    unnormalized | normalized_minus_one_to_one | normalized_zero_to_one; align_corners: the ends of
    a normalised scale are the centres of the outermost pixels, else their outer edges.
    """
    sample = _sampler(op, modes=("bilinear", "nearest"), padding=_PADDING)
    place = _placer(op, ("unnormalized", *_SCALES))

    def kernel(x: Tensor, coordinates: Tensor) -> Tensor:
        columns, rows = coordinates.double().unbind(-1)
        return sample(x, place(rows, x.shape[2]), place(columns, x.shape[3]))

    return op.call(kernel, "x", "coordinates")


@OPERATIONS.operation("affine")
def affine(op: View) -> Call:
    """``x [B, C, H, W]`` sampled where transform_matrix maps each pixel of the result.

    Arguments: transform_matrix ``[B or 1, 6]``: column ``a0 x + a1 y + a2`` and row ``b0 x + b1 y +
    b2``, output_height, output_width, sampling_mode bilinear, padding_mode constant
    (padding_value), coordinates_mode normalized_minus_one_to_one, align_corners as in resample.
    """
    height, width = op.option("output_height", int), op.option("output_width", int)
    sample = _sampler(op, modes=("bilinear",), padding=("constant",))
    place = _placer(op, ("normalized_minus_one_to_one",))
    aligned = op.option("align_corners", bool)
    if height < 1 or width < 1:
        raise op.refuse(f"a result of {height} x {width} pixels")

    def kernel(x: Tensor, matrix: Tensor) -> Tensor:
        check_size((*x.shape[:2], height, width))
        if matrix.shape[1:] != (6,) or matrix.shape[0] not in {1, x.shape[0]}:
            raise ValueError(f"{list(matrix.shape)} matrices for {x.shape[0]} images")
        column = _base(width, aligned)
        row = _base(height, aligned).unsqueeze(-1)
        a = matrix.double()[:, :, None, None].expand(x.shape[0], -1, 1, 1).unbind(1)
        columns, rows = a[0] * column + a[1] * row + a[2], a[3] * column + a[4] * row + a[5]
        return sample(x, place(rows, x.shape[2]), place(columns, x.shape[3]))

    return op.call(kernel, "x", "transform_matrix")


@OPERATIONS.operation("crop_resize", "layer:crop_resize")
def crop_resize(op: View) -> Call:
    """Boxes of ``x [B, C, H, W]``, each resized bilinearly to target_height by target_width (1).

    iOS 15 and 16: roi ``[N, 1, 4, 1, 1]`` gives ``[N, B, C, *]``, every box of every image; roi
    ``[N, 1, 5, 1, 1]``, the image's index first, gives ``[N, 1, C, *]``. iOS 17: boxes ``[N, 4]``
    and box_indices ``[N]`` (0, 1 …) give ``[N, C, *]``.

    Arguments: normalized_coordinates (false): 0 .. 1 from the first pixel's centre to the last's;
    spatial_scale (1) multiplies coordinates; box_coordinate_mode CORNERS_HEIGHT_FIRST (default) |
    CORNERS_WIDTH_FIRST | CENTER_SIZE_HEIGHT_FIRST | CENTER_SIZE_WIDTH_FIRST; sampling_mode as in
    resize_bilinear, the box being an axis of ``end - start + 1`` elements; pad_value (0) outside
    the image.

    A layer has x ``[1, B, C, H, W]`` and a roi, and its nearest edge outside the image.
    """
    to_edge = op.operation.type == "layer:crop_resize"
    height, width = op.option("target_height", int, 1), op.option("target_width", int, 1)
    mode, order = sampling_mode(op), op.option("box_coordinate_mode", str, _BOXES[0])
    if order not in _BOXES:
        raise op.refuse(f"box_coordinate_mode '{order}' is none of {', '.join(_BOXES)}")
    if height < 1 or width < 1:
        raise op.refuse(f"boxes of {height} x {width} pixels")
    normalized = op.option("normalized_coordinates", bool, False)
    scale, value = op.option("spatial_scale", float, 1.0), op.option("pad_value", float, 0.0)

    def along(start: Tensor, end: Tensor, size: int, count: int) -> Tensor:
        """Positions ``[N, count]`` in pixels, within each box to the last bit."""
        unit = scale * (size - 1 if normalized else 1)
        first, last = ((corner * unit).double().unsqueeze(-1) for corner in (start, end))
        points = first + sample_points(mode, (last - first + 1).squeeze(-1), count)
        return torch.minimum(
            torch.maximum(points, torch.minimum(first, last)), torch.maximum(first, last)
        )

    def cut(x: Tensor, boxes: Tensor, images: Tensor) -> Tensor:
        """Boxes ``[N, 4]`` of images ``[N]``."""
        check_size((len(boxes), x.shape[1], height, width))
        if images.numel() and not 0 <= int(images.min()) <= int(images.max()) < x.shape[0]:
            outside = images.max() if images.min() >= 0 else images.min()
            raise IndexError(f"a box of image {int(outside)} of {x.shape[0]}")
        top, left, bottom, right = _corners(boxes.float(), order)
        shape = len(boxes), height, width
        rows = along(top, bottom, x.shape[2], height).unsqueeze(2).expand(shape)
        columns = along(left, right, x.shape[3], width).unsqueeze(1).expand(shape)
        if to_edge:
            rows, columns = rows.clamp(0, x.shape[2] - 1), columns.clamp(0, x.shape[3] - 1)
        inside = _within(rows, x.shape[2]) & _within(columns, x.shape[3])
        result = _bilinear(x, images.long(), rows, columns, value)
        return torch.where(inside.unsqueeze(1), result, value)

    if op.has("roi"):

        def from_roi(x: Tensor, roi: Tensor) -> Tensor:
            if roi.shape[1:] not in {(1, 4, 1, 1), (1, 5, 1, 1)}:
                raise ValueError(f"boxes {list(roi.shape)}, not [N, 1, 4, 1, 1] or [N, 1, 5, 1, 1]")
            flat = roi.flatten(1)
            if flat.shape[1] == 5:
                return cut(x, flat[:, 1:], flat[:, 0]).unsqueeze(1)
            every, batch = flat.repeat_interleave(x.shape[0], 0), torch.arange(x.shape[0])
            crops = cut(x, every, batch.repeat(flat.shape[0]))
            return crops.reshape(flat.shape[0], x.shape[0], *crops.shape[1:])

        def of_layer(x: Tensor, roi: Tensor) -> Tensor:
            if x.dim() != 5 or x.shape[0] != 1:
                raise ValueError(f"an image {list(x.shape)} where [1, B, C, H, W] is needed")
            return from_roi(x[0], roi)

        return op.call(of_layer if to_edge else from_roi, "x", "roi")

    def from_boxes(x: Tensor, boxes: Tensor, indices: Tensor | None) -> Tensor:
        return cut(x, boxes, torch.arange(len(boxes)) if indices is None else indices)

    return op.call(from_boxes, "x", "boxes", "box_indices?")


def _corners(boxes: Tensor, order: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a, b, c, d = boxes.unbind(1)
    if order.endswith("WIDTH_FIRST"):
        a, b, c, d = b, a, d, c
    if order.startswith("CENTER"):
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return a, b, c, d


def _placer(op: View, modes: tuple[str, ...]) -> Callable[[Tensor, int], Tensor]:
    """From coordinates to positions in pixels of an axis of some size."""
    mode, aligned = op.option("coordinates_mode", str).lower(), op.option("align_corners", bool)
    if mode not in modes:
        raise op.refuse(f"coordinates_mode '{mode}' is none of {', '.join(modes)}")
    if mode == "unnormalized":
        return lambda coordinates, size: coordinates
    first, last = _SCALES[mode]

    def place(coordinates: Tensor, size: int) -> Tensor:
        share = (coordinates - first) / (last - first)
        return share * (size - 1) if aligned else share * size - 0.5

    return place


def _base(count: int, aligned: bool) -> Tensor:
    """The coordinates -1 .. 1 of ``count`` pixels; a single one lies in the middle."""
    steps = torch.arange(count, dtype=torch.float64)
    if aligned:
        return 2 * steps / (count - 1) - 1 if count > 1 else torch.zeros(1, dtype=torch.float64)
    return (2 * steps + 1) / count - 1


def _sampler(
    op: View, *, modes: tuple[str, ...], padding: tuple[str, ...]
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A function of an image and of rows and columns ``[B, H2, W2]`` in pixels."""
    mode, edge = op.option("sampling_mode", str).lower(), op.option("padding_mode", str).lower()
    if mode not in modes or edge not in padding:
        raise op.refuse(f"sampling_mode '{mode}' with padding_mode '{edge}'")
    value = op.option("padding_value", float, 0.0)

    def sample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        if len(rows) != len(x):
            raise ValueError(f"coordinates of {len(rows)} images for {len(x)}")
        check_size((*x.shape[:2], *rows.shape[1:]))
        rows, columns = _bounded(rows, x.shape[2], edge), _bounded(columns, x.shape[3], edge)
        images = torch.arange(len(x))
        if mode == "nearest":
            return _pick(x, images, rows.round(), columns.round(), value)
        return _bilinear(x, images, rows, columns, value)

    return sample


def _bounded(at: Tensor, size: int, padding: str) -> Tensor:
    """Positions in the image as ``padding`` continues it; only constant leaves them outside."""
    at = at.nan_to_num(_FAR, posinf=_FAR, neginf=-_FAR).clamp(-_FAR, _FAR)
    if padding == "constant":
        return at
    if padding == "reflection":  # about the centres of the outermost pixels
        period = 2.0 * (size - 1)
        at = torch.remainder(at, period) if period else torch.zeros_like(at)
        at = torch.minimum(at, period - at)
    if padding == "symmetric":  # about their outer edges
        at = torch.remainder(at + 0.5, 2.0 * size)
        at = torch.minimum(at, 2.0 * size - at) - 0.5
    return at.clamp(0, size - 1)


def _bilinear(x: Tensor, images: Tensor, rows: Tensor, columns: Tensor, value: float) -> Tensor:
    """Interpolate between the four pixels around each position; outside they are ``value``."""
    top, left = rows.floor(), columns.floor()
    down, right = (rows - top).float().unsqueeze(1), (columns - left).float().unsqueeze(1)

    def across(row: Tensor) -> Tensor:
        return torch.lerp(
            _pick(x, images, row, left, value), _pick(x, images, row, left + 1, value), right
        )

    return torch.lerp(across(top), across(top + 1), down)


def _pick(x: Tensor, images: Tensor, rows: Tensor, columns: Tensor, value: float) -> Tensor:
    """Pixels ``[N, C, *]`` of ``x [B, C, H, W]`` at whole positions ``[N, *]`` of some images."""
    channels, height, width = x.shape[1:]
    inside = _within(rows, height) & _within(columns, width)
    row, column = rows.clamp(0, height - 1).long(), columns.clamp(0, width - 1).long()
    places = (images.reshape(-1, 1, 1) * height + row) * width + column
    flat = x.transpose(0, 1).reshape(channels, -1)
    picked = flat.index_select(1, places.reshape(-1)).reshape(channels, *places.shape)
    return torch.where(inside.unsqueeze(1), picked.transpose(0, 1), value)


def _within(at: Tensor, size: int) -> Tensor:
    return (at >= 0) & (at <= size - 1)
