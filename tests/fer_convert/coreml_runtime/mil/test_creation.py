"""Tensors made, repeated, split and joined, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ExecutionFailed
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import run_mil

RNG = np.random.default_rng(5)


X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", ["fp32", "int32", "bool"])
@pytest.mark.parametrize("shape", [(2, 3), (0, 4), (1,)])
def test_filling(shape: tuple[int, ...], kind: str) -> None:
    value = {"fp32": 2.5, "int32": -7, "bool": True}[kind]
    sizes = np.array(shape, np.int32)
    wanted = np.full(shape, value)
    check_mil("fill", {"shape": sizes, "value": value}, wanted, outputs=(kind,))
    check_mil("fill", {"shape": shape, "value": value}, wanted, outputs=(kind,))
    like = {"ref_tensor": np.zeros(shape, np.int32), "value": value}
    check_mil("fill_like", like, wanted, outputs=(kind,))


def test_filling_by_default_and_shapes() -> None:
    check_mil("fill", {"shape": (2, 2)}, np.zeros((2, 2)))
    check_mil("fill_like", {"ref_tensor": X}, np.zeros(X.shape))
    check_mil("shape", {"x": X}, np.array([2, 3, 4]), outputs=("int32",))
    check_mil("shape", {"x": X[:0]}, np.array([0, 3, 4]), outputs=("int32",))


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(7, 0, -2), (0, 5, 1), (3, 3, 1), (0, 5, -1), (-4, 9, 5), (0.5, 2.0, 0.25), (1.0, -2.0, -0.5)],
)
def test_ranges(start: float, end: float, step: float) -> None:
    kind = "int32" if isinstance(start, int) else "fp32"
    dtype = np.int32 if isinstance(start, int) else np.float32
    wanted = np.arange(start, end, step)
    stored = {"start": start, "end": end, "step": step}
    check_mil("range_1d", stored, wanted, outputs=(kind,))
    fed = {name: np.array(value, dtype) for name, value in stored.items()}
    check_mil("range_1d", fed, wanted, outputs=(kind,))


def test_a_range_that_leads_away_is_empty_however_far_its_end() -> None:
    """The fast engine took it for too long a one. Found by benchmarks/fuzz_coreml.py."""
    far = {"start": 0.5, "end": np.float32(-(2.0**31)), "step": 0.25}
    check_mil("range_1d", far, np.zeros(0, np.float32))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("axis", [0, -1, 1, -2])
@pytest.mark.parametrize("valued", [True, False])
def test_one_hot_in_both_engines(shape: tuple[int, ...], axis: int, valued: bool) -> None:
    rank = len(shape) + 1
    axis = max(-rank, min(axis, rank - 1))
    indices = RNG.integers(-2, 5, shape).astype(np.int32)
    on, off = (7, -3) if valued else (1, 0)
    hot = np.where(indices[..., None] == np.arange(3), on, off)
    inputs: dict[str, Any] = {"indices": indices, "axis": axis}
    if valued:
        inputs |= {"on_value": 7, "off_value": -3}
    for size in (3, np.array(3, np.int32)):
        given = inputs | {"one_hot_vector_size": size}
        check_mil("one_hot", given, np.moveaxis(hot, -1, axis), outputs=("int32",))


def test_what_is_not_zero() -> None:
    for x in (X > 0, (X > 1) * X, np.zeros((2, 2), np.float32), np.zeros((0, 2), np.float32)):
        check_mil("non_zero", {"x": x}, np.argwhere(x), outputs=("int32",))
    check_mil("select", {"cond": X > 0}, np.argwhere(X > 0), outputs=("int32",))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"axis": -1, "num_splits": 4}, [1, 1, 1, 1]),
        ({"axis": 1, "num_splits": 1}, [3]),
        ({"axis": -2, "split_sizes": (2, 1)}, [2, 1]),
        ({"axis": 0, "split_sizes": (1, 0, 1), "num_splits": 3}, [1, 0, 1]),
    ],
)
def test_splitting(options: dict[str, Any], parts: list[int]) -> None:
    wanted = np.split(X, np.cumsum(parts)[:-1], options["axis"])
    outputs = ("fp32",) * len(parts)
    check_mil(
        "split", {"x": X, **options}, wanted if len(parts) > 1 else wanted[0], outputs=outputs
    )


def test_making() -> None:
    sizes = np.array([2, 3], np.int32)
    assert (run_mil("fill", {"shape": sizes, "value": 2.5}) == np.full((2, 3), 2.5)).all()
    assert run_mil("fill_like", {"ref_tensor": X, "value": 3}, outputs=("int32",)).shape == X.shape
    assert run_mil("shape", {"x": X}, outputs=("int32",)).tolist() == [2, 3, 4]
    whole = {k: np.array(v, np.int32) for k, v in {"start": 7, "end": 0, "step": -2}.items()}
    assert run_mil("range_1d", whole, outputs=("int32",)).tolist() == [7, 5, 3, 1]
    x = (X > 0).astype(np.float32)
    assert (run_mil("non_zero", {"x": x}, outputs=("int32",)) == np.argwhere(x)).all()


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot(axis: int) -> None:
    indices = np.array([1, 5, -1, 0], np.int32)
    rows = np.array([[2, 3, 2], [2, 2, 2], [2, 2, 2], [3, 2, 2]])
    options: dict[str, Any] = {"on_value": 3.0, "off_value": 2.0, "axis": axis}
    got = run_mil("one_hot", {"indices": indices, "one_hot_vector_size": 3, **options})
    assert (got == (rows.T if axis == 0 else rows)).all()


@pytest.mark.parametrize(("lower", "upper"), [(-1, 0), (0, -1), (1, 1), (-1, -1)])
def test_band_part(lower: int, upper: int) -> None:
    wanted = X if lower < 0 else np.triu(X, -lower)
    wanted = wanted if upper < 0 else np.tril(wanted, upper)
    assert (run_mil("band_part", {"x": X, "lower": lower, "upper": upper}) == wanted).all()


def test_parts() -> None:
    parts = run_mil("split", {"x": X, "axis": -1, "num_splits": 2}, outputs=("fp32",) * 2)
    assert (parts[1] == X[..., 2:]).all()
    parts = run_mil("split", {"x": X, "axis": 1, "split_sizes": (1, 2)}, outputs=("fp32",) * 2)
    assert (parts[1] == X[:, 1:]).all()
    with pytest.raises(ExecutionFailed, match="equal parts"):
        run_mil("split", {"x": X, "axis": 1, "num_splits": 2}, outputs=("fp32",) * 2)
    assert (run_mil("stack", {"values": [X, X + 1], "axis": 1}) == np.stack([X, X + 1], 1)).all()
    assert (run_mil("tile", {"x": X, "reps": (1, 2, 3)}) == np.tile(X, (1, 2, 3))).all()
    assert (run_mil("flatten2d", {"x": X, "axis": -1}) == X.reshape(6, 4)).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_interleave(axis: int) -> None:
    wanted = np.repeat(X, 2, axis)
    np.moveaxis(wanted, axis, 0)[1::2] += 1
    got = run_mil("concat", {"values": [X, X + 1], "axis": axis, "interleave": True})
    assert (got == wanted).all()
