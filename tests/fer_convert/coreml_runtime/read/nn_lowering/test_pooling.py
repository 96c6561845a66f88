"""NeuralNetwork layers that pool, against a loop over windows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import (
    filling,
    last_pixel,
    nothing,
    same,
    sides,
    triple,
    valid,
)

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 4, 7, 6)).astype(np.float32)


FIVE = RNG.standard_normal((2, 3, 4, 7, 6)).astype(np.float32)  # sequence, batch, image


VOLUME = RNG.standard_normal((2, 3, 5, 6, 4)).astype(np.float32)


RANKS = [X[0], X, FIVE]


MAX, AVERAGE, L2 = range(3)


Pads = Sequence[tuple[int, int]]


def pooled(
    x: Array, kind: int, kernel: Sequence[int], strides: Sequence[int], pads: Pads, **rules: bool
) -> Array:
    """One window of the last axes after the other.

    Rules: over_the_edge, where they do not reach the padded edge, one more does, if it begins in
    the image; exclude, padding does not count for an average; zeros, it does for a maximum.
    """
    rank, counts = len(kernel), []
    sizes = x.shape[-rank:]
    for size, k, s, (before, after) in zip(sizes, kernel, strides, pads, strict=True):
        end, starts = size + after, [-before]
        while starts[-1] + s + k <= end or (rules.get("over_the_edge") and starts[-1] + k < end):
            starts.append(starts[-1] + s)
        counts.append(sum(start < size for start in starts))
    result = np.zeros((*x.shape[:-rank], *counts))
    for place in np.ndindex(*counts):
        starts = [p * s - before for p, s, (before, _) in zip(place, strides, pads, strict=True)]
        inside = tuple(slice(max(0, a), a + k) for a, k in zip(starts, kernel, strict=True))
        padded = [
            min(a + k, size + after) - a
            for a, k, size, (_, after) in zip(starts, kernel, sizes, pads, strict=True)
        ]
        window = x[(..., *inside)].astype(np.float64).reshape(*x.shape[:-rank], -1)
        count = window.shape[-1] if rules.get("exclude") else prod(kernel)
        result[(..., *place)] = {
            MAX: window.max(-1),
            AVERAGE: window.sum(-1) / count,
            L2: np.sqrt((window**2).sum(-1)),
        }[kind]
        if rules.get("zeros") and window.shape[-1] < prod(padded):
            result[(..., *place)] = np.maximum(result[(..., *place)], 0)
    return result


def same_pads(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> Pads:
    """An odd row goes after."""
    pads = []
    for n, k, s in zip(sizes, kernel, strides, strict=True):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        pads.append((total // 2, total - total // 2))
    return pads


KINDS = [(MAX, False), (AVERAGE, False), (AVERAGE, True), (L2, False)]


PADDING = ["last pixel", "padded last pixel", "valid", "same", "top-left"]


def check(x: Array, kind: int, exclude: bool, kernel: Any, strides: Any, padding: str) -> None:
    bottom = same_pads((7, 6), kernel, strides)
    fields, pads = {
        "last pixel": ({"includeLastPixel": last_pixel()}, [(0, 0), (0, 0)]),
        "padded last pixel": ({"includeLastPixel": last_pixel(1, 1)}, [(1, 1), (1, 1)]),
        "valid": ({"valid": valid((1, 0), (1, 1))}, [(1, 0), (1, 1)]),
        "same": ({"same": same(0)}, bottom),
        "top-left": ({"same": same(1)}, [(after, before) for before, after in bottom]),
    }[padding]
    fill = filling(
        "pooling", type=kind, kernelSize=list(kernel), stride=list(strides),
        avgPoolExcludePadding=exclude, **fields,
    )  # fmt: skip
    expected = pooled(
        x, kind, kernel, strides, pads, over_the_edge="last" in padding, exclude=exclude
    )
    result = run_layer(fill, x)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "exclude"), KINDS)
@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (3, 2)])
@pytest.mark.parametrize("strides", [(2, 2), (1, 4)])
@pytest.mark.parametrize("padding", PADDING)
def test_pooling(kind: int, exclude: bool, kernel: Any, strides: Any, padding: str) -> None:
    """An average counts what hangs over the padded edge as it counts padding."""
    check(X, kind, exclude, kernel, strides, padding)


@pytest.mark.parametrize(("kind", "exclude"), KINDS)
@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("x", [X[0], FIVE], ids=["image", "sequence"])
def test_pooling_of_other_ranks(kind: int, exclude: bool, padding: str, x: Array) -> None:
    check(x, kind, exclude, (2, 3), (2, 2), padding)


@pytest.mark.parametrize("kind", [MAX, AVERAGE, L2])
@pytest.mark.parametrize("x", [X[0, 0], *RANKS])
def test_global_pooling(kind: int, x: Array) -> None:
    fill = filling("pooling", type=kind, globalPooling=True, valid=nothing)
    expected = pooled(x, kind, (7, 6), (1, 1), [(0, 0), (0, 0)])
    np.testing.assert_allclose(run_layer(fill, x), expected, rtol=1e-5, atol=1e-6)


def test_a_last_window_behind_the_image_is_refused() -> None:
    """includeLastPixel keeps it only where there is no padding, and nothing says what it holds."""

    def fill(padding: int) -> Any:
        return filling(
            "pooling",
            kernelSize=[1, 1],
            stride=[3, 3],
            includeLastPixel=last_pixel(padding, padding),
        )

    x = X[..., :5, :]
    with pytest.raises(
        ExecutionFailed, match="a last window of 1 every 3 lies behind an input of 5"
    ):
        run_layer(fill(0), x, fast=False)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    # onnxruntime refuses padding as wide as its window.
    result = run_layer(fill(1), x, fast=False)
    np.testing.assert_array_equal(result, padded[:, :, :6:3, ::3][..., :3])


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"kernelSize": [1, 2, 3]}, "kernelSize"), ({"stride": [0, 1]}, "stride")],
)
def test_window_sizes_that_cannot_be(fields: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_layer(filling("pooling", **fields), X)


@pytest.mark.parametrize(("kind", "exclude"), [(MAX, False), (AVERAGE, False), (AVERAGE, True)])
@pytest.mark.parametrize("padding", ["CUSTOM", "VALID", "SAME"])
@pytest.mark.parametrize("x", [VOLUME[0], VOLUME, VOLUME[None]])
def test_pooling3d(kind: int, exclude: bool, padding: str, x: Array) -> None:
    """MAX takes the amounts of CUSTOM for zeros, which may be the greatest."""
    kernel, strides = (2, 3, 2), (1, 2, 2)
    fill = filling(
        "pooling3d", type=kind, countExcludePadding=exclude, **triple("kernel", kernel),
        **triple("stride", strides), **sides(0, 1, 1, 1, 1, 0),
        paddingType=("CUSTOM", "VALID", "SAME").index(padding),
    )  # fmt: skip
    pads = {
        "CUSTOM": [(0, 1), (1, 1), (1, 0)],
        "VALID": [(0, 0)] * 3,
        "SAME": same_pads((5, 6, 4), kernel, strides),
    }[padding]
    rules = {"exclude": exclude, "zeros": (kind, padding) == (MAX, "CUSTOM")}
    expected = pooled(x, kind, kernel, strides, pads, **rules)
    result = run_layer(fill, x)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_a_maximum_of_a_volume_with_padding_same() -> None:
    """Of coremltools' own test of max_pool, which Apple runs on its systems: -2 is not 0."""
    x = np.array(
        [
            [[[7, -3, -5], [5, 4, 7], [-2, -4, -3]]],
            [[[-4, 3, -1], [6, -4, 4], [3, 6, 2]]],
            [[[-1, 4, -4], [-2, -1, -2], [3, 2, 8]]],
        ],
        np.float32,
    ).reshape(1, 1, 3, 3, 3)  # fmt: skip
    fill = filling(
        "pooling3d", paddingType=2, **triple("kernel", (1, 2, 3)), **triple("stride", (2, 1, 3))
    )
    wanted = np.array([[7, 7, -2], [4, 8, 8]]).reshape(1, 1, 2, 3, 1)
    np.testing.assert_array_equal(run_layer(fill, x), wanted)


@pytest.mark.parametrize("kind", [MAX, AVERAGE])
@pytest.mark.parametrize("x", [VOLUME[0, 0], VOLUME[0], VOLUME])
def test_global_pooling3d(kind: int, x: Array) -> None:
    axes = (-3, -2, -1)
    expected = x.max(axes, keepdims=True) if kind == MAX else x.mean(axes, keepdims=True)
    np.testing.assert_allclose(
        run_layer(filling("globalPooling3d", type=kind), x), expected, rtol=1e-5, atol=1e-6
    )


def test_a_kernel_that_cannot_be() -> None:
    with pytest.raises(ArtefactError, match="its kernel is"):
        run_layer(filling("pooling3d", kernelDepth=-1), X)
