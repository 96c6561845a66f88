"""Boxes cut out of an image and resized."""

from __future__ import annotations

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.nn_layers.resizing import target_size
from fer_convert.coreml_runtime.nn_layers.sampling import GRIDS, sample
from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.operations import Call, View

_WIDTH_FIRST, _CENTRED = {1, 3}, {2, 3}  # BoxCoordinatesMode.Coordinates


@LAYERS.operation("cropResize")
def crop_resize(op: View) -> Call:
    """Boxes of ``[1, B, C, H, W]``, each sampled bilinearly to ``targetSize``.

    The second input holds boxes: ``[N, 1, 4, 1, 1]``, each cut out of every image (the result is
    ``[N, B, C, *targetSize]``), or ``[N, 1, 5, 1, 1]``, which begin with the number of their image
    (the result is ``[N, 1, C, *targetSize]``).

    Fields: boxIndicesMode CORNERS_HEIGHT_FIRST (top, left, bottom, right) | CORNERS_WIDTH_FIRST
    (left, top, right, bottom) | CENTER_SIZE_HEIGHT_FIRST (centre's row and column, height, width) |
    CENTER_SIZE_WIDTH_FIRST; normalizedCoordinates (shares of H - 1 and W - 1, not pixels);
    spatialScale, a factor of all coordinates; mode, the grid of points from start to end of a box,
    as in ``resizeBilinear``. Points outside the image are taken for its nearest edge.
    """
    params = op.params
    height, width = target_size(op)
    grid, boxes_as = GRIDS[params.mode.samplingMethod], params.boxIndicesMode.boxMode
    scale = params.spatialScale
    if scale == 0:
        raise op.refuse("spatialScale is 0, which makes every box a point")

    def kernel(x: Tensor, given: Tensor) -> Tensor:
        per_image = given.dim() == 5 and given.shape[1:] == (1, 4, 1, 1)
        if x.dim() != 5 or x.shape[0] != 1:
            raise ValueError(f"an image {list(x.shape)} where [1, B, C, H, W] is needed")
        if not per_image and given.shape[1:] != (1, 5, 1, 1):
            raise ValueError(f"boxes {list(given.shape)}, not [N, 1, 4, 1, 1] or [N, 1, 5, 1, 1]")
        images, values = x[0], given.flatten(1).double()
        check_size((len(values), *images.shape[:2], height, width))
        top, left, bottom, right = _corners(values[:, -4:] * scale, boxes_as)
        if params.normalizedCoordinates:
            top, bottom = (edge * (x.shape[-2] - 1) for edge in (top, bottom))
            left, right = (edge * (x.shape[-1] - 1) for edge in (left, right))
        rows = top.unsqueeze(-1) + grid(bottom - top, height)
        columns = left.unsqueeze(-1) + grid(right - left, width)
        parts = [
            sample(images if per_image else images[_number(values[i, 0], images)], *places)
            for i, places in enumerate(zip(rows, columns, strict=True))
        ]
        if parts:
            return torch.stack(parts)
        return x.new_zeros(0, len(images) if per_image else 1, x.shape[2], height, width)

    return op.call(kernel, "input")


def _corners(boxes: Tensor, mode: int) -> tuple[Tensor, ...]:
    """Top, left, bottom and right of ``boxes [N, 4]``."""
    first, second, third, fourth = boxes.unbind(-1)
    if mode in _CENTRED:
        first, third = first - third / 2, first + third / 2
        second, fourth = second - fourth / 2, second + fourth / 2
    if mode in _WIDTH_FIRST:
        return second, first, fourth, third
    return first, second, third, fourth


def _number(value: Tensor, images: Tensor) -> slice:
    index = int(value)
    if not 0 <= index < len(images):
        raise ValueError(f"a box of image {index} of {len(images)}")
    return slice(index, index + 1)
