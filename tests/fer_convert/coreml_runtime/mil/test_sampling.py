"""resample, affine and crop_resize: against PyTorch's grid_sample, and pixel by pixel."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.mil.grid_points import MODES, grid_point
from tests.fer_convert.coreml_runtime.one_operation import Array, constant, run_mil

RNG = np.random.default_rng(17)


X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


# Inside, on the edge, and far outside; x, y from -1 to 1.
GRID = RNG.uniform(-2.2, 2.2, (2, 6, 7, 2)).astype(np.float32)


GRID[0, 0, :4] = [[-1, -1], [1, 1], [-1, 1], [0, 0]]


PADDINGS = {"constant": "zeros", "border": "border", "reflection": "reflection"}


def options(**changes: Any) -> dict[str, Any]:
    return {
        "sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": 0.0,
        "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True,
    } | changes  # fmt: skip


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_resample_is_grid_sample(mode: str, padding: str, aligned: bool) -> None:
    wanted = F.grid_sample(
        torch.from_numpy(X), torch.from_numpy(GRID), mode, PADDINGS[padding], align_corners=aligned
    )
    # PyTorch reflects about pixels' edges unless corners are aligned; Core ML calls that symmetric.
    name = "symmetric" if padding == "reflection" and not aligned else padding
    inputs = options(sampling_mode=mode, padding_mode=name, align_corners=aligned)
    fast = (mode, padding) != ("nearest", "reflection")
    inputs |= {"x": X, "coordinates": GRID}
    check_mil("resample", inputs, wanted.numpy(), atol=1e-5, fast=fast)


def continued(position: int, size: int, padding: str) -> int | None:
    """Which pixel a padded image repeats at ``position``, as the specification draws it."""
    if padding == "border":
        return min(max(position, 0), size - 1)
    while not 0 <= position < size:
        if padding == "constant":
            return None
        edge = 0 if padding == "reflection" else 1
        position = -position - edge if position < 0 else 2 * size - 2 + edge - position
    return position


def sampled(image: Array, x: float, y: float, padding: str, value: float) -> Array:
    """Bilinear interpolation in the padded image; coordinates in pixels."""
    left, top = math.floor(x), math.floor(y)
    total = np.zeros(len(image))
    for row, column in itertools.product((top, top + 1), (left, left + 1)):
        share = (1 - abs(x - column)) * (1 - abs(y - row))
        at = [continued(p, n, padding) for p, n in zip((row, column), image.shape[1:], strict=True)]
        total += share * (value if None in at else image[:, at[0], at[1]].astype(np.float64))
    return total


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("padding", [*PADDINGS, "symmetric"])
@pytest.mark.parametrize(
    "scale", ["unnormalized", "normalized_zero_to_one", "normalized_minus_one_to_one"]
)
def test_every_scale_and_padding(scale: str, padding: str, aligned: bool) -> None:
    coordinates = GRID if scale.endswith("minus_one_to_one") else (GRID + 1) / 2
    if scale == "unnormalized":
        coordinates = coordinates * np.array([4, 3], np.float32)
    pixels = coordinates.astype(np.float64)
    if scale != "unnormalized":
        share = (pixels + 1) / 2 if scale.endswith("minus_one_to_one") else pixels
        sizes = np.array([5, 4])
        pixels = share * (sizes - 1) if aligned else share * sizes - 0.5
    wanted = np.zeros((2, 3, 6, 7))
    for b, h, w in itertools.product(range(2), range(6), range(7)):
        x, y = pixels[b, h, w]
        wanted[b, :, h, w] = sampled(X[b], x, y, padding, 1.5)
    inputs = options(padding_mode=padding, coordinates_mode=scale, align_corners=aligned)
    inputs |= {"x": X, "coordinates": coordinates, "padding_value": 1.5}
    check_mil("resample", inputs, wanted, atol=2e-5)


def test_apples_own_cases_of_resample() -> None:
    """From coremltools' tests, which Core ML passes; whole coordinates may be integers."""
    x = np.array([11, 22, 33, 44], np.float32).reshape(1, 1, 2, 2)
    at = np.array([-1, -2, -3.7, -1, 0, 0, 3.5, 1.2], np.float32).reshape(1, 2, 2, 2)
    whole = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int32).reshape(1, 2, 2, 2)
    unit, pixels = {"coordinates_mode": "normalized_zero_to_one"}, "unnormalized"
    cases: list[tuple[dict[str, Any], list[float], list[float]]] = [
        ({"padding_value": 6.17}, [8.585, 6.17, 27.5, 6.17], [27.5, 44, 27.5, 44]),
        ({"sampling_mode": "nearest", "padding_mode": "border", "coordinates_mode": pixels,
          "align_corners": False}, [11, 11, 11, 44], [11, 44, 11, 44]),
        ({"padding_mode": "reflection", **unit}, [22, 36.3, 11, 34.1], [11, 44, 11, 44]),
        ({"sampling_mode": "nearest", "padding_mode": "symmetric", "align_corners": False, **unit},
         [22, 33, 11, 33], [11, 44, 11, 44]),
    ]  # fmt: skip
    for changes, wanted, of_integers in cases:
        for coordinates, values in ((at, wanted), (whole, of_integers)):
            inputs = {"x": x, "coordinates": coordinates, **options(**changes)}
            fast = (inputs["sampling_mode"], inputs["padding_mode"]) != ("nearest", "symmetric")
            wanted_image = np.array(values).reshape(1, 1, 2, 2)
            check_mil("resample", inputs, wanted_image, rtol=1e-5, fast=fast)


def test_coordinates_that_are_no_numbers() -> None:
    at = np.array([np.nan, 0, np.inf, 0, -np.inf, 3e38], np.float32).reshape(1, 3, 1, 2)
    inputs = options(padding_value=7.0, coordinates_mode="unnormalized")
    result = run_mil("resample", {"x": X[:1], "coordinates": at, **inputs})
    assert (result == 7).all()
    for padding in ("border", "reflection", "symmetric"):
        inputs = options(padding_mode=padding, coordinates_mode="unnormalized")
        assert np.isfinite(run_mil("resample", {"x": X[:1], "coordinates": at, **inputs})).all()


def test_reflection_in_a_single_pixel() -> None:
    x, at = X[:1, :, :1, :1].copy(), GRID[:1] * 5
    inputs = options(padding_mode="reflection", coordinates_mode="unnormalized")
    result = run_mil("resample", {"x": x, "coordinates": at, **inputs})
    np.testing.assert_array_equal(result, np.broadcast_to(x, (1, 3, 6, 7)))


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("height", "width"), [(4, 5), (6, 3), (1, 2)])
def test_affine_is_affine_grid(height: int, width: int, shared: bool, aligned: bool) -> None:
    matrices = RNG.uniform(-1, 1, (1 if shared else 2, 6)).astype(np.float32)
    theta = torch.from_numpy(matrices).reshape(-1, 2, 3).expand(2, 2, 3)
    grid = F.affine_grid(theta, [2, 3, height, width], align_corners=aligned)
    wanted = F.grid_sample(torch.from_numpy(X), grid, align_corners=aligned)
    inputs = options(align_corners=aligned, output_height=height, output_width=width)
    given = {"x": X, "transform_matrix": matrices}
    check_mil("affine", {**given, **inputs}, wanted.numpy(), atol=1e-5)


def test_apples_own_case_of_affine() -> None:
    x = np.array([11, 22, 33, 44], np.float32).reshape(1, 1, 2, 2)
    matrix = constant(np.array([[-1, -2, -3.7, -1, 3.5, 1.2]], np.float32))
    inputs = {"x": x, "transform_matrix": matrix, **options(output_height=2, output_width=5)}
    wanted = np.array([10.7525, 5.94, 2.5025, 0.44, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 2, 5)
    check_mil("affine", inputs, wanted, rtol=1e-5, atol=1e-5)


BOXES = np.array(
    [[0, 0, 3, 4], [0.5, 1.25, 2.5, 1.25], [2, 3, 1, 0.5], [-1, 0.5, 2, 6]], np.float32
)


INDICES = np.array([0, 1, 1, 0], np.int32)


def cropped(image: Array, box: Array, height: int, width: int, mode: str, value: float) -> Array:
    """One box (top, left, bottom, right) of an image, sample by sample."""
    result = np.zeros((len(image), height, width))
    for h, w in itertools.product(range(height), range(width)):
        place = []
        for axis, (i, count) in enumerate(((h, height), (w, width))):
            first, last = float(box[axis]), float(box[axis + 2])
            if last < first and mode in {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"}:
                at = first - grid_point(mode, first - last + 1, count, i)  # type: ignore[arg-type]
            else:
                at = first + grid_point(mode, last - first + 1, count, i)  # type: ignore[arg-type]
            place.append(at)
        y, x = place
        outside = not (0 <= y <= image.shape[1] - 1 and 0 <= x <= image.shape[2] - 1)
        result[:, h, w] = value if outside else sampled(image, x, y, "border", 0)
    return result


@pytest.mark.parametrize(("height", "width"), [(3, 4), (1, 1), (2, 1), (6, 9)])
@pytest.mark.parametrize("mode", MODES)
def test_crop_resize(mode: str, height: int, width: int) -> None:
    # Boxes that run backwards have a meaning only where the corners are aligned.
    chosen = [0, 1, 2, 3] if "ALIGN_CORNERS" in mode and mode != "UNALIGN_CORNERS" else [0, 1, 3]
    boxes, indices = BOXES[chosen], INDICES[chosen]
    wanted = np.stack(
        [cropped(X[i], box, height, width, mode, -2) for i, box in zip(indices, boxes, strict=True)]
    )
    inputs = {
        "x": X, "boxes": boxes, "box_indices": indices, "target_height": height,
        "target_width": width, "sampling_mode": mode, "pad_value": -2.0,
    }  # fmt: skip
    check_mil("crop_resize", inputs, wanted, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("order", [
    "CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST",
    "CENTER_SIZE_WIDTH_FIRST",
])  # fmt: skip
def test_box_coordinates(order: str, normalized: bool, scale: float) -> None:
    corners = BOXES[[0, 1]]
    units = np.array([3, 4, 3, 4]) if normalized else np.ones(4)
    boxes = corners / units / scale
    if order.startswith("CENTER"):
        start, end = boxes[:, :2], boxes[:, 2:]
        boxes = np.concatenate([(start + end) / 2, end - start], 1)
    if order.endswith("WIDTH_FIRST"):
        boxes = boxes[:, [1, 0, 3, 2]]
    inputs: dict[str, Any] = {
        "x": X, "boxes": boxes.astype(np.float32), "target_height": 2, "target_width": 3,
        "normalized_coordinates": normalized, "spatial_scale": scale, "box_coordinate_mode": order,
        "sampling_mode": "ALIGN_CORNERS",
    }  # fmt: skip
    wanted = np.stack(
        [cropped(X[i], box, 2, 3, "ALIGN_CORNERS", 0) for i, box in enumerate(corners)]
    )
    check_mil("crop_resize", inputs, wanted, atol=1e-5)


@pytest.mark.parametrize("width", [4, 5])
def test_regions_of_ios_15(width: int) -> None:
    """Four numbers: each box of each image. Five: the image's index first."""
    roi = BOXES if width == 4 else np.concatenate([INDICES[:, None], BOXES], 1)
    inputs = {"x": X, "roi": roi.reshape(4, 1, width, 1, 1).astype(np.float32)}
    inputs |= {"target_height": 2, "target_width": 3, "sampling_mode": "STRICT_ALIGN_CORNERS"}
    images = [[index] if width == 5 else [0, 1] for index in INDICES]
    wanted = [
        [cropped(X[i], box, 2, 3, "STRICT_ALIGN_CORNERS", 0) for i in chosen]
        for box, chosen in zip(BOXES, images, strict=True)
    ]
    check_mil("crop_resize", inputs, np.array(wanted), atol=1e-5)


def test_apples_own_cases_of_crop_resize() -> None:
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    boxes = [[0.1, 0.3, 1.3, 1.0], [0.5, 1.8, 1.0, 0.3], [0.0, 0.4, 0.6, 0.7]]
    inputs: dict[str, Any] = {
        "x": x, "boxes": np.array(boxes, np.float32), "box_indices": np.zeros(3, np.int32),
        "target_height": 2, "target_width": 2, "normalized_coordinates": True, "pad_value": 10.0,
        "sampling_mode": "ALIGN_CORNERS",
    }  # fmt: skip
    wanted = [3.1, 5.2, 10, 10, 10, 7.899, 10, 13.9, 2.2, 3.1, 9.4, 10.3]
    check_mil("crop_resize", inputs, np.array(wanted).reshape(3, 1, 2, 2), rtol=1e-3)
    backwards = np.array([2, 2, 1, 1], np.float32).reshape(1, 1, 4, 1, 1)
    inputs = {"x": x, "roi": backwards, "target_height": 2, "target_width": 2}
    inputs["sampling_mode"] = "ALIGN_CORNERS"
    check_mil("crop_resize", inputs, np.array([11, 10, 7, 6]).reshape(1, 1, 1, 2, 2))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("resample", {"coordinates": GRID[:1], **options()}, "1 images for 2"),
    ("resample", {"coordinates": GRID, **options(sampling_mode="bicubic")}, "bicubic"),
    ("resample", {"coordinates": GRID, **options(coordinates_mode="pixels")}, "pixels"),
    ("affine", {"transform_matrix": GRID[:, 0, :3, 0], **options(output_height=1, output_width=1)},
     "matrices for 2"),
    ("affine", {"transform_matrix": GRID[0, :1, :6, 0], **options(output_height=0, output_width=1)},
     "0 x 1 pixels"),
    ("affine", {"transform_matrix": GRID[0, :1, :6, 0],
                **options(output_height=1 << 20, output_width=1 << 20)}, "too large"),
    ("crop_resize", {"boxes": BOXES, "box_indices": INDICES + 1}, "image 2 of 2"),
    ("crop_resize", {"boxes": BOXES}, "image 3 of 2"),
    ("crop_resize", {"boxes": BOXES, "box_coordinate_mode": "CORNERS"}, "CORNERS"),
    ("crop_resize", {"boxes": BOXES, "target_height": 0}, "0 x 1 pixels"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "inputs", "message"), REFUSED)
def test_refused(operation: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil(operation, {"x": X, **inputs})
