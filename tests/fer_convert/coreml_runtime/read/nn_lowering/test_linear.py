"""NeuralNetwork products, tables, scale and bias, against NumPy."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import layer_program

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)


def random(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


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
        params.transposeA = True  # which means nothing without a second input

    np.testing.assert_allclose(run_layer(fill, X), X @ weight + bias, atol=1e-5)
    x = X[0, 0, 0]
    np.testing.assert_allclose(run_layer(fill, x), x @ weight + bias, atol=1e-5)


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


@pytest.mark.parametrize(
    ("shape", "rows", "result"),
    [
        ((24,), (24,), (5,)),
        ((3, 24), (3, 24), (3, 5)),
        ((2, 3, 24), (2, 3, 24), (2, 3, 5)),
        ((3, 2, 3, 4), (3, 24), (3, 5, 1, 1)),
        ((2, 3, 2, 3, 4), (2, 3, 24), (2, 3, 5, 1, 1)),
    ],
)
@pytest.mark.parametrize("with_bias", [False, True])
def test_inner_product_of_every_rank(shape: Any, rows: Any, result: Any, with_bias: bool) -> None:
    x, weight, bias = random(*shape), random(5, 24), random(5)
    fill = filling(
        "innerProduct", inputChannels=24, outputChannels=5, weights=weight, hasBias=with_bias,
        **({"bias": bias} if with_bias else {}),
    )  # fmt: skip
    expected = (x.reshape(rows) @ weight.T + bias * with_bias).reshape(result)
    np.testing.assert_allclose(run_layer(fill, x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ((10,), (10,), (1, 1)),
        ((4, 10), (10,), (4, 1)),
        ((10,), (10, 3), (1, 3)),
        ((10,), (2, 10, 3), (2, 1, 3)),
        ((1, 3, 1, 2, 3), (1, 4, 3, 2), (1, 3, 4, 2, 2)),
    ],
)
def test_vectors_are_matrices_of_one_row_or_column(a: Any, b: Any, result: Any) -> None:
    """The shapes of coremltools' own test."""
    x, y = random(*a), random(*b)
    seen = run_layer(filling("batchedMatmul"), x, y)
    assert seen.shape == result
    np.testing.assert_allclose(seen.reshape(-1), np.matmul(x, y).reshape(-1), atol=1e-5)


def signed(outputs: int, inputs: int) -> tuple[Array, float, bytes]:
    codes = RNG.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    return codes, 0.05, codes.tobytes()


@pytest.mark.parametrize("kind", ["innerProduct", "batchedMatmul"])
@pytest.mark.parametrize("zero", [False, True])
def test_input_quantised_as_the_model_runs(kind: str, zero: bool) -> None:
    """Integers by integers, exact, then one scale of each."""
    codes, scale, raw = signed(5, 7)
    sizes = (
        {"inputChannels": 7, "outputChannels": 5} if kind == "innerProduct"
        else {"weightMatrixFirstDimension": 7, "weightMatrixSecondDimension": 5}
    )  # fmt: skip
    fill = filling(
        kind, int8DynamicQuantize=True, weights__int8RawValue=raw, **sizes,
        weights__quantization__numberOfBits=8,
        weights__quantization__linearQuantization__scale=[scale],
    )  # fmt: skip
    x = random(3, 7) * (not zero)
    step = np.abs(x).max() / 127 or 1.0
    integers = np.rint(x / step).astype(np.int64) @ codes.astype(np.int64).T
    program, feeds = layer_program(fill, x)
    for engine in ("reference", "fast"):
        seen = program.predict(feeds, engine=engine)["out0"]
        np.testing.assert_allclose(seen, integers * step * scale, rtol=1e-4, atol=1e-5)


def test_what_coremltools_makes_dynamic() -> None:
    utils = importlib.import_module("coremltools.models.neural_network.quantization_utils")
    weight, x = random(16, 64), random(3, 64)
    program, feeds = layer_program(
        filling("innerProduct", inputChannels=64, outputChannels=16, weights=weight), x
    )
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    spec.description.input.add(name="x").type.multiArrayType.shape.extend(x.shape)
    spec.description.output.add(name="y").type.multiArrayType.SetInParent()
    spec.neuralNetwork.arrayInputShapeMapping = 1
    layer = spec.neuralNetwork.layers.add(name="fc", input=["x"], output=["y"])
    filling("innerProduct", inputChannels=64, outputChannels=16, weights=weight)(layer)
    utils.activate_int8_int8_matrix_multiplications(spec)
    assert layer.innerProduct.int8DynamicQuantize
    seen = load_saved(SavedModel(Path("memory"), Path("memory"), spec)).predict({"x": x})["y"]
    exact = program.run(feeds)["out0"]
    noise = ((seen - exact) ** 2).mean() / (exact**2).mean()
    assert 1e-7 < noise < 1e-3, "coremltools' own test asks for 30 to 40 dB"


@pytest.mark.parametrize(
    "fields",
    [
        {"int8DynamicQuantize": False, "weights__int8RawValue": b"123456"},
        {"int8DynamicQuantize": True, "weights__floatValue": [1.0] * 6},
        {"int8DynamicQuantize": True, "weights__int8RawValue": b"123456", "scale": [1.0, 2.0]},
        {"int8DynamicQuantize": True, "weights__int8RawValue": b"123456", "bias": [1.0]},
    ],
)
def test_dynamic_quantisation_needs_all_its_fields(fields: dict[str, Any]) -> None:
    linear = "weights__quantization__linearQuantization__"
    given = {f"{linear}{k}" if k in {"scale", "bias"} else k: v for k, v in fields.items()}
    fill = filling(
        "innerProduct", inputChannels=3, outputChannels=2, **({f"{linear}scale": [1.0]} | given)
    )
    with pytest.raises(ArtefactError, match="need int8DynamicQuantize, int8RawValue and one scale"):
        layer_program(fill, random(1, 3))


def test_a_network_of_quantised_weights() -> None:
    """Weights that only the layer knows the shape of, in both engines."""
    codes = np.arange(30, dtype=np.uint8).reshape(5, 6)
    scale, x = np.float32([0.5, 1, 2, -1, 0.25]), X[0, 0]
    fill = filling(
        "innerProduct", inputChannels=6, outputChannels=5, weights__rawValue=codes.tobytes(),
        weights__quantization__numberOfBits=8,
        weights__quantization__linearQuantization__scale=scale.tolist(),
        weights__quantization__linearQuantization__bias=[1.0],
    )  # fmt: skip
    wanted = x @ (codes * scale[:, None] + 1).T
    np.testing.assert_allclose(run_layer(fill, x), wanted, rtol=1e-5, atol=1e-5)
    slopes = filling(
        "activation", PReLU__alpha__rawValue=b"\x1b",
        PReLU__alpha__quantization__numberOfBits=2,
        PReLU__alpha__quantization__lookupTableQuantization__floatValue=[0.1, 0.2, 0.3, 0.4],
    )  # fmt: skip
    slope = np.float32([0.1, 0.2, 0.3, 0.4])[:, None, None]
    np.testing.assert_allclose(run_layer(slopes, X), np.where(X < 0, slope * X, X), rtol=1e-6)
