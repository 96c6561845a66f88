"""Models before iOS 13: arrays declared as C or C, H, W and computed with five dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_convert.coreml_runtime import ArtefactError, Program, RefusedInput
from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel
from tests.fer_convert.coreml_runtime.layer_filling import filling, nothing, valid
from tests.fer_convert.coreml_runtime.quiet import quiet

RNG = np.random.default_rng(8)


ENGINES = ["reference", "fast"]


def loaded(spec: Any) -> Program:
    return load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def network(
    *layers: Any, shape: tuple[int, ...], declared: tuple[int, ...] = (), version: int = 1
) -> Program:
    """``layers`` from array ``x`` to array ``y``, in the mapping that a file does not mention."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = version
    array = spec.description.input.add(name="x").type.multiArrayType
    array.shape.extend(shape)
    array.dataType = 65568
    output = spec.description.output.add(name="y").type.multiArrayType
    output.dataType = 65600
    output.shape.extend(declared)
    for number, fill in enumerate(layers):
        layer = spec.neuralNetwork.layers.add(name=f"l{number}")
        layer.input.append("x" if number == 0 else f"v{number}")
        layer.output.append("y" if number == len(layers) - 1 else f"v{number + 1}")
        fill(layer)
    return loaded(spec)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("shape", "given", "computed"),
    [
        ((4,), (4,), (1, 1, 4, 1, 1)),
        ((4,), (3, 2, 4), (3, 2, 4, 1, 1)),
        ((4,), (3, 2, 4, 1, 1), (3, 2, 4, 1, 1)),
        ((2, 3, 4), (2, 3, 4), (1, 1, 2, 3, 4)),
        ((2, 3, 4), (5, 1, 2, 3, 4), (5, 1, 2, 3, 4)),
    ],
)
def test_arrays_come_with_five_dimensions(
    engine: Any, version: int, shape: Any, given: Any, computed: Any
) -> None:
    program = network(
        filling("activation", linear__alpha=2, linear__beta=1), shape=shape, version=version
    )
    x = RNG.normal(size=given).astype(np.float32)
    answer = program.predict({"x": x}, engine=engine)
    assert answer.engine == engine
    assert answer["y"].shape == computed
    np.testing.assert_allclose(answer["y"].reshape(given), 2 * x + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ((4,), (4, 1)),
        ((4,), (5,)),
        ((4,), (1, 1, 4, 1, 2)),
        ((4,), (0, 1, 4)),
        ((2, 3, 4), (1, 2, 3, 4)),
    ],
)
def test_other_shapes_are_refused(shape: Any, given: Any) -> None:
    program = network(filling("activation", ReLU=nothing), shape=shape)
    with pytest.raises(RefusedInput, match="after a sequence and a batch, got"):
        program.predict({"x": np.zeros(given)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("declared", "given", "seen"),
    [
        ((5,), (2, 3, 4), (5,)),
        ((5, 1, 1), (2, 3, 4), (5, 1, 1)),
        ((), (2, 3, 4), (1, 1, 5, 1, 1)),
        ((5,), (3, 1, 2, 3, 4), (3, 1, 5, 1, 1)),
    ],
)
def test_an_output_has_its_declared_shape_where_that_is_possible(
    engine: Any, declared: Any, given: Any, seen: Any
) -> None:
    weight = RNG.normal(size=(5, 24)).astype(np.float32)
    product = filling("innerProduct", inputChannels=24, outputChannels=5, weights=weight)
    program = network(product, shape=(2, 3, 4), declared=declared)
    x = RNG.normal(size=given).astype(np.float32)
    answer = program.predict({"x": x}, engine=engine)["y"]
    assert answer.shape == seen
    assert answer.dtype == np.float64
    np.testing.assert_allclose(
        answer.reshape(-1, 5), x.reshape(-1, 24) @ weight.T, rtol=1e-4, atol=1e-4
    )


def test_an_optional_array_takes_its_default_in_five_dimensions() -> None:
    program = network(filling("activation", ReLU=nothing), shape=(2, 1, 3))
    spec_input = program.inputs[0]
    assert spec_input.five_dimensional
    spec = proto_module("Model_pb2").Model()
    array = spec.description.input.add(name="x").type
    array.isOptional = True
    array.multiArrayType.shape.extend((2, 1, 3))
    array.multiArrayType.floatDefaultValue = 1.5
    spec.description.output.add(name="y").type.multiArrayType.SetInParent()
    layer = spec.neuralNetwork.layers.add(name="l", input=["x"], output=["y"])
    layer.activation.ReLU.SetInParent()
    np.testing.assert_array_equal(loaded(spec).predict({})["y"], np.full((1, 1, 2, 1, 3), 1.5))


@pytest.mark.parametrize("shape", [(2, 3), (1, 1, 1, 1), ()])
def test_a_declared_shape_has_one_or_three_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtefactError, match="takes C or C, H, W"):
        network(filling("activation", ReLU=nothing), shape=shape)


def test_enumerated_shapes() -> None:
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 3
    array = spec.description.input.add(name="x").type.multiArrayType
    array.shape.extend((1, 2, 2))
    for shape in ((1, 2, 2), (1, 4, 6)):
        array.enumeratedShapes.shapes.add().shape.extend(shape)
    spec.description.output.add(name="y").type.multiArrayType.SetInParent()
    layer = spec.neuralNetwork.layers.add(name="pool", input=["x"], output=["y"])
    filling("pooling", type=1, kernelSize=[2, 2], stride=[2, 2], valid=valid())(layer)
    program = loaded(spec)
    for engine in ENGINES:
        for height, width in ((2, 2), (4, 6)):
            x = RNG.normal(size=(1, height, width)).astype(np.float32)
            seen = program.predict({"x": x}, engine=engine)["y"]
            wanted = x.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
            np.testing.assert_allclose(seen[0, 0, 0], wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(RefusedInput, match=r"takes \[1, 2, 2\] or \[1, 4, 6\]"):
        program.predict({"x": np.zeros((1, 3, 3))})


def image_network(*, layout: int, mean: bool) -> Any:
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 1
    for entry in (spec.description.input.add(name="x"), spec.description.output.add(name="y")):
        image = entry.type.imageType
        image.width, image.height, image.colorSpace = 5, 4, layout
    entry = spec.neuralNetwork.preprocessing.add(featureName="x")
    if mean:
        channels = 1 if layout == 10 else 3
        entry.meanImage.meanImage.extend(range(channels * 20))
    else:
        entry.scaler.channelScale = 0.5
        entry.scaler.redBias, entry.scaler.greenBias, entry.scaler.blueBias = 1, 2, 3
        entry.scaler.grayBias = 4
    layer = spec.neuralNetwork.layers.add(name="l", input=["x"], output=["y"])
    layer.activation.ReLU.SetInParent()
    return spec


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize(("layout", "mode"), [(10, "L"), (20, "RGB"), (30, "RGB")])
def test_images(engine: Any, mean: bool, layout: int, mode: str) -> None:
    """Preprocessing in the order of the declared layout; the output is declared in the same."""
    channels = 1 if mode == "L" else 3
    pixels = RNG.integers(120, 256, (4, 5, channels), dtype=np.uint8)
    picture = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
    program = loaded(image_network(layout=layout, mean=mean))
    seen = np.asarray(program.predict({"x": picture}, engine=engine)["y"]).reshape(4, 5, channels)
    order = [2, 1, 0] if layout == 30 else list(range(channels))
    planes = pixels.transpose(2, 0, 1)[order].astype(np.float64)
    if mean:
        wanted = planes - np.arange(channels * 20).reshape(planes.shape)
    else:
        biases = [4] if mode == "L" else [[1, 2, 3][i] for i in order]
        wanted = 0.5 * planes + np.array(biases)[:, None, None]
    np.testing.assert_array_equal(seen, np.rint(wanted[order]).transpose(1, 2, 0))


def test_a_mean_image_of_another_size_fails() -> None:
    spec = image_network(layout=20, mean=True)
    spec.neuralNetwork.preprocessing[0].meanImage.meanImage.append(1)
    with pytest.raises(ArtefactError, match="meanImage of x"):
        loaded(spec).predict({"x": Image.new("RGB", (5, 4))})


def test_coremltools_builder_writes_this_mapping() -> None:
    """The builder's default, which its tests run on Apple's systems: a small classifier."""
    with quiet():
        from coremltools.models import datatypes
        from coremltools.models.neural_network import NeuralNetworkBuilder

        builder = NeuralNetworkBuilder(
            [("x", datatypes.Array(3, 6, 6))], [("y", datatypes.Array(4))], mode="classifier"
        )
    weight, matrix = RNG.normal(size=(3, 3, 3, 2)), RNG.normal(size=(4, 8))
    builder.add_convolution(
        "conv", kernel_channels=3, output_channels=2, height=3, width=3, stride_height=1,
        stride_width=1, border_mode="valid", groups=1, W=weight, b=None, has_bias=False,
        input_name="x", output_name="c",
    )  # fmt: skip
    builder.add_activation("relu", "RELU", "c", "r")
    builder.add_pooling("pool", 2, 2, 2, 2, "MAX", "VALID", "r", "p")
    builder.add_flatten("flat", 0, "p", "f")
    builder.add_inner_product("fc", matrix, None, 8, 4, False, "f", "z")
    builder.add_softmax("softmax", "z", "y")
    builder.set_class_labels(list("abcd"), "label", "y")
    x = RNG.normal(size=(3, 6, 6)).astype(np.float32)
    planes = np.zeros((2, 4, 4))
    for i, j in np.ndindex(4, 4):
        planes[:, i, j] = np.einsum("cij,ijco->o", x[:, i : i + 3, j : j + 3], weight)
    pooled = np.maximum(planes, 0).reshape(2, 2, 2, 2, 2).max((2, 4))
    logits = matrix @ pooled.reshape(-1)
    wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    program = loaded(builder.spec)
    for engine in ENGINES:
        answer = program.predict({"x": x}, engine=engine)
        assert answer["label"] == "abcd"[int(wanted.argmax())]
        np.testing.assert_allclose(list(answer["y"].values()), wanted, rtol=1e-4, atol=1e-6)
