"""What goes in and comes out: element types, optional and flexible inputs, images, functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fer_convert.coreml_runtime import (
    ArtefactError,
    Program,
    RefusedInput,
    UnsupportedOperation,
    load,
)
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import layer_program, mil_program

FLOAT16, FLOAT32, DOUBLE, INT32, INT8 = 65552, 65568, 65600, 131104, 131080


def save(path: Path, edit: Callable[[Any], None]) -> Path:
    """A NeuralNetwork ``y = copy(x)`` on arrays [2, 3], edited."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 4
    declared = spec.description.input.add(name="x").type.multiArrayType
    declared.shape.extend((2, 3))
    declared.dataType = FLOAT32
    spec.description.output.add(name="y").type.multiArrayType.dataType = FLOAT32
    spec.neuralNetwork.arrayInputShapeMapping = 1
    spec.neuralNetwork.layers.add(name="copy", input=["x"], output=["y"]).copy.SetInParent()
    edit(spec)
    path.write_bytes(spec.SerializeToString())
    return path


def array_of(spec: Any) -> Any:
    return spec.description.input[0].type.multiArrayType


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (FLOAT16, np.float16),
        (FLOAT32, np.float32),
        (DOUBLE, np.float64),
        (INT32, np.int32),
        (INT8, np.int8),
    ],
)
def test_outputs_have_their_declared_element_type(
    tmp_path: Path, number: int, dtype: type[np.generic]
) -> None:
    def declare(spec: Any) -> None:
        spec.description.output[0].type.multiArrayType.dataType = number

    for engine in ("reference", "auto"):
        answer = load(save(tmp_path / "m.mlmodel", declare)).predict({"x": X}, engine=engine)
        assert answer["y"].dtype == dtype
        np.testing.assert_array_equal(answer["y"], X)


def test_integer_inputs_refuse_fractions(tmp_path: Path) -> None:
    model = load(save(tmp_path / "m.mlmodel", lambda s: setattr(array_of(s), "dataType", INT32)))
    np.testing.assert_array_equal(model.predict({"x": X.astype(np.int64)})["y"], X)
    with pytest.raises(RefusedInput, match="takes int32, got fractions"):
        model.predict({"x": X + 0.5})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Image.new("RGB", (3, 2)), "not a picture"),
        ([[1], [1, 2]], "takes an array"),
        (np.array([["a"]]), "takes numbers"),
        (X[:1], r"takes \[2, 3\], got \[1, 3\]"),
    ],
)
def test_other_things_than_the_declared_array_are_refused(
    tmp_path: Path, given: Any, message: str
) -> None:
    with pytest.raises(RefusedInput, match=message):
        load(save(tmp_path / "m.mlmodel", lambda _: None)).predict({"x": given})


def test_an_optional_input_takes_its_default(tmp_path: Path) -> None:
    def optional(spec: Any) -> None:
        spec.description.input[0].type.isOptional = True
        array_of(spec).floatDefaultValue = 2.5

    model = load(save(tmp_path / "m.mlmodel", optional))
    np.testing.assert_array_equal(model.predict({})["y"], np.full((2, 3), 2.5, np.float32))
    np.testing.assert_array_equal(model.predict({"x": X})["y"], X)


def test_tensors_lists_and_scalars_are_arrays(tmp_path: Path) -> None:
    """What coremltools turns into arrays, too."""
    model = load(save(tmp_path / "m.mlmodel", lambda _: None))
    for given in (torch.from_numpy(X).requires_grad_(), X.tolist(), X.astype(np.float64)):
        np.testing.assert_array_equal(model.predict({"x": given})["y"], X)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_half_precision_inputs_hold_what_they_can(tmp_path: Path, engine: Any) -> None:
    model = load(save(tmp_path / "m.mlmodel", lambda s: setattr(array_of(s), "dataType", FLOAT16)))
    given = np.array([[0.1, 1000.3, 1e6], [-1e-9, 2049.0, -0.0]])
    with np.errstate(over="ignore"):
        wanted = given.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(model.predict({"x": given}, engine=engine)["y"], wanted)
    assert np.isinf(wanted[0, 2])


def as_images(spec: Any, *, layout: int = 20, fixed: bool = True) -> None:
    """Declare input and output as images, 5 wide and 4 high."""
    for entry in (spec.description.input[0], spec.description.output[0]):
        image = entry.type.imageType
        image.colorSpace = layout
        if fixed:
            image.width, image.height = 5, 4
    spec.neuralNetwork.imageInputShapeMapping = 1


def test_an_optional_image_has_no_default(tmp_path: Path) -> None:
    def edit(spec: Any) -> None:
        as_images(spec)
        spec.description.input[0].type.isOptional = True

    model = load(save(tmp_path / "m.mlmodel", edit))
    picture = Image.new("RGB", (5, 4), (1, 2, 3))
    assert model.predict({"x": picture})["y"].tobytes() == picture.tobytes()
    with pytest.raises(RefusedInput, match="an optional image, and a picture has no default"):
        model.predict({})


@pytest.mark.parametrize("ranged", [False, True])
def test_image_sizes_without_a_default(tmp_path: Path, ranged: bool) -> None:
    """The first of the listed sizes, or the smallest (FeatureTypes.proto)."""

    def edit(spec: Any) -> None:
        as_images(spec, fixed=False)
        for entry in (spec.description.input[0], spec.description.output[0]):
            image = entry.type.imageType
            if ranged:
                sides = image.imageSizeRange.widthRange, image.imageSizeRange.heightRange
                for side, low in zip(sides, (7, 3), strict=True):
                    side.lowerBound, side.upperBound = low, 20
            else:
                for width, height in ((7, 3), (9, 5)):
                    image.enumeratedSizes.sizes.add(width=width, height=height)

    model = load(save(tmp_path / "m.mlmodel", edit))
    assert (model.inputs[0].width, model.inputs[0].height) == (7, 3)
    for size in ((7, 3), (9, 5)):
        assert model.predict({"x": Image.new("RGB", size)})["y"].size == size
    with pytest.raises(RefusedInput, match="pixels"):
        model.predict({"x": Image.new("RGB", (8, 2))})


@pytest.mark.parametrize(
    ("shape", "possible"),
    [((3, 4, 5), True), ((1, 3, 4, 5), True), ((1, 1, 3, 4, 5), True), ((2, 3, 4, 5), False),
     ((1, 4, 5), False), ((4, 5), False)],
)  # fmt: skip
def test_image_outputs_of_every_rank(
    tmp_path: Path, shape: tuple[int, ...], possible: bool
) -> None:
    def edit(spec: Any) -> None:
        del array_of(spec).shape[:]
        array_of(spec).shape.extend(shape)
        image = spec.description.output[0].type.imageType
        image.width, image.height, image.colorSpace = 5, 4, 20

    model = load(save(tmp_path / "m.mlmodel", edit))
    values = np.random.default_rng(2).integers(0, 256, shape)
    if not possible:
        with pytest.raises(RefusedInput, match="is a RGB image and was computed as"):
            model.predict({"x": values})
        return
    seen = np.asarray(model.predict({"x": values})["y"])
    np.testing.assert_array_equal(seen, values.reshape(3, 4, 5).transpose(1, 2, 0))


def test_enumerated_and_ranged_shapes(tmp_path: Path) -> None:
    def enumerate_shapes(spec: Any) -> None:
        for shape in ((2, 3), (4, 3)):
            array_of(spec).enumeratedShapes.shapes.add().shape.extend(shape)

    def range_shapes(spec: Any) -> None:
        for low, high in ((1, 4), (2, -1)):
            array_of(spec).shapeRange.sizeRanges.add(lowerBound=low, upperBound=high)

    listed = load(save(tmp_path / "a.mlmodel", enumerate_shapes))
    ranged = load(save(tmp_path / "b.mlmodel", range_shapes))
    for model in (listed, ranged):
        for rows in (2, 4, 2):
            x = np.ones((rows, 3), np.float32)
            assert model.predict({"x": x})["y"].shape == (rows, 3)
    with pytest.raises(RefusedInput, match=r"takes \[2, 3\] or \[4, 3\], got \[3, 3\]"):
        listed.predict({"x": np.ones((3, 3))})
    with pytest.raises(RefusedInput, match=r"takes \[1..4, 2..\], got \[5, 3\]"):
        ranged.predict({"x": np.ones((5, 3))})
    assert ranged.predict({"x": np.ones((1, 900))})["y"].shape == (1, 900)


def test_flexible_image_sizes_and_image_outputs(tmp_path: Path) -> None:
    def images(spec: Any) -> None:
        for entry, layout in ((spec.description.input[0], 20), (spec.description.output[0], 30)):
            image = entry.type.imageType
            image.width, image.height, image.colorSpace = 5, 4, layout
        size = spec.description.input[0].type.imageType.imageSizeRange
        size.widthRange.lowerBound, size.widthRange.upperBound = 5, 7
        size.heightRange.lowerBound, size.heightRange.upperBound = 4, 4
        spec.neuralNetwork.imageInputShapeMapping = 1

    model = load(save(tmp_path / "m.mlmodel", images))
    rng = np.random.default_rng(0)
    for width in (5, 7):
        pixels = rng.integers(0, 256, (4, width, 3), dtype=np.uint8)
        answer = model.predict({"x": Image.fromarray(pixels)})["y"]
        # The network copies planes in RGB order; the output declares that they are BGR.
        np.testing.assert_array_equal(np.asarray(answer), pixels[..., ::-1])
    with pytest.raises(RefusedInput, match=r"takes \[4, 5..7\] pixels \(height, width\)"):
        model.predict({"x": Image.new("RGB", (8, 4))})


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    def grey(spec: Any) -> None:
        image = spec.description.input[0].type.imageType
        image.width, image.height, image.colorSpace = 3, 2, 40
        spec.neuralNetwork.imageInputShapeMapping = 1

    model = load(save(tmp_path / "m.mlmodel", grey))
    answer = model.predict({"x": Image.fromarray(X + 0.1)})["y"]
    # The picture of 32 bits becomes one of 16.
    np.testing.assert_array_equal(answer, (X + 0.1).astype(np.float16)[None, None])
    with pytest.raises(RefusedInput, match="mode F, got L"):
        model.predict({"x": Image.new("L", (3, 2))})


def test_the_engine_and_precision_are_named(tmp_path: Path) -> None:
    model = load(save(tmp_path / "m.mlmodel", lambda _: None))
    answer = model.predict({"x": X})
    assert (answer.engine, answer.precision) == ("fast", "fp32")
    answer = model.predict({"x": X}, precision="declared")
    assert (answer.engine, answer.precision) == ("reference", "declared")
    answer = model.predict({"x": X}, engine="reference", precision="fp16")
    assert (answer.engine, answer.precision) == ("reference", "fp16")
    with pytest.raises(RefusedInput, match="computes in fp32, not in fp16"):
        model.predict({"x": X}, engine="fast", precision="fp16")


def test_without_a_fast_option_the_reference_engine_answers() -> None:
    fill = filling("lrn", localSize=2, alpha=0.5, beta=0.75)
    program, feeds = layer_program(fill, np.ones((1, 3, 6, 6)))
    assert program.predict(feeds).engine == "reference"
    for _ in range(2):  # what is missing is named each time
        with pytest.raises(UnsupportedOperation, match="lrn with an even"):
            program.predict(feeds, engine="fast")


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_scalar_is_answered_as_an_array_of_one_element(engine: Any) -> None:
    """Core ML has no arrays without dimensions."""
    program, feeds = mil_program("reduce_sum", {"x": X})
    answer = program.predict(feeds, engine=engine)["out0"]
    assert (answer.shape, answer.tolist()) == ((1,), [X.sum()])
    assert program.run(feeds)["out0"].shape == ()


def two_functions() -> Any:
    program, _ = mil_program("abs", {"x": X})
    assert isinstance(program, Program)
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 9
    for name, operation in (("magnitude", "abs"), ("negated", "sign")):
        function = spec.mlProgram.functions[name]
        function.opset = "CoreML8"
        entry = function.inputs.add(name="x").type.tensorType
        entry.dataType, entry.rank = 11, 2
        for size in (2, 3):
            entry.dimensions.add().constant.size = size
        block = function.block_specializations["CoreML8"]
        message = block.operations.add(type=operation)
        message.inputs["x"].arguments.add().name = "x"
        output = message.outputs.add(name="y").type.tensorType
        output.dataType, output.rank = 11, -1
        block.outputs.append("y")
        described = spec.description.functions.add(name=name)
        declared = described.input.add(name="x").type.multiArrayType
        declared.shape.extend((2, 3))
        declared.dataType = FLOAT32
        described.output.add(name="y").type.multiArrayType.dataType = FLOAT32
    spec.description.defaultFunctionName = "negated"
    return spec


def test_models_with_several_functions(tmp_path: Path) -> None:
    path = tmp_path / "two.mlmodel"
    path.write_bytes(two_functions().SerializeToString())
    x = X - 3
    np.testing.assert_array_equal(load(path).predict({"x": x})["y"], np.sign(x))
    np.testing.assert_array_equal(
        load(path, function="magnitude").predict({"x": x})["y"], np.abs(x)
    )
    with pytest.raises(ArtefactError, match=r"functions .*magnitude.*, and no 'third'"):
        load(path, function="third")


def test_predictions_are_the_layers_own_numbers() -> None:
    """`layer_program` itself: two inputs, one output, in order."""
    program, feeds = layer_program(
        lambda layer: layer.subtractBroadcastable.SetInParent(), X, np.ones((1, 3), np.float32)
    )
    np.testing.assert_array_equal(program.run(feeds)["out0"], X - 1)


def test_a_list_of_inputs_is_answered_with_a_list(tmp_path: Path) -> None:
    model = load(save(tmp_path / "m.mlmodel", lambda _: None))
    answers = model.predict([{"x": X}, {"x": X + 1}])
    np.testing.assert_array_equal([answer["y"] for answer in answers], [X, X + 1])
    assert model.predict([]) == []
