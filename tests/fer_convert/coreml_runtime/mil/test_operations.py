"""The other ML Program operations against numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(2)


X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


ROW = RNG.standard_normal((1, 3, 1, 1)).astype(np.float32)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x.astype(np.float64) - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def test_elementwise(run_mil: Callable[..., list[Any]]) -> None:
    def build(mb: Any, x: Any, row: Any) -> Any:
        return (
            mb.add(x=x, y=row),
            mb.add(x=ROW, y=x),  # a constant on the left
            mb.mul(x=x, y=row),
            mb.mul(x=x, y=np.float32(-2.5)),
            mb.relu(x=x),
            mb.sigmoid(x=x),
            mb.silu(x=x),
            mb.cast(x=mb.cast(x=mb.mul(x=x, y=np.float32(3)), dtype="int32"), dtype="fp32"),
        )

    expected = [
        X + ROW, ROW + X, X * ROW, X * -2.5, np.maximum(X, 0), sigmoid(X), X * sigmoid(X),
        np.trunc(X * 3),
    ]  # fmt: skip
    for result, wanted in zip(run_mil(build, X, ROW), expected, strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-6)


def test_axes_shapes_and_joins(run_mil: Callable[..., list[Any]]) -> None:
    def build(mb: Any, x: Any, row: Any) -> Any:
        return (
            mb.softmax(x=x, axis=1),
            mb.softmax(x=x, axis=-3),
            mb.softmax(x=x),
            mb.reduce_mean(x=x, axes=[-1, -2], keep_dims=True),
            mb.reduce_mean(x=x, axes=[1], keep_dims=False),
            mb.reduce_mean(x=x, axes=[0, 1, 2, 3], keep_dims=True),
            mb.concat(values=(x, mb.relu(x=x), X), axis=-3),
            mb.concat(values=(x, x), axis=0),
            mb.reshape(x=x, shape=[2, -1]),
            mb.reshape(x=x, shape=[5, 3, 8]),
            mb.mul(x=row, y=row),
        )

    expected = [
        softmax(X, 1), softmax(X, 1), softmax(X, -1),
        X.mean((2, 3), keepdims=True), X.mean(1), X.mean(keepdims=True).reshape(1, 1, 1, 1),
        np.concatenate([X, np.maximum(X, 0), X], 1), np.concatenate([X, X], 0),
        X.reshape(2, 60), X.reshape(5, 3, 8), ROW * ROW,
    ]  # fmt: skip
    for result, wanted in zip(run_mil(build, X, ROW), expected, strict=True):
        assert result.shape == wanted.shape
        np.testing.assert_allclose(result, wanted, atol=1e-6)


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_and_linear(run_mil: Callable[..., list[Any]], affine: bool) -> None:
    mean, variance, gamma, beta = RNG.random((4, 3)).astype(np.float32)
    weight, bias = RNG.random((7, 5)).astype(np.float32), RNG.random(7).astype(np.float32)

    def build(mb: Any, x: Any) -> Any:
        scale = {"gamma": gamma, "beta": beta} if affine else {}
        return (
            mb.batch_norm(x=x, mean=mean, variance=variance, epsilon=np.float32(1e-2), **scale),
            mb.linear(x=x, weight=weight, **({"bias": bias} if affine else {})),
        )

    def channel(v: Array) -> Array:
        return v.reshape(1, 3, 1, 1)

    normal = (X - channel(mean)) / np.sqrt(channel(variance) + 1e-2)
    product = X @ weight.T
    if affine:
        normal, product = normal * channel(gamma) + channel(beta), product + bias
    for result, wanted in zip(run_mil(build, X), [normal, product], strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-5)
