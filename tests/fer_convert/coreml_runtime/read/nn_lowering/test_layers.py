"""NeuralNetwork layers, written as messages, against PyTorch and the loops' own rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError, load

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(4)


X = RNG.standard_normal((1, 4, 7, 8)).astype(np.float32)


T = torch.from_numpy(X)


W = RNG.standard_normal((6, 2, 4, 3)).astype(np.float32)  # groups = 2


B = RNG.standard_normal(6).astype(np.float32)


def fill_convolution(params: Any, *, stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    params.outputChannels, params.kernelChannels, params.nGroups = 6, 2, 2
    params.kernelSize.extend((4, 3))
    params.stride.extend(stride)
    params.dilationFactor.extend(dilation)
    params.hasBias = True
    params.weights.floatValue.extend(W.reshape(-1))
    params.bias.float16Value = B.astype("<f2").tobytes()


def amounts(params: Any, pads: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = pads
    params.valid.paddingAmounts.borderAmounts.add(startEdgeSize=top, endEdgeSize=bottom)
    params.valid.paddingAmounts.borderAmounts.add(startEdgeSize=left, endEdgeSize=right)


def torch_conv(pads: tuple[int, int, int, int], stride: Any, dilation: Any) -> Array:
    top, bottom, left, right = pads
    padded = F.pad(T, (left, right, top, bottom))
    bias = torch.from_numpy(B).half().float()
    return F.conv2d(padded, torch.from_numpy(W), bias, stride, 0, dilation, 2).numpy()


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 2, 0, 3), (2, 2, 1, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
def test_convolution(run_layer: Callable[..., Any], pads: Any, stride: Any, dilation: Any) -> None:
    def fill(params: Any) -> None:
        fill_convolution(params, stride=stride, dilation=dilation)
        amounts(params, pads)

    np.testing.assert_allclose(
        run_layer("convolution", fill, X), torch_conv(pads, stride, dilation), atol=1e-5
    )


@pytest.mark.parametrize(("mode", "pads"), [(0, (1, 2, 1, 1)), (1, (2, 1, 1, 1))])
def test_convolution_same_asymmetry(run_layer: Callable[..., Any], mode: int, pads: Any) -> None:
    """A kernel of 4 needs three rows: two below by default, two above if top-left heavy."""

    def fill(params: Any) -> None:
        fill_convolution(params, stride=(1, 1), dilation=(1, 1))
        params.same.asymmetryMode = mode

    result = run_layer("convolution", fill, X)
    assert result.shape == (1, 6, 7, 8)
    np.testing.assert_allclose(result, torch_conv(pads, (1, 1), (1, 1)), atol=1e-5)


@pytest.mark.parametrize("kind", [0, 1], ids=["max", "average"])
@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize("last_pixel", [True, False])
def test_pooling(run_layer: Callable[..., Any], kind: int, exclude: bool, last_pixel: bool) -> None:
    """``includeLastPixel`` is PyTorch's ceil mode, ``avgPoolExcludePadding`` its opposite count."""

    def fill(params: Any) -> None:
        params.type = kind
        params.kernelSize.extend((3, 2))
        params.stride.extend((2, 3))
        params.avgPoolExcludePadding = exclude
        if last_pixel:
            params.includeLastPixel.paddingAmounts.extend((1, 1))
        else:
            amounts(params, (1, 1, 1, 1))

    if kind == 0:
        expected = F.max_pool2d(T, (3, 2), (2, 3), (1, 1), ceil_mode=last_pixel)
    else:
        expected = F.avg_pool2d(T, (3, 2), (2, 3), (1, 1), last_pixel, not exclude)
    np.testing.assert_allclose(run_layer("pooling", fill, X), expected, atol=1e-6)


@pytest.mark.parametrize("kind", [0, 1], ids=["max", "average"])
def test_global_pooling(run_layer: Callable[..., Any], kind: int) -> None:
    def fill(params: Any) -> None:
        params.type, params.globalPooling = kind, True

    expected = X.max((2, 3), keepdims=True) if kind == 0 else X.mean((2, 3), keepdims=True)
    np.testing.assert_allclose(run_layer("pooling", fill, X), expected, atol=1e-6)


def test_batchnorm(run_layer: Callable[..., Any]) -> None:
    values = RNG.random((4, 4)).astype(np.float32) + 0.1

    def fill(params: Any) -> None:
        params.channels, params.epsilon = 4, 1e-3
        for field, v in zip(("mean", "variance", "gamma", "beta"), values, strict=True):
            getattr(params, field).floatValue.extend(v)

    m, v, g, b = (torch.from_numpy(x) for x in values)
    np.testing.assert_allclose(
        run_layer("batchnorm", fill, X), F.batch_norm(T, m, v, g, b, eps=1e-3), atol=1e-5
    )


def test_inner_product(run_layer: Callable[..., Any]) -> None:
    x = RNG.standard_normal((3, 5)).astype(np.float32)
    w, b = RNG.random((2, 5)).astype(np.float32), RNG.random(2).astype(np.float32)

    def fill(params: Any) -> None:
        params.inputChannels, params.outputChannels, params.hasBias = 5, 2, True
        params.weights.floatValue.extend(w.reshape(-1))
        params.bias.floatValue.extend(b)

    np.testing.assert_allclose(run_layer("innerProduct", fill, x), x @ w.T + b, atol=1e-6)


def set_field(path: str, value: Any = None) -> Callable[[Any], None]:
    def fill(params: Any) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            params = getattr(params, parent)
        if value is None:
            getattr(params, last).SetInParent()
        elif isinstance(value, tuple):
            getattr(params, last).extend(value)
        else:
            setattr(params, last, value)

    return fill


def linear(params: Any) -> None:
    params.linear.alpha, params.linear.beta = 0.5, -1.0


@pytest.mark.parametrize(
    ("kind", "fill", "expected"),
    [
        ("activation", set_field("ReLU"), F.relu(T)),
        ("activation", set_field("sigmoid"), torch.sigmoid(T)),
        ("activation", linear, 0.5 * T - 1),
        ("softmaxND", set_field("axis", 1), torch.softmax(T, 1)),
        ("softmaxND", set_field("axis", -1), torch.softmax(T, 3)),
        ("softmax", lambda _params: None, torch.softmax(T, 1)),
        ("add", set_field("alpha", 1.5), T + 1.5),
        ("multiply", set_field("alpha", -2.0), T * -2),
        ("copy", lambda _params: None, T),
        ("reshapeStatic", set_field("targetShape", (1, -1)), T.reshape(1, -1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_simple_layers(
    run_layer: Callable[..., Any], kind: str, fill: Any, expected: torch.Tensor
) -> None:
    result = run_layer(kind, fill, X)
    assert result.shape == tuple(expected.shape)
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("add", T + F.relu(T) + T),
        ("multiply", T * F.relu(T) * T),
        ("concat", torch.cat([T, F.relu(T), T], 1)),
    ],
)
def test_layers_of_several_inputs(
    save_network: Callable[..., Path], kind: str, expected: torch.Tensor
) -> None:
    def add(network: Any) -> None:
        network.layers.add(name="r", input=["x"], output=["r"]).activation.ReLU.SetInParent()
        layer = network.layers.add(name="l", input=["x", "r", "x"], output=["y"])
        getattr(layer, kind).SetInParent()

    result = load(save_network(add, X.shape)).run({"x": X})["y"]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_weights_of_the_wrong_size_are_refused(run_layer: Callable[..., Any]) -> None:
    def fill(params: Any) -> None:
        fill_convolution(params, stride=(1, 1), dilation=(1, 1))
        params.weights.floatValue.append(0.0)

    with pytest.raises(ArtefactError, match=r"'weights' holds 145 values, \[6, 2, 4, 3\]"):
        run_layer("convolution", fill, X)


def test_quantised_weights_without_a_width_are_refused(run_layer: Callable[..., Any]) -> None:
    with pytest.raises(ArtefactError, match="quantised to 0 bits"):
        run_layer("convolution", set_field("weights.rawValue", b"\x01"), X)
