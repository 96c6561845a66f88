"""Layers that sample height and width anew, cut boxes out, or move blocks of pixels to channels."""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes

RECIPES = Recipes()

_NEAREST = 0  # UpsampleLayerParams.InterpolationMode
_DEFAULT, _ALIGNED, _CENTRED = range(3)  # UpsampleLayerParams.LinearUpsampleMode

# By SamplingMode.Method: UPSAMPLE_MODE's spacing (in - in / out) / (out - 1) is in / out.
_SAMPLING = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS")
# By BoxCoordinatesMode.Coordinates.
_BOXES = (
    "CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST",
    "CENTER_SIZE_WIDTH_FIRST",
)  # fmt: skip
# By ReorganizeDataLayerParams.ReorganizationType.
_MOVES = ("space_to_depth", "depth_to_space", "pixel_shuffle")


@RECIPES.operation("upsample")
def upsample(layer: Layer) -> Value:
    """``input [*, H, W]`` enlarged by scalingFactor (or fractionalScalingFactor), height and width.

    Fields: mode NN (every value repeated) | BILINEAR, which samples the input at positions i *
    spacing, within its ends, by linearUpsampleMode: DEFAULT (spacing ``in / out``) |
    ALIGN_CORNERS_TRUE (``(in - 1) / (out - 1)``) | ALIGN_CORNERS_FALSE (``in / out``, and positions
    half a step on, less 0.5). Fractional factors need one of the last two.
    """
    params = layer.params
    fractional = tuple(params.fractionalScalingFactor)
    factors = fractional or tuple(int(f) for f in params.scalingFactor) or (1, 1)
    if len(factors) != 2 or min(factors) <= 0:
        raise layer.refuse(f"scaling factors {list(factors)} are not a height's and a width's")
    if fractional and (params.mode == _NEAREST or params.linearUpsampleMode == _DEFAULT):
        raise layer.refuse("fractionalScalingFactor needs BILINEAR and one of ALIGN_CORNERS")
    layer.rank = IMAGE
    height, width = (float(factor) for factor in factors)
    if params.mode == _NEAREST:
        return layer.add(
            "upsample_nearest_neighbor",
            x=layer.x,
            scale_factor_height=height,
            scale_factor_width=width,
        )
    return layer.add(
        "upsample_bilinear",
        x=layer.x,
        scale_factor_height=height,
        scale_factor_width=width,
        align_corners=params.linearUpsampleMode == _ALIGNED,
        half_pixel_centers=params.linearUpsampleMode == _CENTRED,
    )


@RECIPES.operation("resizeBilinear")
def resize_bilinear(layer: Layer) -> Value:
    """``input [*, H, W]`` sampled bilinearly to ``targetSize``.

    Positions are i * spacing, within the input's ends, by field mode:
    STRICT_ALIGN_ENDPOINTS_MODE (spacing ``(in - 1) / (out - 1)``) | ALIGN_ENDPOINTS_MODE (the same,
    but a single one lies in the middle) | UPSAMPLE_MODE (``in / out``) | ROI_ALIGN_MODE (``max(1,
    in - 1) / out``, half a step on).
    """
    height, width = _target_size(layer)
    layer.rank = IMAGE
    return layer.add(
        "resize_bilinear",
        x=layer.x,
        target_size_height=height,
        target_size_width=width,
        sampling_mode=_SAMPLING[layer.params.mode.samplingMethod],
    )


@RECIPES.operation("cropResize")
def crop_resize(layer: Layer) -> Value:
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
    params = layer.params
    height, width = _target_size(layer)
    if params.spatialScale == 0:
        raise layer.refuse("spatialScale is 0, which makes every box a point")
    x, boxes = layer.inputs_between(2, 2)
    return layer.add(
        "layer:crop_resize",
        x=x,
        roi=boxes,
        target_height=height,
        target_width=width,
        normalized_coordinates=params.normalizedCoordinates,
        spatial_scale=params.spatialScale,
        box_coordinate_mode=_BOXES[params.boxIndicesMode.boxMode],
        sampling_mode=_SAMPLING[params.mode.samplingMethod],
    )


@RECIPES.operation("reorganizeData")
def reorganize_data(layer: Layer) -> Value:
    """Blocks of blockSize x blockSize pixels of ``input [*, C, H, W]`` moved to channels or back.

    Field mode: SPACE_TO_DEPTH (channels of the result by row in the block, column, then channel of
    the input) | DEPTH_TO_SPACE (its inverse) | PIXEL_SHUFFLE (channels of the input by channel of
    the result, row, then column).
    """
    block = int(layer.params.blockSize)
    if block < 1:
        raise layer.refuse("blockSize is 0")
    operation = _MOVES[layer.params.mode]
    layer.rank = IMAGE
    if operation == "pixel_shuffle":
        return layer.add(operation, x=layer.x, trailing=3, upscale_factor=block)
    return layer.add(operation, x=layer.x, trailing=3, block_size=block)


def _target_size(layer: Layer) -> tuple[int, ...]:
    """The field targetSize, height and width (1 each)."""
    target = tuple(int(size) for size in layer.params.targetSize) or (1, 1)
    if len(target) != 2 or min(target) < 1:
        raise layer.refuse(f"targetSize {list(target)} is not a height and a width")
    return target
