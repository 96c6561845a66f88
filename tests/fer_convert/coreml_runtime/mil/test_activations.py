"""Activations against formulas in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, run_mil

RNG = np.random.default_rng(5)


X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


C = RNG.random(3).astype(np.float32)


P = C.reshape(1, 3, 1)


AB = {"alpha": 0.3, "beta": 0.6}


CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("clamped_relu", AB, np.minimum(np.where(X >= 0, X, 0.3 * X), 0.6)),
    ("elu", {"alpha": 0.3}, np.where(X > 0, X, 0.3 * (np.exp(X) - 1))),
    ("gelu", {"mode": "SIGMOID_APPROXIMATION"}, X / (1 + np.exp(-1.702 * X))),
    ("gelu", {"mode": "TANH_APPROXIMATION"},
     X / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)))),
    ("leaky_relu", {"alpha": 0.3}, np.where(X >= 0, X, 0.3 * X)),
    ("linear_activation", AB, 0.3 * X + 0.6),
    ("prelu", {"alpha": constant(C)}, np.where(X > 0, X, P * X)),
    ("relu", {}, X * (X > 0)), ("relu6", {}, np.clip(X, 0, 6)),
    ("scaled_tanh", AB, 0.3 * np.tanh(0.6 * X)),
    ("sigmoid_hard", AB, np.clip(0.3 * X + 0.6, 0, 1)),
    ("silu", {}, X / (1 + np.exp(-X))), ("softplus", {}, np.log1p(np.exp(X))),
    ("softplus_parametric", {"alpha": constant(C), "beta": constant(C)},
     P * np.log1p(np.exp(P * X))),
    ("softsign", {}, X / (1 + np.abs(X))),
    ("softmax", {"axis": 1}, np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    ("thresholded_relu", {"alpha": 0.3}, np.where(X >= 0.3, X, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "wanted"), CASES)
def test_activation(name: str, options: dict[str, Any], wanted: Any) -> None:
    check_mil(name, {"x": X, **options}, wanted, rtol=1e-4)
    check_mil(name, {"x": X[:0], **options}, wanted[:0])


@pytest.mark.parametrize(
    ("name", "options", "at_zero"),
    [
        ("elu", {"alpha": 2.0}, 0), ("leaky_relu", {"alpha": 2.0}, 0),
        ("thresholded_relu", {"alpha": 0.0}, 0), ("thresholded_relu", {"alpha": -1.0}, 0),
        ("clamped_relu", {"alpha": -1.0, "beta": -0.5}, -0.5), ("relu6", {}, 0),
        ("sigmoid_hard", {"alpha": 1.0, "beta": 3.0}, 1), ("gelu", {}, 0),
    ],
)  # fmt: skip
def test_at_the_kink(name: str, options: dict[str, Any], at_zero: float) -> None:
    check_mil(name, {"x": np.zeros((1, 2), np.float32), **options}, np.full((1, 2), at_zero))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, None])
def test_softmax(axis: int | None) -> None:
    place = -1 if axis is None else axis
    x = X * 30  # beyond what exp of fp32 can hold without the maximum taken off
    powers = np.exp(x.astype(np.float64) - x.max(place, keepdims=True))
    wanted = powers / powers.sum(place, keepdims=True)
    check_mil("softmax", {"x": x} | ({} if axis is None else {"axis": axis}), wanted)


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_parameters_of_each_channel(rank: int) -> None:
    x = RNG.standard_normal((2, 3, 2, 2, 2)[:rank]).astype(np.float32)
    wide = C.reshape(1, 3, *(1,) * (rank - 2))
    check_mil("prelu", {"x": x, "alpha": constant(C)}, np.where(x > 0, x, wide * x))
    options = {"alpha": constant(C), "beta": constant(C + 1)}
    wanted = wide * np.log1p(np.exp((wide + 1) * x.astype(np.float64)))
    check_mil("softplus_parametric", {"x": x, **options}, wanted)


def test_an_unknown_mode() -> None:
    with pytest.raises(ArtefactError, match="QUICK"):
        run_mil("gelu", {"x": X, "mode": "QUICK"})


def test_a_bound_that_is_no_number_leaves_none() -> None:
    x = np.array([-1.0, 2.0], np.float32)
    inputs = {"x": x, "alpha": 0.5, "beta": float("nan")}
    check_mil("clamped_relu", inputs, np.full(2, np.nan, np.float32))
