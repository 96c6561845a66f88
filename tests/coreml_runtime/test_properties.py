"""Properties of the file-reading parts, for whatever values hypothesis thinks of."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fer_convert.coreml_runtime.description import Feature
from fer_convert.coreml_runtime.element_types import TYPES
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.images import feed, picture
from fer_convert.coreml_runtime.mil_ops import MIL
from fer_convert.coreml_runtime.sizes import AllowedShapes, check_shape
from fer_convert.coreml_runtime.windows import convolve, same_pads
from tests.coreml_runtime.one_operation import run_mil

Array = np.ndarray[Any, Any]


@given(
    st.integers(1, 30), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4),
    st.sampled_from(["after", "before"]),
)  # fmt: skip
def test_same_pads_is_the_least_padding(
    size: int, kernel: int, stride: int, dilation: int, heavy: Any
) -> None:
    ((before, after),) = same_pads([size], [kernel], [stride], [dilation], heavy=heavy)
    windows = len(range(0, size, stride))

    def fits(total: int) -> bool:
        starts = range(0, size + total - (kernel - 1) * dilation, stride)
        return len(starts) >= windows

    least = next(total for total in itertools.count() if fits(total))
    assert before + after == least
    assert (after - before if heavy == "after" else before - after) == least % 2
    x, weight = torch.ones(1, 1, size), torch.ones(1, 1, kernel)
    out = convolve(
        x, weight, None, pads=[(before, after)], strides=[stride], dilations=[dilation], groups=1
    )
    assert out.shape[-1] == windows


RANGES = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 3))).map(
        lambda r: (r[0], None if r[1] is None else r[0] + r[1])
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@given(RANGES, st.lists(st.integers(0, 9), max_size=4).map(tuple))
def test_ranges_allow_what_lies_in_them(ranges: Any, shape: tuple[int, ...]) -> None:
    allowed = AllowedShapes(tuple(low for low, _ in ranges), (), ranges)
    spans = [range(low, 10 if high is None else high + 1) for low, high in ranges]
    assert allowed.allow(shape) == (shape in set(itertools.product(*spans)))
    assert allowed.flexible and allowed.allow(allowed.default)
    assert len(allowed.dimensions) == len(ranges)
    for dimension, span in zip(allowed.dimensions, spans, strict=True):
        assert dimension is None or list(span) == [dimension]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_enumerated_shapes(shapes: list[tuple[int, int]]) -> None:
    allowed = AllowedShapes(shapes[0], tuple(shapes[1:]))
    for shape in itertools.product(range(5), repeat=2):
        assert allowed.allow(shape) == (shape in shapes)
    for i, dimension in enumerate(allowed.dimensions):
        sizes = {shape[i] for shape in shapes}
        assert sizes == {dimension} if dimension is not None else len(sizes) > 1


@given(st.lists(st.integers(-(1 << 63), 1 << 64), max_size=40).map(tuple))
def test_what_check_shape_passes_numpy_can_hold(shape: tuple[int, ...]) -> None:
    try:
        check_shape(shape, "it")
    except ArtefactError:
        return
    assert np.broadcast_to(np.uint8(0), shape).shape == shape
    assert np.empty((0, *shape[1:])).size == 0


@pytest.mark.parametrize("shape", [(0, 1 << 62), (1 << 20, 1 << 21), (-1,), (1,) * 33])
def test_impossible_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtefactError, match="declares"):
        check_shape(shape, "it")


@given(
    st.integers(1, 7), st.integers(1, 7), st.sampled_from(["RGB", "BGR", "GRAYSCALE"]),
    st.integers(0, 99),
)  # fmt: skip
def test_a_fed_picture_comes_back(height: int, width: int, layout: Any, seed: int) -> None:
    feature = Feature(
        name="image", kind="image", color_layout=layout, shapes=AllowedShapes((height, width))
    )
    size = (height, width) if layout == "GRAYSCALE" else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    planes = feed(feature, pixels)
    assert planes.shape == (1, feature.channels, height, width)
    if layout == "BGR":
        assert planes[0, 0].tolist() == pixels[..., 2].tolist()
    assert np.array_equal(np.asarray(picture(feature, planes.numpy())), pixels)
    assert torch.equal(feed(feature, picture(feature, planes.numpy())), planes)


@pytest.mark.parametrize("default", [math.nan, math.inf, 1e300, 2.0**40])
def test_an_impossible_default(default: float) -> None:
    feature = Feature(
        name="x", kind="array", shapes=AllowedShapes((2,)), element=TYPES["int8"],
        optional=True, default=default,
    )  # fmt: skip
    with pytest.raises(ArtefactError, match="has the default"):
        feed(feature, None)


def test_a_default_too_big_to_fill_in() -> None:
    feature = Feature(name="x", kind="array", shapes=AllowedShapes((1 << 20, 1 << 20)))
    with pytest.raises(ArtefactError, match="too many to fill in"):
        feed(feature, None)


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_reshape_and_its_inverse(order: list[int], sizes: list[int]) -> None:
    x = np.arange(math.prod(sizes), dtype=np.float32).reshape(sizes)
    target = [sizes[i] for i in order]
    there = run_mil("reshape", {"x": x, "shape": tuple(target)})
    assert np.array_equal(there, x.reshape(target))
    assert np.array_equal(run_mil("reshape", {"x": there, "shape": tuple(sizes)}), x)
    if "transpose" in MIL:
        moved = run_mil("transpose", {"x": x, "perm": tuple(order)})
        assert moved.shape == tuple(target)
        back = run_mil("transpose", {"x": moved, "perm": tuple(np.argsort(order).tolist())})
        assert np.array_equal(back, x)
