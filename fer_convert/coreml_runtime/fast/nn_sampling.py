"""NeuralNetwork: boxes cut out of an image and resized."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import last_sizes
from fer_convert.coreml_runtime.fast.mil.sampling import box_points, sample_points
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_size

# By BoxCoordinatesMode.Coordinates and by SamplingMode.Method, as an ML Program calls them.
_ORDERS = (
    "CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST",
    "CENTER_SIZE_WIDTH_FIRST",
)  # fmt: skip
_MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS")


@LAYERS.lowering("cropResize")
def crop_resize(op: Source) -> str:
    p = op.params
    x, given = op.operands("input")
    one, batch, channels, height, width = last_sizes(op, x, 5)
    number, single, length, *rest = last_sizes(op, given, 5)
    targets = [int(size) for size in p.targetSize] or [1, 1]
    if one != 1 or [single, *rest] != [1, 1, 1] or length not in {4, 5} or not p.spatialScale:
        raise Unlowered("another shape, or boxes without a scale")
    if not number:
        raise Unlowered("no boxes")  # onnxruntime samples no empty grid
    rows, columns = targets
    result_shape = (number, 1 if length == 5 else batch, channels, rows, columns)
    check_size(result_shape)
    boxes = op.node("Reshape", given, op.ints(number, length))
    if length == 5:
        index, boxes = op.node("Split", boxes, op.ints(1, 4), count=2, axis=1)
        index = op.cast(op.node("Reshape", index, op.ints(-1)), np.int64)
        # ONNX counts a negative number from the end; here it is none.
        negative = op.node("Less", index, op.ints(0))
        index = op.node("Where", negative, op.ints(batch), index)
        images = op.node("Gather", op.node("Squeeze", x, op.ints(0)), index, axis=0)
    else:
        check_size((number, batch, channels, height, width))
        flat = op.node("Reshape", x, op.ints(1, batch * channels, height, width))
        images = op.node("Expand", flat, op.ints(number, 1, 1, 1))
    row, column = box_points(
        op,
        boxes,
        (height, width),
        (rows, columns),
        order=_ORDERS[p.boxIndicesMode.boxMode],
        mode=_MODES[p.mode.samplingMethod],
        scale=p.spatialScale,
        normalized=p.normalizedCoordinates,
    )
    crops = sample_points(op, images, row, column, (height, width))
    result: str = op.node("Reshape", crops, op.ints(*result_shape))
    return result
