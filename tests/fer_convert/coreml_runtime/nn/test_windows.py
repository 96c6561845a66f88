"""NeuralNetwork layers with windows and edges, against loops over positions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from tests.fer_convert.coreml_runtime.one_operation import run_layer

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)


def random(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def border(edges: Any, top: int, bottom: int, left: int, right: int) -> None:
    edges.borderAmounts.add(startEdgeSize=top, endEdgeSize=bottom)
    edges.borderAmounts.add(startEdgeSize=left, endEdgeSize=right)


def scatter(x: Array, weight: Array, strides: Any, dilations: Any, groups: int) -> Array:
    """Transposed convolution as a sum of shifted kernels, one per position of x."""
    (n, c), outputs = x.shape[:2], weight.shape[1] * groups
    sizes = [
        (s - 1) * t + (k - 1) * d + 1
        for s, t, k, d in zip(x.shape[2:], strides, weight.shape[2:], dilations, strict=True)
    ]
    full = np.zeros((n, outputs, *sizes))
    for i, channel in itertools.product(range(n), range(c)):
        first = channel // (c // groups) * weight.shape[1]
        for place in itertools.product(*map(range, x.shape[2:])):
            window = tuple(
                slice(p * t, p * t + (k - 1) * d + 1, d)
                for p, t, k, d in zip(place, strides, weight.shape[2:], dilations, strict=True)
            )
            added = x[(i, channel, *place)] * weight[channel]
            full[(i, slice(first, first + weight.shape[1]), *window)] += added
    return full


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1)])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    "mode", ["valid", "crop", "shape", "crop and shape", "crop and its shape", "same", "top"]
)
def test_deconvolution(strides: Any, dilations: Any, groups: int, mode: str) -> None:
    weight, bias = random(4, 6 // groups, 3, 4), random(6)

    def fill(layer: Any) -> None:
        params = layer.convolution
        params.isDeconvolution, params.hasBias = True, True
        params.outputChannels, params.kernelChannels, params.nGroups = 6, 4, groups
        params.kernelSize.extend((3, 4))
        params.stride.extend(strides)
        params.dilationFactor.extend(dilations)
        params.weights.floatValue.extend(weight.ravel())
        params.bias.floatValue.extend(bias)
        if mode in {"same", "top"}:
            params.same.asymmetryMode = int(mode == "top")
        elif "crop" in mode:
            border(params.valid.paddingAmounts, 1, 0, 1, 2)
        else:
            params.valid.SetInParent()
        if mode == "crop and its shape":
            params.outputShape.extend((height - 1, width - 3))
        elif "shape" in mode:
            params.outputShape.extend((7, 20))

    full = scatter(X, weight, strides, dilations, groups)
    height, width = full.shape[2:]
    top = left = 0
    if mode in {"same", "top"}:
        rows, columns = 5 * strides[0], 6 * strides[1]
        top, left = max(0, height - rows), max(0, width - columns)
        round_up = mode == "top"
        top, left = (top + round_up) // 2, (left + round_up) // 2
    elif mode in {"crop", "crop and its shape"}:
        top, left, rows, columns = 1, 1, height - 1, width - 3
    elif "shape" in mode:
        # Padding that leads elsewhere is ignored: half of what is too much goes at the start.
        rows, columns = 7, 20
        top, left = max(0, height - rows) // 2, max(0, width - columns) // 2
    else:
        rows, columns = height, width
    wide = np.pad(full, ((0, 0), (0, 0), (0, 40), (0, 40)))
    expected = wide[:, :, top : top + rows, left : left + columns] + bias[:, None, None]
    result = run_layer(fill, X)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_convolution_of_other_ranks_and_computed_weights() -> None:
    weight = random(3, 4, 2, 2)

    def fill(layer: Any) -> None:
        layer.convolution.outputChannels, layer.convolution.kernelChannels = 3, 4
        layer.convolution.kernelSize.extend((2, 2))
        layer.convolution.valid.SetInParent()

    expected = F.conv2d(torch.from_numpy(X), torch.from_numpy(weight)).numpy()
    np.testing.assert_allclose(run_layer(fill, X, weight), expected, atol=1e-5)
    np.testing.assert_allclose(run_layer(fill, X[0], weight), expected[0], atol=1e-5)
    np.testing.assert_allclose(run_layer(fill, X[:, None], weight), expected[:, None], atol=1e-5)
    with pytest.raises(ExecutionFailed, match="rank 2"):
        run_layer(fill, X[0, 0], weight)


AXES = ("Depth", "Height", "Width")


SIDES = ("Front", "Back", "Top", "Bottom", "Left", "Right")


@pytest.mark.parametrize("kind", ["CUSTOM", "VALID", "SAME"])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolution3d(kind: str, transposed: bool) -> None:
    x, pads, strides = random(1, 4, 3, 4, 5), (0, 1, 1, 0, 2, 1), (2, 1, 2)
    weight = random(*((4, 3) if transposed else (6, 2)), 2, 3, 2)

    def fill(layer: Any) -> None:
        params = layer.convolution3d
        params.outputChannels, params.inputChannels, params.nGroups = 6, 4, 2
        for axis, k, s in zip(AXES, (2, 3, 2), strides, strict=True):
            setattr(params, f"kernel{axis}", k)
            setattr(params, f"stride{axis}", s)
        for side, amount in zip(SIDES, pads, strict=True):
            setattr(params, f"customPadding{side}", amount)
        params.paddingType = ("CUSTOM", "VALID", "SAME").index(kind)
        params.isDeconvolution = transposed
        params.weights.floatValue.extend(weight.ravel())

    # SAME needs one plane after the depth, a row on both sides, one column after the width.
    amounts = {"CUSTOM": pads, "VALID": (0,) * 6, "SAME": (0, 1, 1, 1, 0, 1)}[kind]
    if transposed:
        full = scatter(x, weight, strides, (1, 1, 1), 2)
        # Kernels of 2 at steps of 2 fill the doubled size: only the height has a surplus.
        cut = (0, 0, 1, 1, 0, 0) if kind == "SAME" else amounts
        d, h, w = full.shape[2:]
        expected = full[:, :, cut[0] : d - cut[1], cut[2] : h - cut[3], cut[4] : w - cut[5]]
    else:
        f, b, t, o, le, r = amounts
        padded = F.pad(torch.from_numpy(x), (le, r, t, o, f, b))
        expected = F.conv3d(padded, torch.from_numpy(weight), None, strides, groups=2).numpy()
    result = run_layer(fill, x)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("last_pixel", [True, False])
def test_l2_pooling(strides: Any, last_pixel: bool) -> None:
    def fill(layer: Any) -> None:
        params = layer.pooling
        params.type = 2
        params.kernelSize.extend((3, 2))
        params.stride.extend(strides)
        if last_pixel:
            params.includeLastPixel.paddingAmounts.extend((1, 1))
        else:
            border(params.valid.paddingAmounts, 1, 1, 1, 1)

    shape = F.max_pool2d(torch.from_numpy(X), (3, 2), strides, 1, ceil_mode=last_pixel).shape
    wide = np.pad(X, ((0, 0), (0, 0), (1, 9), (1, 9)))
    expected = np.zeros(shape)
    for i, j in np.ndindex(*shape[2:]):
        window = wide[:, :, i * strides[0] :, j * strides[1] :][:, :, :3, :2]
        expected[:, :, i, j] = np.sqrt((window**2).sum((2, 3)))
    result = run_layer(fill, X)
    assert result.shape == shape
    np.testing.assert_allclose(result, expected, atol=1e-5)
    np.testing.assert_array_equal(run_layer(fill, X[1]), result[1])


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("exclude", [True, False])
def test_pooling3d(kind: int, exclude: bool) -> None:
    x = random(1, 2, 4, 5, 6)

    def fill(layer: Any) -> None:
        params = layer.pooling3d
        params.type, params.countExcludePadding = kind, exclude
        for axis, k, s in zip(AXES, (2, 3, 3), (2, 1, 2), strict=True):
            setattr(params, f"kernel{axis}", k)
            setattr(params, f"stride{axis}", s)
        for side in SIDES:
            setattr(params, f"customPadding{side}", 1)

    t, shape = torch.from_numpy(x), ((2, 3, 3), (2, 1, 2), 1)
    expected = (
        F.max_pool3d(F.pad(t, [1] * 6), *shape[:2])  # zeros, which may be the greatest
        if kind == 0
        else F.avg_pool3d(t, *shape, count_include_pad=not exclude)
    )
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-6)

    def whole(layer: Any) -> None:
        layer.globalPooling3d.type = kind

    reduced = x.max((2, 3, 4)) if kind == 0 else x.mean((2, 3, 4))
    np.testing.assert_allclose(run_layer(whole, x), reduced[:, :, None, None, None], atol=1e-6)


@pytest.mark.parametrize("kind", ["constant", "reflection", "replication"])
def test_padding_and_crop(kind: str) -> None:
    def fill(layer: Any) -> None:
        getattr(layer.padding, kind).SetInParent()
        if kind == "constant":
            layer.padding.constant.value = 2.5
        border(layer.padding.paddingAmounts, 1, 2, 3, 0)

    modes: dict[str, Any] = {
        "constant": {"constant_values": 2.5},
        "reflection": {"mode": "reflect"},
        "replication": {"mode": "edge"},
    }
    expected = np.pad(X, ((0, 0), (0, 0), (1, 2), (3, 0)), **modes[kind])
    np.testing.assert_array_equal(run_layer(fill, X), expected)

    def cropping(layer: Any) -> None:
        border(layer.crop.cropAmounts, 1, 2, 3, 0)

    np.testing.assert_array_equal(run_layer(cropping, expected), X)

    def like(layer: Any) -> None:
        layer.crop.offset.extend((1, 3))

    np.testing.assert_array_equal(run_layer(like, expected, X), X)


def test_a_last_window_behind_the_image_is_refused() -> None:
    """includeLastPixel keeps it only where there is no padding, and nothing says what it holds."""

    def fill(padding: int) -> Any:
        def set_fields(layer: Any) -> None:
            layer.pooling.kernelSize.extend((1, 1))
            layer.pooling.stride.extend((3, 3))
            layer.pooling.includeLastPixel.paddingAmounts.extend((padding, padding))

        return set_fields

    with pytest.raises(
        ExecutionFailed, match="a last window of 1 every 3 lies behind an input of 5"
    ):
        run_layer(fill(0), X)
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    np.testing.assert_array_equal(run_layer(fill(1), X), padded[:, :, :6:3, ::3][..., :3])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda p: p.kernelSize.extend((1, 2, 3)), "kernelSize"),
        (lambda p: p.stride.extend((0, 1)), "stride"),
    ],
)
def test_window_sizes_that_cannot_be(edit: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_layer(lambda layer: edit(layer.pooling), X)


def test_output_shapes_and_volumes_that_cannot_be() -> None:
    def flat(layer: Any) -> None:
        layer.convolution.isDeconvolution = True
        layer.convolution.outputShape.append(3)

    with pytest.raises(ArtefactError, match=r"outputShape \[3\] is not 2 sizes"):
        run_layer(flat, X)

    def deep(layer: Any) -> None:
        layer.pooling3d.kernelDepth = -1

    with pytest.raises(ArtefactError, match="its kernel is"):
        run_layer(deep, X)


def test_edges_that_cannot_be() -> None:
    def beyond(layer: Any) -> None:
        layer.crop.offset.extend((3, 0))

    with pytest.raises(ExecutionFailed, match="is beyond"):
        run_layer(beyond, X, X)

    def three(layer: Any) -> None:
        layer.padding.constant.SetInParent()
        for _ in range(3):
            layer.padding.paddingAmounts.borderAmounts.add()

    with pytest.raises(ArtefactError, match="3 border amounts"):
        run_layer(three, X)

    def both(layer: Any) -> None:
        layer.constantPad.padToGivenOutputSizeMode = True
        layer.constantPad.padAmounts.extend((9, 9))

    with pytest.raises(ExecutionFailed, match="name both ends"):
        run_layer(both, X[0, 0, 0])


def test_constant_pad() -> None:
    x = random(20, 10)

    def fill(layer: Any) -> None:
        layer.constantPad.value = -1.0
        layer.constantPad.padAmounts.extend((0, 5, 10, 11))

    def to_size(layer: Any) -> None:
        layer.constantPad.padToGivenOutputSizeMode = True
        layer.constantPad.padAmounts.extend((0, 21, 14, 0))

    def computed(layer: Any) -> None:
        layer.constantPad.SetInParent()

    expected = np.pad(x, ((0, 5), (10, 11)), constant_values=-1.0)
    np.testing.assert_array_equal(run_layer(fill, x), expected)
    np.testing.assert_array_equal(run_layer(to_size, x), np.pad(x, ((0, 1), (4, 0))))
    given = run_layer(computed, x, np.array([1, 0, 0, 2]))
    np.testing.assert_array_equal(given, np.pad(x, ((1, 0), (0, 2))))
    with pytest.raises(ExecutionFailed, match="amounts"):
        run_layer(computed, x, np.array([1, 0]))
