"""cropResize against a loop over boxes and points, and the defaults of resizing layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import layer_program

RNG = np.random.default_rng(13)


IMAGE = RNG.normal(size=(1, 2, 3, 6, 8)).astype(np.float32)


def line(start: float, end: float, count: int, mode: int) -> list[float]:
    """The points of one side of a box, by the words of SamplingMode."""
    length = end - start
    if mode == 0:
        points = np.linspace(0, length, count)
    elif mode == 1:
        points = np.array([length / 2]) if count == 1 else np.linspace(0, length, count)
    elif mode == 2:
        points = np.minimum(length, np.linspace(0, length + 1 - (length + 1) / count, count))
    else:
        spacing = max(1.0, length) / count
        points = np.minimum(length, 0.5 * spacing + spacing * np.arange(count))
    return [float(start + point) for point in points]


def value(plane: Any, row: float, column: float) -> float:
    """Bilinear, one value; beyond the edge the edge."""
    height, width = plane.shape
    row, column = min(max(row, 0.0), height - 1.0), min(max(column, 0.0), width - 1.0)
    top, left = int(row), int(column)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    y, x = row - top, column - left
    return float(
        plane[top, left] * (1 - y) * (1 - x) + plane[top, right] * (1 - y) * x
        + plane[bottom, left] * y * (1 - x) + plane[bottom, right] * y * x
    )  # fmt: skip


def cropped(images: Any, box: Any, target: tuple[int, int], mode: int) -> Any:
    """``box`` (top, left, bottom, right, in pixels) of ``images [B, C, H, W]``."""
    rows, columns = line(box[0], box[2], target[0], mode), line(box[1], box[3], target[1], mode)
    result = np.zeros((*images.shape[:2], *target))
    for b, c, i, j in np.ndindex(*result.shape):
        result[b, c, i, j] = value(images[b, c], rows[i], columns[j])
    return result


CORNERS = np.array([[1, 2, 4, 6.5], [0, 0, 5, 7], [2.25, 3, 2.25, 3.5], [0.5, -1, 7, 4]])


def as_mode(corners: Any, mode: int) -> Any:
    top, left, bottom, right = corners.T
    if mode in {2, 3}:
        first = ((top + bottom) / 2, (left + right) / 2, bottom - top, right - left)
    else:
        first = (top, left, bottom, right)
    if mode in {1, 3}:
        first = (first[1], first[0], first[3], first[2])
    return np.stack(first, 1)


@pytest.mark.parametrize("sampling", range(4))
@pytest.mark.parametrize("boxes", range(4))
@pytest.mark.parametrize("target", [(1, 1), (3, 4), (7, 2)])
def test_crop_resize(sampling: int, boxes: int, target: tuple[int, int]) -> None:
    fill = filling(
        "cropResize", targetSize=list(target), spatialScale=1, mode__samplingMethod=sampling,
        boxIndicesMode__boxMode=boxes,
    )  # fmt: skip
    given = as_mode(CORNERS, boxes).reshape(-1, 1, 4, 1, 1)
    result = run_layer(fill, IMAGE, given)
    assert result.shape == (4, 2, 3, *target)
    for n, box in enumerate(CORNERS):
        np.testing.assert_allclose(result[n], cropped(IMAGE[0], box, target, sampling), atol=1e-5)


@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_scaled_boxes_of_chosen_images(normal: bool, scale: float) -> None:
    fill = filling(
        "cropResize", targetSize=[2, 3], normalizedCoordinates=normal, spatialScale=scale,
        mode__samplingMethod=1,
    )  # fmt: skip
    sizes = np.array([5, 7, 5, 7]) if normal else 1
    given = np.column_stack([[1, 0, 0, 1], CORNERS / sizes])
    result = run_layer(fill, IMAGE, given.reshape(-1, 1, 5, 1, 1))
    assert result.shape == (4, 1, 3, 2, 3)
    for n, box in enumerate(CORNERS):
        wanted = cropped(IMAGE[0], box * scale, (2, 3), 1)[[1, 0, 0, 1][n]]
        np.testing.assert_allclose(result[n, 0], wanted, atol=1e-5)


def test_one_point_and_no_boxes() -> None:
    """targetSize is a single point where it is not given."""
    fill = filling("cropResize", spatialScale=1)
    result = run_layer(fill, IMAGE, CORNERS[:1].reshape(1, 1, 4, 1, 1))
    np.testing.assert_allclose(result[0, ..., 0, 0], IMAGE[0, :, :, 1, 2], rtol=1e-6)
    # onnxruntime samples no empty grid.
    none = [run_layer(fill, IMAGE, np.zeros((0, 1, n, 1, 1)), fast=False) for n in (5, 4)]
    assert [boxes.shape for boxes in none] == [(0, 1, 3, 1, 1), (0, 2, 3, 1, 1)]


@pytest.mark.parametrize("sampling", range(4))
def test_a_box_that_runs_backwards(sampling: int) -> None:
    """No point leaves the box, as in an ML Program's crop_resize."""
    fill = filling("cropResize", targetSize=[3, 2], spatialScale=1, mode__samplingMethod=sampling)
    low, high = (3.0, 1.5), (5.0, 4.25)
    result = run_layer(fill, IMAGE, np.array([*high, *low]).reshape(1, 1, 4, 1, 1))
    inside = IMAGE[0, :, :, 3:6, 1:6]
    assert (result[0].min((2, 3)) >= inside.min((2, 3))).all()
    assert (result[0].max((2, 3)) <= inside.max((2, 3))).all()


@pytest.mark.parametrize("index", [-1, 2])
def test_no_image_of_that_number(index: int) -> None:
    given = np.array([index, 0, 0, 1, 1]).reshape(1, 1, 5, 1, 1)
    program, feeds = layer_program(filling("cropResize", spatialScale=1), IMAGE, given)
    for engine in ("reference", "fast"):
        with pytest.raises(ArtefactError, match=f"a box of image {index} of 2|onnxruntime failed"):
            program.predict(feeds, engine=engine)


@pytest.mark.parametrize(
    ("image", "boxes", "fields", "message"),
    [
        (IMAGE[0], np.zeros((1, 1, 4, 1, 1)), {}, r"where \[1, B, C, H, W\] is needed"),
        (IMAGE, np.zeros((1, 4)), {}, r"boxes \[1, 4\], not"),
        (IMAGE, np.full((1, 1, 5, 1, 1), 2.0), {}, "a box of image 2 of 2"),
        (IMAGE, np.zeros((1, 1, 4, 1, 1)), {"spatialScale": 0}, "spatialScale is 0"),
        (IMAGE, np.zeros((1, 1, 4, 1, 1)), {"targetSize": [1 << 20, 1 << 20]}, "too large"),
        (IMAGE, np.zeros((1, 1, 4, 1, 1)), {"targetSize": [3]}, r"targetSize \[3\]"),
    ],
)
def test_what_does_not_fit_is_refused(image: Any, boxes: Any, fields: Any, message: str) -> None:
    fill = filling("cropResize", **({"spatialScale": 1} | fields))
    with pytest.raises(ArtefactError, match=message):
        run_layer(fill, image, boxes)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (filling("upsample", scalingFactor=[2]), "scaling factors"),
        (filling("upsample", scalingFactor=[1 << 15, 1 << 15]), "too large"),
        (filling("upsample", scalingFactor=[1 << 15, 1 << 15], mode=1), "too large"),
        (filling("reorganizeData"), "blockSize is 0"),
        (filling("padding"), "padding type is not set"),
        (filling("resizeBilinear", targetSize=[0, 1]), "targetSize"),
    ],
)
def test_resizing_that_cannot_be(fill: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_layer(fill, IMAGE[0])


def test_sizes_that_are_not_given_are_one() -> None:
    np.testing.assert_array_equal(run_layer(filling("upsample"), IMAGE[0]), IMAGE[0])
    single = run_layer(filling("resizeBilinear"), IMAGE[0])
    np.testing.assert_array_equal(single, IMAGE[0, ..., :1, :1])


def test_the_specifications_own_examples() -> None:
    """Of the layers upsample (coremltools' test on a Mac), reorganizeData and padding."""
    row = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3)
    wide = run_layer(filling("upsample", scalingFactor=[2, 3], mode=1), row)
    wanted = np.array([3, 4, 5, 6, 7, 8, 9, 9, 9]) / 3
    np.testing.assert_allclose(wide, np.broadcast_to(wanted, (1, 2, 9)), rtol=1e-6)
    deep = np.arange(1, 17.0).reshape(8, 1, 2)
    space = run_layer(filling("reorganizeData", mode=1, blockSize=2), deep)
    np.testing.assert_array_equal(
        space, [[[1, 5, 2, 6], [9, 13, 10, 14]], [[3, 7, 4, 8], [11, 15, 12, 16]]]
    )
    np.testing.assert_array_equal(
        run_layer(filling("reorganizeData", mode=0, blockSize=2), space), deep
    )
    np.testing.assert_array_equal(
        run_layer(filling("reorganizeData", mode=2, blockSize=2), deep),
        [[[1, 3, 2, 4], [5, 7, 6, 8]], [[9, 11, 10, 12], [13, 15, 14, 16]]],
    )
