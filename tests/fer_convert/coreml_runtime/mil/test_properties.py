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
from fer_convert.coreml_runtime.reference.mil import MIL
from fer_convert.coreml_runtime.reference.windows import convolve, same_pads
from fer_convert.coreml_runtime.sizes import AllowedShapes, check_shape
from tests.fer_convert.coreml_runtime.one_operation import run_mil

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


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_parts_put_together_are_the_whole(sizes: list[int], data: st.DataObject) -> None:
    x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
    axis = data.draw(st.integers(0, len(sizes) - 1))
    cut = data.draw(st.integers(0, sizes[axis]))
    parts = []
    for start, stop in ((0, cut), (cut, sizes[axis])):
        begin, end = [0] * len(sizes), list(sizes)
        begin[axis], end[axis] = start, stop
        bounds = {"begin": tuple(begin), "end": tuple(end)}
        parts.append(run_mil("slice_by_index", {"x": x, **bounds}))
        size = tuple(e - b for b, e in zip(begin, end, strict=True))
        same = run_mil("slice_by_size", {"x": x, "begin": tuple(begin), "size": size})
        assert np.array_equal(same, parts[-1])
    filled = [part for part in parts if part.size]
    whole = run_mil("concat", {"values": filled, "axis": axis, "interleave": False})
    assert np.array_equal(whole, x)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("xy ")), min_size=1, max_size=4),
    st.integers(0, 2),
)
def test_broadcasting_is_repeating(dimensions: list[tuple[int, str]], dropped: int) -> None:
    """Each dimension is 1 in x, or in y, or in neither; y may lack the first ones."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal([1 if one == "x" else n for n, one in dimensions]).astype(np.float32)
    y = rng.standard_normal([1 if one == "y" else n for n, one in dimensions]).astype(np.float32)
    y = y[(0,) * min(dropped, y.ndim - 1)]
    wide = np.broadcast_shapes(x.shape, y.shape)
    repeated = [np.ascontiguousarray(np.broadcast_to(a, wide)) for a in (x, y)]
    for kind in ("add", "mul", "maximum", "less"):
        outputs = ("bool",) if kind == "less" else ("fp32",)
        narrow = run_mil(kind, {"x": x, "y": y}, outputs=outputs)
        full = run_mil(kind, {"x": repeated[0], "y": repeated[1]}, outputs=outputs)
        assert narrow.shape == wide
        assert np.array_equal(narrow, full)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_reducing_axes_at_once_or_one_by_one(sizes: list[int], data: st.DataObject) -> None:
    x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
    axes = data.draw(st.sets(st.integers(0, len(sizes) - 1), min_size=1).map(sorted))
    for kind in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"):
        step = x
        for axis in axes:
            step = run_mil(kind, {"x": step, "axes": (axis,), "keep_dims": True})
        kept = run_mil(kind, {"x": x, "axes": tuple(axes), "keep_dims": True})
        np.testing.assert_allclose(kept, step, rtol=1e-5, atol=1e-5)
        negative = tuple(axis - len(sizes) for axis in axes)
        dropped = run_mil(kind, {"x": x, "axes": negative, "keep_dims": False})
        assert np.array_equal(dropped.reshape(kept.shape), kept)
        assert dropped.shape == tuple(s for i, s in enumerate(sizes) if i not in axes)
