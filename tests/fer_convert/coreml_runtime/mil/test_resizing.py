"""The resize family against loops written from the specification, and TensorFlow's rules."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.mil.grid_points import MODES, grid_point
from tests.fer_convert.coreml_runtime.one_operation import Array, run_mil

RNG = np.random.default_rng(3)


X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


def resized(x: Array, axis: int, count: int, mode: str) -> Array:
    """Linear interpolation along one axis, in fp64."""
    slices = []
    for i in range(count):
        at = grid_point(mode, x.shape[axis], count, i)
        low = math.floor(at)
        high = min(low + 1, x.shape[axis] - 1)
        below, above = x.take(low, axis), x.take(high, axis)
        slices.append(below + (at - low) * (above - below))
    return np.stack(slices, axis)


def bilinear(x: Array, height: int, width: int, mode: str) -> Array:
    return resized(resized(x.astype(np.float64), -2, height, mode), -1, width, mode)


@pytest.mark.parametrize(
    ("height", "width"), [(4, 5), (9, 11), (3, 2), (1, 1), (1, 7), (8, 1), (8, 10)]
)
@pytest.mark.parametrize("mode", MODES)
def test_resize_bilinear(mode: str, height: int, width: int) -> None:
    inputs = {"x": X, "target_size_height": height, "target_size_width": width}
    check_mil(
        "resize_bilinear", {**inputs, "sampling_mode": mode}, bilinear(X, height, width, mode)
    )


def test_no_image_stays_none() -> None:
    inputs = {"x": X[:0], "target_size_height": 3, "target_size_width": 4}
    wanted = np.zeros((0, *X.shape[1:-2], 3, 4), np.float32)
    check_mil("resize_bilinear", inputs, wanted, fast=False)


@pytest.mark.parametrize("mode", MODES)
def test_a_side_of_one_pixel(mode: str) -> None:
    x = X[0, :, :1]
    inputs = {"x": x, "target_size_height": 3, "target_size_width": 4, "sampling_mode": mode}
    check_mil("resize_bilinear", inputs, bilinear(x, 3, 4, mode))


def test_the_specifications_own_examples() -> None:
    x = np.array([0, 1], np.float32).reshape(1, 1, 2)
    for mode, wanted in [
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
    ]:
        inputs = {"x": x, "target_size_width": 5, "sampling_mode": mode}
        check_mil("resize_bilinear", inputs, np.array(wanted).reshape(1, 1, 5))


@pytest.mark.parametrize("factors", [(2, 3), (2.5, 1.6), (0.5, 0.75), (1.0, 0.7)])
@pytest.mark.parametrize(
    ("aligned", "centred", "mode"),
    [
        (None, None, "STRICT_ALIGN_CORNERS"),
        (True, False, "STRICT_ALIGN_CORNERS"),
        (False, None, "UNALIGN_CORNERS"),
        (False, True, "UNALIGN_CORNERS"),
        (False, False, "DEFAULT"),
    ],
)
def test_upsample_bilinear(
    aligned: bool | None, centred: bool | None, mode: str, factors: tuple[float, float]
) -> None:
    options: dict[str, Any] = {"align_corners": aligned, "half_pixel_centers": centred}
    inputs = {"x": X, "scale_factor_height": factors[0], "scale_factor_width": factors[1]}
    inputs |= {name: value for name, value in options.items() if value is not None}
    height, width = (math.floor(n * f) for n, f in zip((4, 5), factors, strict=True))
    check_mil("upsample_bilinear", inputs, bilinear(X, height, width, mode))


def test_a_scale_is_multiplied_in_fp32() -> None:
    """0.7 in fp32 times 10 is 7 there, and 6.99… in fp64; coremltools declares 7."""
    x = RNG.standard_normal((1, 1, 10, 10)).astype(np.float32)
    inputs = {"x": x, "scale_factor_height": 0.7, "scale_factor_width": 0.3}
    assert run_mil("upsample_bilinear", inputs).shape == (1, 1, 7, 3)
    assert run_mil("upsample_nearest_neighbor", inputs).shape == (1, 1, 7, 3)


@pytest.mark.parametrize("target", [(4, 5), (10, 12), (25, 30), (2, 3), (1, 1), (7, 20)])
def test_nearest(target: tuple[int, int]) -> None:
    """tf.image's rules without and with half_pixel_centers, in whole numbers."""
    rows, columns = (
        [i * size // count for i in range(count)]
        for size, count in zip((4, 5), target, strict=True)
    )
    factors = {
        f"scale_factor_{side}": (count if count % size == 0 else count + 1e-4) / size
        for side, size, count in zip(("height", "width"), (4, 5), target, strict=True)
    }
    check_mil("upsample_nearest_neighbor", {"x": X, **factors}, X[:, :, rows][..., columns])
    rows, columns = (
        [math.floor((2 * i + 1) * size / (2 * count)) for i in range(count)]
        for size, count in zip((4, 5), target, strict=True)
    )
    sizes = {"target_size_height": target[0], "target_size_width": target[1]}
    check_mil("resize_nearest_neighbor", {"x": X, **sizes}, X[:, :, rows][..., columns])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "dims"), [((6, 2), 2), ((0, 7), 2), ((9, 9, 3, 0), 1), ((5, 6, 7), 3), ((4,), 0)]
)
def test_resize(mode: str, shape: tuple[int, ...], dims: int) -> None:
    wanted, sizes = X.astype(np.float64), shape[len(shape) - dims :]
    for axis, size in zip(range(4 - dims, 4), sizes, strict=True):
        wanted = resized(wanted, axis, size or X.shape[axis], mode)
    inputs: dict[str, Any] = {"x": X, "resized_dims": dims, "sampling_mode": mode}
    check_mil("resize", {**inputs, "shape": shape}, wanted)
    computed = run_mil("resize", {**inputs, "shape": np.array(shape, np.int32)})
    np.testing.assert_allclose(computed, wanted, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 20])
@pytest.mark.parametrize("mode", MODES)
def test_resize_to_the_nearest(mode: str, count: int) -> None:
    """The nearest to each sample, halves up; DEFAULT as resize_nearest_neighbor."""
    sampled = "UNALIGN_CORNERS" if mode == "DEFAULT" else mode
    places = [
        min(3, math.floor(round(grid_point(sampled, 4, count, i), 9) + 0.5)) for i in range(count)
    ]
    if sampled == "UNALIGN_CORNERS":
        places = [(2 * i + 1) * 4 // (2 * count) for i in range(count)]
    whole = np.arange(24, dtype=np.int32).reshape(2, 4, 3)
    inputs = {"shape": (count, 0), "resized_dims": 2, "sampling_mode": mode}
    inputs["interpolation_mode"] = "NEAREST_NEIGHBOR"
    check_mil("resize", {"x": whole, **inputs}, whole[:, places], outputs=("int32",))


def test_apples_own_cases_of_resize() -> None:
    """From coremltools' tests, which Core ML passes."""
    x = np.array([-6.174, 9.371], np.float32).reshape(1, 1, 1, 2, 1)
    inputs = {"x": x, "shape": (1, 1, 3, 2), "resized_dims": 2}
    wanted = np.array([[-6.174] * 2, [9.371] * 2, [9.371] * 2]).reshape(1, 1, 1, 3, 2)
    check_mil("resize", {**inputs, "interpolation_mode": "NEAREST_NEIGHBOR"}, wanted)
    x = np.array([1.5, -2.5, 3.5], np.float32).reshape(1, 1, 1, 3)
    factors = {"scale_factor_height": 3.17, "scale_factor_width": 0.67}
    check_mil("upsample_nearest_neighbor", {"x": x, **factors}, np.array([[[[1.5, -2.5]] * 3]]))


@pytest.mark.parametrize(("top", "bottom"), [(0, 0), (1, 0), (2, 1)])
@pytest.mark.parametrize(("left", "right"), [(0, 1), (4, 0)])
def test_crop(top: int, bottom: int, left: int, right: int) -> None:
    inputs = {"x": X, "crop_height": (top, bottom), "crop_width": (left, right)}
    check_mil("crop", inputs, X[:, :, top : 4 - bottom, left : 5 - right])


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("resize_bilinear", {"sampling_mode": "CORNERS"}, ArtefactError, "CORNERS"),
    ("resize_bilinear", {"target_size_height": 0}, ArtefactError, "resized to"),
    ("resize_nearest_neighbor", {"target_size_height": 1 << 20, "target_size_width": 1 << 20},
     ArtefactError, "too large"),
    ("upsample_nearest_neighbor", {"scale_factor_width": 0.1}, ArtefactError, "resized to"),
    ("upsample_bilinear", {"align_corners": True, "half_pixel_centers": True}, ArtefactError,
     "both true"),
    ("resize", {"shape": (2,), "resized_dims": 2}, ArtefactError, "2 axes"),
    ("resize", {"shape": (2, 2), "resized_dims": 2, "interpolation_mode": "CUBIC"}, ArtefactError,
     "CUBIC"),
    ("resize", {"x": np.ones((2, 2), np.int32), "shape": (3, 3), "resized_dims": 2},
     UnsupportedOperation, "interpolated integers"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "options", "error", "message"), REFUSED)
def test_refused(
    operation: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_mil(operation, {"x": X, **options})


def test_empty_batches() -> None:
    x = np.zeros((0, 3, 4, 5), np.float32)
    for mode, (height, width) in itertools.product(MODES, [(4, 5), (2, 9)]):
        sizes = {"target_size_height": height, "target_size_width": width, "sampling_mode": mode}
        assert run_mil("resize_bilinear", {"x": x, **sizes}).shape == (0, 3, height, width)
