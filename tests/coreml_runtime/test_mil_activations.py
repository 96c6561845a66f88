"""Activations against formulas in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.coreml_runtime.one_operation import constant, run_mil

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
    np.testing.assert_allclose(run_mil(name, {"x": X, **options}), wanted, rtol=1e-4, atol=1e-6)
