"""In half precision a layer is rounded once, whatever number of operations it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel
from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import layer_program

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(3)


def half(values: Any) -> Array:
    """To the nearest fp16 value, in fp64."""
    return np.asarray(values).astype(np.float32).astype(np.float16).astype(np.float64)


X = half(RNG.standard_normal((2, 4, 16, 16)) + 1)


A, B = (RNG.standard_normal(4).astype(np.float32) for _ in range(2))


a, b = (half(values)[:, None, None] for values in (A, B))


def spread(x: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.sqrt(x.var(axes, keepdims=True) + 0.25))


CENTRED = X - X.mean((0, 2, 3), keepdims=True)


# The layer, what it computes, and what comes of it if a value on the way is rounded as well.
LAYERS: dict[str, tuple[Any, Array, Array]] = {
    "scale": (
        filling("scale", shapeScale=[4], scale=A, hasBias=True, shapeBias=[4], bias=B),
        a * X + b,
        half(a * X) + b,
    ),
    "batchnorm": (
        filling("batchnorm", channels=4, computeMeanVar=True, epsilon=0.25, gamma=A, beta=B),
        CENTRED / spread(X, (0, 2, 3)) * a + b,
        half(half(CENTRED / spread(X, (0, 2, 3))) * a) + b,
    ),
    "unary": (
        filling("unary", type=3, alpha=1.5, scale=0.3, shift=9),
        (np.float32(0.3) * X + 9) ** 1.5,
        half(np.float32(0.3) * X + 9) ** 1.5,
    ),
    "mvn": (
        filling("mvn"),
        X - X.mean((2, 3), keepdims=True),
        X - half(X.mean((2, 3), keepdims=True)),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_several_operations(name: str) -> None:
    fill, wanted, rounded_twice = LAYERS[name]
    program, feeds = layer_program(fill, X)
    computed = program.run(feeds, precision="fp16")["out0"]
    # fp32 and fp64 may lie on two sides of the middle between two fp16 values, though rarely.
    assert (computed != half(wanted)).mean() < 0.002
    assert (half(rounded_twice) != half(wanted)).mean() > 0.02


def test_the_numbers_of_preprocessing_are_not_rounded() -> None:
    """Weights are stored in half precision; a scale of 1/255 is not."""
    spec = proto_module("Model_pb2").Model(specificationVersion=1)
    image = spec.description.input.add(name="x").type.imageType
    image.width, image.height, image.colorSpace = 16, 16, 20
    scaler = spec.neuralNetwork.preprocessing.add(featureName="x").scaler
    scaler.channelScale, scaler.redBias, scaler.greenBias, scaler.blueBias = 1 / 255, 0.3, 0.1, -0.7
    spec.neuralNetwork.layers.add(name="l", input=["x"], output=["y"]).copy.SetInParent()
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    program = load_saved(SavedModel(Path("memory"), Path("memory"), spec))
    pixels = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    computed = program.run({"x": pixels}, precision="fp16")["y"][0, 0]
    planes, scale = pixels.transpose(2, 0, 1).astype(np.float64), np.float32(1 / 255)
    bias = np.float32([0.3, 0.1, -0.7])[:, None, None].astype(np.float64)
    assert (computed != half(planes * scale + bias)).mean() < 0.002
    assert (half(planes * half(scale) + bias) != half(planes * scale + bias)).mean() > 0.02
    assert (half(half(planes * scale) + bias) != half(planes * scale + bias)).mean() > 0.02
