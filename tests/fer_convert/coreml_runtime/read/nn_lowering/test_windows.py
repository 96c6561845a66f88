"""NeuralNetwork layers with windows and edges, against loops over positions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import borders, filling, nothing, same

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)


FIVE = RNG.standard_normal((2, 3, 4, 5, 6)).astype(np.float32)  # sequence, batch, image


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
    "mode",
    ["valid", "crop", "shape", "crop and shape", "crop and its shape", "same", "top", "top, shape"],
)
def test_deconvolution(strides: Any, dilations: Any, groups: int, mode: str) -> None:
    check_deconvolution(X, strides, dilations, groups, mode)


@pytest.mark.parametrize("mode", ["valid", "crop", "crop and shape", "same", "top"])
@pytest.mark.parametrize("x", [X[0], FIVE], ids=["image", "sequence"])
def test_deconvolution_of_other_ranks(mode: str, x: Array) -> None:
    check_deconvolution(x, (2, 3), (2, 1), 2, mode)


def check_deconvolution(x: Array, strides: Any, dilations: Any, groups: int, mode: str) -> None:
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
        if mode.startswith(("same", "top")):
            params.same.asymmetryMode = int(mode != "same")
        elif "crop" in mode:
            border(params.valid.paddingAmounts, 1, 0, 1, 2)
        else:
            params.valid.SetInParent()
        if mode == "crop and its shape":
            params.outputShape.extend((height - 1, width - 3))
        elif mode == "top, shape":
            params.outputShape.extend((4, 5))
        elif "shape" in mode:
            params.outputShape.extend((7, 20))

    full = scatter(x.reshape(-1, 4, 5, 6), weight, strides, dilations, groups)
    height, width = full.shape[2:]
    top = left = 0
    if mode.startswith(("same", "top")):
        rows, columns = (4, 5) if "shape" in mode else (5 * strides[0], 6 * strides[1])
        top, left = max(0, height - rows), max(0, width - columns)
        round_up = mode != "same"
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
    expected = expected.reshape(*x.shape[:-3], *expected.shape[1:])
    result = run_layer(fill, x)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("top_left", [False, True])
@pytest.mark.parametrize(
    ("strides", "dilations"),
    [((2, 3), (1, 1)), ((4, 3), (1, 1)), ((1, 1), (2, 3)), ((5, 2), (2, 1))],
)
@pytest.mark.parametrize("x", [X[0], X, FIVE], ids=["image", "batch", "sequence"])
def test_convolution_with_padding_same(
    top_left: bool, strides: Any, dilations: Any, x: Array
) -> None:
    """Also where strides skip pixels, which asks for no padding and not for less."""
    weight, bias = random(3, 4, 3, 2), random(3)
    fill = filling(
        "convolution", outputChannels=3, kernelChannels=4, kernelSize=[3, 2], stride=list(strides),
        dilationFactor=list(dilations), same=same(int(top_left)), hasBias=True, weights=weight,
        bias=bias,
    )  # fmt: skip
    pads: list[int] = []
    for n, k, s, d in zip((5, 6), (3, 2), strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        less, more = total // 2, total - total // 2
        pads = [*((more, less) if top_left else (less, more)), *pads]
    padded = F.pad(torch.from_numpy(x).reshape(-1, 4, 5, 6), pads)
    expected = F.conv2d(
        padded, torch.from_numpy(weight), torch.from_numpy(bias), strides, dilation=dilations
    ).numpy()
    result = run_layer(fill, x)
    assert result.shape == (*x.shape[:-3], 3, -(-5 // strides[0]), -(-6 // strides[1]))
    np.testing.assert_allclose(result, expected.reshape(result.shape), atol=1e-5)


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
@pytest.mark.parametrize("output", [False, True])
def test_convolution3d(kind: str, transposed: bool, output: bool) -> None:
    x, pads, strides = random(2, 4, 3, 4, 5), (0, 1, 1, 0, 2, 1), (2, 1, 2)
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
        params.outputShape.extend((4, 5, 12) if output else ())
        params.weights.floatValue.extend(weight.ravel())

    # SAME needs one plane after the depth, a row on both sides, one column after the width.
    amounts = {"CUSTOM": pads, "VALID": (0,) * 6, "SAME": (0, 1, 1, 1, 0, 1)}[kind]
    if transposed and output:
        # Of the whole size [6, 6, 10] two planes and a row are too much; two columns are missing.
        full = scatter(x, weight, strides, (1, 1, 1), 2)
        expected = np.pad(full, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 2)))[:, :, 1:5, :5]
    elif transposed:
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


@pytest.mark.parametrize("kind", ["constant", "reflection", "replication"])
@pytest.mark.parametrize("x", [X[0], X, FIVE], ids=["image", "batch", "sequence"])
def test_padding_and_crop(kind: str, x: Array) -> None:
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
    expected = np.pad(x, (*[(0, 0)] * (x.ndim - 2), (1, 2), (3, 0)), **modes[kind])
    np.testing.assert_array_equal(run_layer(fill, x), expected)

    def cropping(layer: Any) -> None:
        border(layer.crop.cropAmounts, 1, 2, 3, 0)

    np.testing.assert_array_equal(run_layer(cropping, expected), x)

    def like(layer: Any) -> None:
        layer.crop.offset.extend((1, 3))

    np.testing.assert_array_equal(run_layer(like, expected, x), x)


@pytest.mark.parametrize("kind", ["constant", "reflection", "replication"])
def test_padding_of_a_plane(kind: str) -> None:
    """Two dimensions are enough, in coremltools' tests on Apple's systems; one is not."""
    fill = filling("padding", **{kind: nothing}, paddingAmounts=borders((1, 2), (3, 0)))
    modes = {"constant": "constant", "reflection": "reflect", "replication": "edge"}
    expected = np.pad(X[0, 0], ((1, 2), (3, 0)), mode=modes[kind])  # type: ignore[call-overload]
    np.testing.assert_array_equal(run_layer(fill, X[0, 0]), expected)
    with pytest.raises(ExecutionFailed, match="has rank 1, 2 or more"):
        run_layer(fill, X[0, 0, 0])


def test_a_crop_that_says_nothing() -> None:
    np.testing.assert_array_equal(run_layer(filling("crop"), X), X)
    np.testing.assert_array_equal(run_layer(filling("crop"), X, X[0, 0, :2, :3]), X[..., :2, :3])


def test_output_shapes_that_cannot_be() -> None:
    def flat(layer: Any) -> None:
        layer.convolution.isDeconvolution = True
        layer.convolution.outputShape.append(3)

    with pytest.raises(ArtefactError, match=r"outputShape \[3\] is not 2 sizes"):
        run_layer(flat, X)


def test_edges_that_cannot_be() -> None:
    def beyond(layer: Any) -> None:
        layer.crop.offset.extend((3, 0))

    with pytest.raises(ExecutionFailed, match="is beyond"):
        run_layer(beyond, X, X)

    with pytest.raises(ExecutionFailed, match="nothing is left"):
        run_layer(filling("crop", cropAmounts=borders((3, 2), (0, 0))), X)

    with pytest.raises(ArtefactError, match=r"offset \[3\] is not"):
        run_layer(filling("crop", offset=[3]), X, X)

    with pytest.raises(ExecutionFailed, match="cannot be continued"):
        run_layer(filling("padding", reflection=nothing, paddingAmounts=borders((5, 0), (0, 0))), X)

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
    given = run_layer(computed, x, np.array([1, 0, 0, 2]), fast=False)
    np.testing.assert_array_equal(given, np.pad(x, ((1, 0), (0, 2))))
    with pytest.raises(ExecutionFailed, match="amounts"):
        run_layer(computed, x, np.array([1, 0]))
    with pytest.raises(ExecutionFailed, match="amounts"):
        run_layer(filling("constantPad", padAmounts=[1, 0]), x)
