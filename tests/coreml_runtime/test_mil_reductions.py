"""Reductions, running sums and sorting against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ExecutionFailed
from tests.coreml_runtime.one_operation import run_mil

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)
REDUCE: dict[str, Any] = {
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod,
    "l1_norm": lambda x, **k: np.abs(x).sum(**k),
    "l2_norm": lambda x, **k: np.sqrt((x * x).sum(**k)),
    "sum_square": lambda x, **k: (x * x).sum(**k),
    "log_sum": lambda x, **k: np.log(x.sum(**k)),
    "log_sum_exp": lambda x, **k: np.log(np.exp(x).sum(**k)),
}  # fmt: skip


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("axes", [None, (0,), (-1,), (0, -1), (1,)])
@pytest.mark.parametrize("name", REDUCE)
def test_reduce(name: str, axes: tuple[int, ...] | None, keep: bool) -> None:
    x = np.abs(X)
    options = {"keep_dims": keep} | ({} if axes is None else {"axes": axes})
    wanted = REDUCE[name](x, axis=axes, keepdims=keep)
    got = run_mil(f"reduce_{name}", {"x": x, **options})
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    whole = (x * 5).astype(np.int32) + 1
    got = run_mil(f"reduce_{name}", {"x": whole, **options}, outputs=("int32",))
    exact = REDUCE[name](whole.astype(np.float64), axis=axes, keepdims=keep)
    if np.abs(exact).max() < 2**31:
        assert (np.abs(got - np.trunc(exact)) == 0).all()


def test_a_dimension_twice_is_an_error() -> None:
    with pytest.raises(ExecutionFailed, match="twice"):
        run_mil("reduce_sum", {"x": X, "axes": (2, -1)})


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argument(name: str) -> None:
    got = run_mil(f"reduce_{name}", {"x": X, "axis": 1, "keep_dims": True}, outputs=("int32",))
    assert (got[:, 0] == getattr(np, name)(X, axis=1)).all()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_cumsum(exclusive: bool, reverse: bool) -> None:
    x = np.array([1, 2, 4], np.int32)
    wanted = {(0, 0): [1, 3, 7], (1, 0): [0, 1, 3], (0, 1): [7, 6, 4], (1, 1): [6, 4, 0]}
    got = run_mil(
        "cumsum", {"x": x, "exclusive": exclusive, "reverse": reverse}, outputs=("int32",)
    )
    assert got.tolist() == wanted[exclusive, reverse]


@pytest.mark.parametrize("ascending", [False, True])
def test_sorting(ascending: bool) -> None:
    order = np.argsort(X if ascending else -X, axis=1)
    options = {"x": X, "axis": 1, "ascending": ascending}
    assert (run_mil("argsort", options, outputs=("int32",)) == order).all()
    values, places = run_mil("topk", options | {"k": 2}, outputs=("fp32", "int32"))
    assert (places == order[:, :2]).all()
    assert (values == np.take_along_axis(X, order[:, :2], 1)).all()
