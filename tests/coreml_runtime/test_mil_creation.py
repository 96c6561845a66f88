"""Tensors made, repeated, split and joined, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ExecutionFailed
from tests.coreml_runtime.one_operation import run_mil

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


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
