"""NeuralNetwork layers that sample anew or move blocks, against one value at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import filling

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)


FIVE = RNG.standard_normal((2, 1, 2, 5, 6)).astype(np.float32)  # sequence, batch, image


RANKS = pytest.mark.parametrize("x", [X[0], X, FIVE], ids=["image", "batch", "sequence"])


def random(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


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
@RANKS
def test_resize_bilinear(mode: str, target: tuple[int, int], x: Array) -> None:
    def fill(layer: Any) -> None:
        layer.resizeBilinear.targetSize.extend(target)
        layer.resizeBilinear.mode.samplingMethod = (
            "strict", "align", "default", "roi"
        ).index(mode)  # fmt: skip

    expected = interpolated(x, positions(mode, 5, target[0]), positions(mode, 6, target[1]))
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["default", "strict", "half"])
@pytest.mark.parametrize("factors", [(2, 3), (1, 1), (1.5, 2.4)])
@RANKS
def test_upsample(mode: str, factors: Any, x: Array) -> None:
    def fill(layer: Any) -> None:
        params = layer.upsample
        params.mode, params.linearUpsampleMode = 1, ("default", "strict", "half").index(mode)
        field = "scalingFactor" if isinstance(factors[0], int) else "fractionalScalingFactor"
        getattr(params, field).extend(factors)

    if mode == "default" and factors[0] == 1.5:
        with pytest.raises(ArtefactError, match="fractional"):
            run_layer(fill, x)
        return
    height, width = int(5 * factors[0]), int(6 * factors[1])
    expected = interpolated(x, positions(mode, 5, height), positions(mode, 6, width))
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


def test_a_fraction_that_fp32_cannot_hold() -> None:
    """0.7 of 10 rows are 7, as in an ML Program, although the file's 0.7 is a little less."""
    fill = filling("upsample", fractionalScalingFactor=[0.7, 1.0], mode=1, linearUpsampleMode=1)
    assert run_layer(fill, random(2, 10, 3)).shape == (2, 7, 3)


@RANKS
def test_upsample_nearest(x: Array) -> None:
    def fill(layer: Any) -> None:
        layer.upsample.scalingFactor.extend((2, 3))

    np.testing.assert_array_equal(run_layer(fill, x), x.repeat(2, -2).repeat(3, -1))


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_reorganize_data(leading: tuple[int, ...]) -> None:
    x = random(*leading, 3, 4, 6)

    def fill(mode: int) -> Any:
        def set_mode(layer: Any) -> None:
            layer.reorganizeData.mode, layer.reorganizeData.blockSize = mode, 2

        return set_mode

    deep = np.concatenate([x[..., i::2, j::2] for i in range(2) for j in range(2)], -3)
    np.testing.assert_array_equal(run_layer(fill(0), x), deep)
    np.testing.assert_array_equal(run_layer(fill(1), deep), x)
    shuffled = deep.reshape(*leading, 4, 3, 2, 3).swapaxes(-4, -3).reshape(deep.shape)
    np.testing.assert_array_equal(run_layer(fill(2), shuffled), x)
