"""NeuralNetwork layers with windows, resampling and products, against loops over positions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from tests.coreml_runtime.one_operation import run_layer

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


def interpolated(x: Array, rows: Array, columns: Array) -> Array:
    """Bilinear samples at the given positions, one value at a time."""
    out = np.zeros((*x.shape[:-2], len(rows), len(columns)))
    for *lead, i, j in np.ndindex(*out.shape):
        plane = x[tuple(lead)]
        line = [np.interp(columns[j], np.arange(x.shape[-1]), row) for row in plane]
        out[(*lead, i, j)] = np.interp(rows[i], np.arange(x.shape[-2]), line)
    return out


def positions(mode: str, size: int, count: int) -> Array:
    i = np.arange(count)
    steps = max(1, count - 1)
    return {
        "strict": i * (size - 1) / steps,
        "align": i * (size - 1) / steps if count > 1 else np.array([(size - 1) / 2]),
        "default": i * (size - size / count) / steps,
        "roi": (i + 0.5) * max(1, size - 1) / count,
        "half": (i + 0.5) * size / count - 0.5,
    }[mode].clip(0, size - 1)


@pytest.mark.parametrize("mode", ["strict", "align", "default", "roi"])
@pytest.mark.parametrize("target", [(1, 1), (3, 11), (10, 6)])
def test_resize_bilinear(mode: str, target: tuple[int, int]) -> None:
    def fill(layer: Any) -> None:
        layer.resizeBilinear.targetSize.extend(target)
        layer.resizeBilinear.mode.samplingMethod = (
            "strict", "align", "default", "roi"
        ).index(mode)  # fmt: skip

    expected = interpolated(X, positions(mode, 5, target[0]), positions(mode, 6, target[1]))
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["default", "strict", "half"])
@pytest.mark.parametrize("factors", [(2, 3), (1, 1), (1.5, 2.4)])
def test_upsample(mode: str, factors: Any) -> None:
    def fill(layer: Any) -> None:
        params = layer.upsample
        params.mode, params.linearUpsampleMode = 1, ("default", "strict", "half").index(mode)
        field = "scalingFactor" if isinstance(factors[0], int) else "fractionalScalingFactor"
        getattr(params, field).extend(factors)

    if mode == "default" and factors[0] == 1.5:
        with pytest.raises(ArtefactError, match="fractional"):
            run_layer(fill, X)
        return
    height, width = int(5 * factors[0]), int(6 * factors[1])
    expected = interpolated(X, positions(mode, 5, height), positions(mode, 6, width))
    np.testing.assert_allclose(run_layer(fill, X), expected, atol=1e-5)


def test_upsample_nearest() -> None:
    def fill(layer: Any) -> None:
        layer.upsample.scalingFactor.extend((2, 3))

    np.testing.assert_array_equal(run_layer(fill, X), np.kron(X, np.ones((1, 1, 2, 3))))


def test_reorganize_data() -> None:
    x = random(2, 3, 4, 6)

    def fill(mode: int) -> Any:
        def set_mode(layer: Any) -> None:
            layer.reorganizeData.mode, layer.reorganizeData.blockSize = mode, 2

        return set_mode

    deep = np.concatenate([x[:, :, i::2, j::2] for i in range(2) for j in range(2)], 1)
    np.testing.assert_array_equal(run_layer(fill(0), x), deep)
    np.testing.assert_array_equal(run_layer(fill(1), deep), x)
    shuffled = deep.reshape(2, 4, 3, 2, 3).swapaxes(1, 2).reshape(2, 12, 2, 3)
    np.testing.assert_array_equal(run_layer(fill(2), shuffled), x)
    np.testing.assert_array_equal(run_layer(fill(0), x[0]), deep[0])


@pytest.mark.parametrize("a", [False, True])
@pytest.mark.parametrize("b", [False, True])
def test_batched_matmul(a: bool, b: bool) -> None:
    x, y = random(2, 1, 3, 4), random(5, 4, 6)

    def fill(layer: Any) -> None:
        layer.batchedMatmul.transposeA, layer.batchedMatmul.transposeB = a, b

    given = (x.swapaxes(-1, -2) if a else x, y.swapaxes(-1, -2) if b else y)
    np.testing.assert_allclose(run_layer(fill, *given), np.matmul(x, y), atol=1e-5)


def test_batched_matmul_with_weights() -> None:
    weight, bias = random(6, 3), random(3)

    def fill(layer: Any) -> None:
        params = layer.batchedMatmul
        params.weightMatrixFirstDimension, params.weightMatrixSecondDimension = 6, 3
        params.weights.floatValue.extend(weight.ravel(order="F"))
        params.hasBias = True
        params.bias.floatValue.extend(bias)

    np.testing.assert_allclose(run_layer(fill, X), X @ weight + bias, atol=1e-5)


@pytest.mark.parametrize("cosine", [False, True])
def test_dot(cosine: bool) -> None:
    x, y = random(2, 7, 1, 1), random(2, 7, 1, 1)

    def fill(layer: Any) -> None:
        layer.dot.cosineSimilarity = cosine

    expected = np.einsum("ncij,ncij->n", x, y)
    if cosine:
        expected /= np.linalg.norm(x, axis=1).ravel() * np.linalg.norm(y, axis=1).ravel()
    np.testing.assert_allclose(run_layer(fill, x, y).ravel(), expected, atol=1e-5)


def test_embeddings() -> None:
    weight, bias, index = random(3, 5), random(3), np.array([[4], [0], [2]], np.float32)

    def fill(kind: str, width: str, rows: str) -> Any:
        def set_weights(layer: Any) -> None:
            params = getattr(layer, kind)
            setattr(params, width, 3)
            setattr(params, rows, 5)
            params.hasBias = True
            params.weights.floatValue.extend(weight.ravel())
            params.bias.floatValue.extend(bias)

        return set_weights

    expected = np.stack([weight[:, i] + bias for i in (4, 0, 2)])
    nd = fill("embeddingND", "embeddingSize", "vocabSize")
    np.testing.assert_array_equal(run_layer(nd, index), expected)
    old = fill("embedding", "outputChannels", "inputDim")
    result = run_layer(old, index[:, :, None, None])
    np.testing.assert_array_equal(result, expected[:, :, None, None])
    with pytest.raises(ExecutionFailed):
        run_layer(nd, np.array([[5.0]]))


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5, 6), (4, 5, 6)])
def test_scale_and_bias(shape: tuple[int, ...]) -> None:
    factor, added = random(*shape), random(4)

    def scaling(layer: Any) -> None:
        layer.scale.shapeScale.extend(shape)
        layer.scale.scale.floatValue.extend(factor.ravel())
        layer.scale.hasBias = True
        layer.scale.shapeBias.append(4)
        layer.scale.bias.floatValue.extend(added)

    def adding(layer: Any) -> None:
        layer.bias.shape.extend(shape)
        layer.bias.bias.floatValue.extend(factor.ravel())

    wide = factor[:, None, None] if len(shape) == 1 else factor
    expected = X * wide + added[:, None, None]
    np.testing.assert_allclose(run_layer(scaling, X), expected, atol=1e-6)
    np.testing.assert_array_equal(run_layer(adding, X), X + wide)
