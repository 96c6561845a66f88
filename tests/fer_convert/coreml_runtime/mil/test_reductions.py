"""Reductions, running sums and sorting against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.errors import ExecutionFailed
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, run_mil

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
    check_mil(f"reduce_{name}", {"x": x, **options}, wanted, rtol=1e-4)
    whole = (x * 5).astype(np.int32) + 1
    got = run_mil(f"reduce_{name}", {"x": whole, **options}, outputs=("int32",))
    exact = REDUCE[name](whole.astype(np.float64), axis=axes, keepdims=keep)
    if np.abs(exact).max() < 2**31:
        assert (np.abs(got - np.trunc(exact)) == 0).all()


@pytest.mark.parametrize("name", ["sum", "l1_norm", "l2_norm", "sum_square", "prod"])
def test_nothing_reduced_is_the_neutral_element(name: str) -> None:
    x = np.zeros((2, 0, 3), np.float32)
    wanted = np.full((2, 3), 1.0 if name == "prod" else 0.0)
    check_mil(f"reduce_{name}", {"x": x, "axes": (1,)}, wanted)
    over_none = {"x": X, "axes": constant(np.zeros(0, np.int32))}
    check_mil(f"reduce_{name}", over_none, REDUCE[name](X[None], axis=0), fast=False)


@pytest.mark.parametrize("name", ["max", "min", "mean", "log_sum_exp"])
def test_negative_values_and_infinities(name: str) -> None:
    x = -np.abs(X) * 50 - 90  # whose exponentials are 0 in fp32
    wide = x.astype(np.float64)
    wanted = np.logaddexp.reduce(wide, 1) if name == "log_sum_exp" else REDUCE[name](wide, axis=1)
    check_mil(f"reduce_{name}", {"x": x, "axes": (1,)}, wanted)


def test_a_dimension_twice_is_an_error() -> None:
    with pytest.raises(ExecutionFailed, match="twice"):
        run_mil("reduce_sum", {"x": X, "axes": (2, -1)})


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argument(name: str) -> None:
    for axis, keep in ((1, True), (-1, False), (0, False)):
        wanted = getattr(np, name)(X, axis=axis, keepdims=keep)
        inputs = {"x": X, "axis": axis, "keep_dims": keep}
        check_mil(f"reduce_{name}", inputs, wanted, outputs=("int32",))
    inputs = {"x": X, "axis": 1, "output_dtype": "uint16"}
    check_mil(f"reduce_{name}", inputs, getattr(np, name)(X, axis=1), outputs=("uint16",))
    equal = np.zeros((2, 3), np.float32)
    check_mil(f"reduce_{name}", {"x": equal}, np.zeros(2), outputs=("int32",))
    with pytest.raises(ArtefactError, match="int8"):
        run_mil(f"reduce_{name}", {"x": X, "output_dtype": "int8"}, outputs=("int32",))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_cumsum(exclusive: bool, reverse: bool) -> None:
    x = np.array([1, 2, 4], np.int32)
    wanted = {(0, 0): [1, 3, 7], (1, 0): [0, 1, 3], (0, 1): [7, 6, 4], (1, 1): [6, 4, 0]}
    options = {"exclusive": exclusive, "reverse": reverse}
    check_mil("cumsum", {"x": x, **options}, wanted[exclusive, reverse], outputs=("int32",))
    for axis in (0, 1, -1):
        turned = np.flip(X, axis) if reverse else X
        total = np.cumsum(turned, axis, dtype=np.float64) - (turned if exclusive else 0)
        total = np.flip(total, axis) if reverse else total
        check_mil("cumsum", {"x": X, "axis": axis, **options}, total, atol=1e-5)
    check_mil("cumsum", {"x": X[:, :0], "axis": 1, **options}, X[:, :0])


@pytest.mark.parametrize("ascending", [False, True])
def test_sorting(ascending: bool) -> None:
    for axis in (0, -1):
        order = np.argsort(X if ascending else -X, axis=axis)
        options = {"x": X, "axis": axis, "ascending": ascending}
        check_mil("argsort", options, order, outputs=("int32",))
        values = np.take_along_axis(X, order, axis)
        check_mil("topk", options | {"k": -1}, (values, order), outputs=("fp32", "int32"))
        first = values.take(range(1), axis)
        check_mil("topk", options | {"return_indices": False}, first)
    with pytest.raises(ArtefactError, match="int8"):
        run_mil("topk", {"x": X, "output_indices_dtype": "int8"}, outputs=("fp32", "int32"))
    order = np.argsort(X if ascending else -X, axis=1)
    options = {"x": X, "axis": 1, "ascending": ascending}
    assert (run_mil("argsort", options, outputs=("int32",)) == order).all()
    values, places = run_mil("topk", options | {"k": 2}, outputs=("fp32", "int32"))
    assert (places == order[:, :2]).all()
    assert (values == np.take_along_axis(X, order[:, :2], 1)).all()


def test_a_sum_of_integers_wraps_around() -> None:
    check_mil(
        "reduce_sum", {"x": np.full(2, 1 << 30, np.int32)}, np.int32(-(1 << 31)), outputs=("int32",)
    )
