"""NeuralNetwork normalizations and activations, against their formulas in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import filling

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(12)


X = (3 * RNG.standard_normal((2, 4, 5, 6)) + 1).astype(np.float32)


FIVE = (3 * RNG.standard_normal((2, 3, 4, 5, 6)) + 1).astype(np.float32)  # sequence, batch, image


RANKS = pytest.mark.parametrize("x", [X[0], X, FIVE], ids=["image", "batch", "sequence"])


GAMMA, BETA = RNG.standard_normal((2, 4)).astype(np.float32)


def column(values: Array) -> Array:
    return values[:, None, None]


def standard(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x.astype(np.float64) - x.mean(axes, keepdims=True, dtype=np.float64)
    return np.asarray(centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon))


@pytest.mark.parametrize("instance", [True, False])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
@RANKS
def test_batchnorm_with_statistics_of_its_input(instance: bool, epsilon: float, x: Array) -> None:
    def fill(layer: Any) -> None:
        params = layer.batchnorm
        params.channels, params.epsilon = 4, epsilon
        params.computeMeanVar, params.instanceNormalization = True, instance
        params.gamma.floatValue.extend(GAMMA)
        params.beta.floatValue.extend(BETA)

    # Everything in front of the channels is one batch.
    axes = (-2, -1) if instance else (*range(x.ndim - 3), -2, -1)
    expected = standard(x, axes, epsilon or 1e-5) * column(GAMMA) + column(BETA)
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


@RANKS
def test_batchnorm_with_stored_statistics(x: Array) -> None:
    mean, variance = RNG.standard_normal(4).astype(np.float32), np.float32([0.5, 2, 1e-3, 7])
    fill = filling(
        "batchnorm", channels=4, epsilon=1e-3, gamma=GAMMA, beta=BETA, mean=mean, variance=variance
    )
    factor = GAMMA / np.sqrt(variance.astype(np.float64) + 1e-3)
    expected = (x - column(mean)) * column(factor) + column(BETA)
    np.testing.assert_allclose(run_layer(fill, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(6,), (5, 6), (4, 5, 6)])
def test_layer_normalization(shape: tuple[int, ...]) -> None:
    gamma, beta = RNG.standard_normal((2, *shape)).astype(np.float32)

    def fill(layer: Any) -> None:
        params = layer.layerNormalization
        params.normalizedShape.extend(shape)
        params.eps = 0.1
        params.gamma.floatValue.extend(gamma.ravel())
        params.beta.floatValue.extend(beta.ravel())

    expected = standard(X, tuple(range(-len(shape), 0)), 0.1) * gamma + beta
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-5)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("variance", [True, False])
@RANKS
def test_mvn(across: bool, variance: bool, x: Array) -> None:
    def fill(layer: Any) -> None:
        layer.mvn.acrossChannels, layer.mvn.normalizeVariance = across, variance
        layer.mvn.epsilon = 0.2

    axes = (-3, -2, -1) if across else (-2, -1)
    expected = standard(x, axes, 0.2) if variance else x - x.mean(axes, keepdims=True)
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


def test_l2_normalize() -> None:
    def fill(layer: Any) -> None:
        layer.l2normalize.epsilon = 40.0

    expected = np.stack([x / np.sqrt((x**2).sum() + 40) for x in X])
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-6)
    np.testing.assert_allclose(run_layer(fill, X[0]), expected[0], atol=1e-6)


def test_epsilons_that_are_not_given() -> None:
    """1e-6, but for batchnorm (1e-5) and layerNormalization (0)."""
    tiny = np.array([[[1e-3, -1e-3], [1e-3, -1e-3]]], np.float32)  # a variance of 1e-6

    def fill(layer: Any) -> None:
        layer.mvn.normalizeVariance = True

    np.testing.assert_allclose(run_layer(fill, tiny), tiny / np.sqrt(2e-6), rtol=1e-5)
    short = np.full((1, 1, 1), 1e-3, np.float32)

    def length(layer: Any) -> None:
        layer.l2normalize.SetInParent()

    np.testing.assert_allclose(run_layer(length, short), short / np.sqrt(2e-6), rtol=1e-5)

    def exact(layer: Any) -> None:
        layer.layerNormalization.normalizedShape.append(2)
        layer.layerNormalization.gamma.floatValue.extend([1, 1])
        layer.layerNormalization.beta.floatValue.extend([0, 0])

    np.testing.assert_allclose(run_layer(exact, tiny), np.sign(tiny), rtol=1e-4)


def test_instance_normalization_means_nothing_with_stored_statistics() -> None:
    def fill(layer: Any) -> None:
        params = layer.batchnorm
        params.channels, params.instanceNormalization = 4, True
        for name in ("gamma", "beta", "mean"):
            getattr(params, name).floatValue.extend(GAMMA)
        params.variance.floatValue.extend(GAMMA**2)

    g = GAMMA[:, None, None]
    expected = g * (X - g) / np.sqrt(g**2 + 1e-5) + g
    np.testing.assert_allclose(run_layer(fill, X), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "message"), [("layerNormalization", "normalizedShape is empty"), ("lrn", "localSize")]
)
def test_normalizations_without_a_size_are_refused(kind: str, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_layer(lambda layer: getattr(layer, kind).SetInParent(), X)


def test_an_even_window_of_lrn_reaches_down() -> None:
    def fill(layer: Any) -> None:
        layer.lrn.alpha, layer.lrn.beta, layer.lrn.localSize, layer.lrn.k = 0.5, 1.0, 2, 1.0

    expected = np.zeros_like(X)
    for c in range(4):
        near = X[:, max(0, c - 1) : c + 1]
        expected[:, c] = X[:, c] / (1 + 0.25 * (near**2).sum(1))
    # ONNX has such a window reach up.
    np.testing.assert_allclose(run_layer(fill, X, fast=False), expected, rtol=1e-5)


@pytest.mark.parametrize(("size", "k"), [(3, 0.0), (5, 2.0), (1, 1.0)])
@RANKS
def test_lrn(size: int, k: float, x: Array) -> None:
    def fill(layer: Any) -> None:
        params = layer.lrn
        params.alpha, params.beta, params.localSize, params.k = 0.3, 0.75, size, k

    expected = np.zeros_like(x)
    for c in range(4):
        near = x[..., max(0, c - size // 2) : c + size // 2 + 1, :, :]
        shrink = ((k or 1) + 0.3 / size * (near**2).sum(-3)) ** 0.75
        expected[..., c, :, :] = x[..., c, :, :] / shrink
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


ACTIVATIONS: dict[str, tuple[dict[str, Any], Callable[[Array], Array]]] = {
    "leakyReLU": ({"alpha": 0.25}, lambda x: np.where(x >= 0, x, 0.25 * x)),
    "thresholdedReLU": ({"alpha": 0.5}, lambda x: x * (x >= 0.5)),
    "PReLU": ({"alpha": GAMMA}, lambda x: np.where(x >= 0, x, column(GAMMA) * x)),
    "ELU": ({"alpha": 1.5}, lambda x: np.where(x >= 0, x, 1.5 * (np.exp(x) - 1))),
    "tanh": ({}, np.tanh),
    "scaledTanh": ({"alpha": 1.75, "beta": 0.5}, lambda x: 1.75 * np.tanh(0.5 * x)),
    "sigmoidHard": ({"alpha": 0.25, "beta": 0.5}, lambda x: np.clip(x / 4 + 0.5, 0, 1)),
    "softsign": ({}, lambda x: x / (1 + abs(x))),
    "softplus": ({}, lambda x: np.log1p(np.exp(x))),
    "parametricSoftplus": (
        {"alpha": GAMMA, "beta": BETA},
        lambda x: column(GAMMA) * np.log1p(np.exp(column(BETA) * x)),
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("batch", [True, False])
def test_activation(name: str, batch: bool) -> None:
    fields, formula = ACTIVATIONS[name]

    def fill(layer: Any) -> None:
        params = getattr(layer.activation, name)
        params.SetInParent()
        for field, value in fields.items():
            if isinstance(value, float):
                setattr(params, field, value)
            else:
                getattr(params, field).floatValue.extend(value)

    x = X if batch else X[0]
    np.testing.assert_allclose(run_layer(fill, x), formula(x.astype(np.float64)), atol=1e-5)


def test_parameters_that_do_not_fit_the_channels_fail() -> None:
    def fill(layer: Any) -> None:
        layer.activation.PReLU.alpha.floatValue.extend(GAMMA)

    with pytest.raises(ExecutionFailed, match="neither one value nor one for each"):
        run_layer(fill, X[0, :2])


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_gelu(mode: int) -> None:
    def fill(layer: Any) -> None:
        layer.gelu.mode = mode

    x = X.astype(np.float64)
    expected = (
        x / 2 * (1 + np.vectorize(erf)(x / 2**0.5)),
        x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        x / (1 + np.exp(-1.702 * x)),
    )[mode]
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-5)


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 6.0), (0.5, 2.0), (-1.0, 1.0)])
def test_clamped_relu(alpha: float, beta: float) -> None:
    def fill(layer: Any) -> None:
        layer.clampedReLU.alpha, layer.clampedReLU.beta = alpha, beta

    expected = np.minimum(np.where(X >= 0, X, alpha * X), beta)
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-6)
