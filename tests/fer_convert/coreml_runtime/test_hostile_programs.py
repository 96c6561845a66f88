"""Specifications that say impossible, huge or endless things: one clear error each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation, limits, load
from fer_convert.coreml_runtime.loader import load_saved
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import SavedModel
from tests.fer_convert.coreml_runtime.damaged_files import SPEC, edit_block, first_blob


def edit_spec(package: Path, edit: Callable[[Any], None]) -> None:
    spec = proto_module("Model_pb2").Model.FromString((package / SPEC).read_bytes())
    edit(spec)
    (package / SPEC).write_bytes(spec.SerializeToString())


def literal(name: str, edit: Callable[[Any], None]) -> None:
    """Load a program of one ``relu`` whose ``x`` is a literal; ``edit`` gets its Value message."""
    spec = proto_module("Model_pb2").Model(specificationVersion=9)
    function = spec.mlProgram.functions["main"]
    function.opset = "CoreML8"
    relu = function.block_specializations["CoreML8"].operations.add(type="relu")
    tensor = relu.outputs.add(name="y").type.tensorType
    tensor.dataType, tensor.rank = 11, -1
    edit(relu.inputs["x"].arguments.add().value)
    function.block_specializations["CoreML8"].outputs.append("y")
    spec.description.output.add(name="y").type.multiArrayType.SetInParent()
    load_saved(SavedModel(Path(name), Path(name), spec))


@pytest.mark.parametrize(
    ("element", "field", "values", "shape", "message"),
    [
        (23, "floats", [0.5], [1], "declared int32 and stored as floats"),
        (11, "ints", [1], [1], "declared fp32 and stored as ints"),
        (1, "ints", [1], [1], "declared bool and stored as ints"),
        (21, "ints", [300], [1], "does not hold int8"),
        (36, "longInts", [1 << 40], [1], "does not hold uint2"),
        (2, "floats", [1.0], [1], "declared string and stored as floats"),
        (11, "floats", [1.0], [2], r"holds 1 values, but fp32 \[2\]"),
        (11, "floats", [], [1 << 40], r"holds 0 values, but fp32 \[1099511627776\]"),
        (11, "floats", [], [1 << 41], "impossible shape"),
        (11, "floats", [], [0] * 33, "declares 33 dimensions"),
        (2, "bytes", b"ab", [2], "declared string and stored as bytes"),
        (10, "bytes", b"\0\0\0", [2], r"holds 3 bytes, but fp16 \[2\]"),
        (39, "bytes", b"\0\0\0\0", [8], r"holds 4 bytes, but uint3 \[8\]"),
        (99, "bytes", b"", [0], "element type 99"),
    ],
)
def test_literals_that_are_not_what_they_say(
    element: int, field: str, values: Any, shape: list[int], message: str
) -> None:
    def fill(value: Any) -> None:
        tensor = value.type.tensorType
        tensor.dataType, tensor.rank = element, len(shape)
        for size in shape:
            tensor.dimensions.add().constant.size = size
        stored = getattr(value.immediateValue.tensor, field)
        if field == "bytes":
            stored.values = values
        else:
            stored.values.extend(values)
            stored.SetInParent()

    with pytest.raises(ArtefactError, match=message):
        literal("memory", fill)


def test_a_literal_without_a_value_or_a_size() -> None:
    def unknown(value: Any) -> None:
        value.type.tensorType.dataType = 11
        value.type.tensorType.dimensions.add().unknown.SetInParent()

    with pytest.raises(ArtefactError, match="not constant"):
        literal("memory", unknown)
    with pytest.raises(ArtefactError, match="a type and no value"):
        literal("memory", lambda value: setattr(value.type.tensorType, "dataType", 11))
    with pytest.raises(UnsupportedOperation, match="is of dictionaryType"):
        literal("memory", lambda value: value.type.dictionaryType.SetInParent())


def test_bytes_of_an_old_float_are_widened() -> None:
    """bf16 and fp8 literals; what is computed cannot have such a type."""
    for element, stored in ((13, b"\x80\x3f"), (40, b"\x38"), (41, b"\x3c")):

        def fill(value: Any, element: int = element, stored: bytes = stored) -> None:
            value.type.tensorType.dataType = element
            value.immediateValue.tensor.bytes.values = stored

        literal("memory", fill)


@pytest.mark.parametrize(("number", "name"), [(13, "bf16"), (40, "fp8e4m3fn"), (41, "fp8e5m2")])
def test_small_floats_are_not_computed(package: Path, number: int, name: str) -> None:
    def narrow(block: Any) -> None:
        relu = next(op for op in block.operations if op.type == "relu")
        relu.outputs[0].type.tensorType.dataType = number

    edit_block(package, narrow)
    with pytest.raises(UnsupportedOperation, match=f"computed as {name}; .* only reads constants"):
        load(package)


def test_an_opset_of_the_future(package: Path) -> None:
    def rename(spec: Any) -> None:
        main = spec.mlProgram.functions["main"]
        main.block_specializations["CoreML99"].CopyFrom(main.block_specializations[main.opset])
        main.opset = "CoreML99"

    edit_spec(package, rename)
    with pytest.raises(UnsupportedOperation, match=r"opset 'CoreML99'; known are CoreML5 \(iOS 15"):
        load(package)


def test_a_function_without_its_block(package: Path) -> None:
    edit_spec(package, lambda spec: setattr(spec.mlProgram.functions["main"], "opset", "CoreML5"))
    with pytest.raises(ArtefactError, match="no block for its opset 'CoreML5'"):
        load(package)


def test_state_is_refused_by_name(package: Path) -> None:
    def keep(spec: Any) -> None:
        spec.description.state.add(name="cache").type.stateType.arrayType.shape.append(3)

    edit_spec(package, keep)
    with pytest.raises(UnsupportedOperation, match=r"keeps state \(cache\)") as caught:
        load(package)
    assert caught.value.exit_code == 51


def test_an_undeclared_state_is_refused_by_name(package: Path) -> None:
    def keep(spec: Any) -> None:
        state = spec.mlProgram.functions["main"].inputs.add(name="cache")
        state.type.stateType.wrappedType.tensorType.dataType = 10

    edit_spec(package, keep)
    with pytest.raises(UnsupportedOperation, match="'cache' is stateType, not a tensor"):
        load(package)


def test_one_record_cannot_fill_the_memory(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand operations may read one big record; it is decoded for each of them."""
    monkeypatch.setattr(limits, "MOST_WEIGHTS", 10_000)
    load(package)  # 3·16·9 + 16 + 16·8 + 8 elements, and options

    def multiply(block: Any) -> None:
        conv = next(op for op in block.operations if op.type == "conv")
        for number in range(30):
            copy = block.operations.add()
            copy.CopyFrom(conv)
            copy.outputs[0].name = f"again {number}"

    edit_block(package, multiply)
    with pytest.raises(UnsupportedOperation, match=r"read 1\d{4} elements .* up to 10000"):
        load(package)


@pytest.mark.parametrize("kind", ["nn", "fp32"])
def test_too_many_labels(
    tiny_saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(limits, "MOST_LABELS", 7)
    with pytest.raises(ArtefactError, match="declares 8 class labels; 7 are allowed"):
        load(tiny_saved[kind])


def test_a_weight_file_of_many_names_is_mapped_once(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_convert.coreml_runtime.read import mil_constants

    opened: list[Path] = []

    def count(path: Path) -> Any:
        opened.append(path)
        return real(path)

    real = mil_constants.open_blob
    monkeypatch.setattr(mil_constants, "open_blob", count)

    def rename(block: Any) -> None:
        for number, operation in enumerate(block.operations):
            value = operation.attributes["val"]
            if value.WhichOneof("value") == "blobFileValue":
                value.blobFileValue.fileName = f"@model_path/{'./' * number}weights//weight.bin"

    edit_block(package, rename)
    load(package)
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("@model_path/weights/weight.bin\0.txt", "impossible path"),
        ("@model_path/weights", "not a regular file"),
        ("@model_path/weights/none.bin", "Cannot open"),
        ("@model_path/", "points outside the model"),
        ("@model_path/weights/../../../../weight.bin", "points outside the model"),
        ("file:///etc/hostname", "only paths below"),
        ("", "only paths below"),
        ("@model_path/model.mlmodel", "storage version|header alone"),
        ("@model_path/" + "a" * 100_000, "impossible path|Cannot open"),
    ],
)
def test_names_of_weight_files(package: Path, name: str, message: str) -> None:
    edit_block(package, lambda block: setattr(first_blob(block), "fileName", name))
    with pytest.raises(ArtefactError, match=message):
        load(package)


def test_a_name_cannot_write_on_the_terminal(package: Path) -> None:
    name = "\x1b[2J\x1b]0;owned\x07\u202e" + "x" * 100_000

    def rename(block: Any) -> None:
        next(op for op in block.operations if op.type == "relu").type = name

    edit_block(package, rename)
    with pytest.raises(UnsupportedOperation) as caught:
        load(package)
    shown = str(caught.value)
    assert "\\x1b[2J" in shown and "\\u202e" in shown and "\x1b" not in shown
    assert len(shown) < 10_000


def pipeline(depth: int) -> Any:
    """``depth`` pipelines in one another, and a copy layer in the middle."""
    spec = proto_module("Model_pb2").Model(specificationVersion=4)
    model = spec
    for name, group in (("x", spec.description.input), ("y", spec.description.output)):
        array = group.add(name=name).type.multiArrayType
        array.shape.append(2)
        array.dataType = 65568
    for _ in range(depth):
        inner = model.pipeline.models.add(specificationVersion=4)
        inner.description.CopyFrom(spec.description)
        model = inner
    model.neuralNetwork.arrayInputShapeMapping = 1
    model.neuralNetwork.layers.add(name="c", input=["x"], output=["y"]).copy.SetInParent()
    return spec


def test_pipelines_in_pipelines(tmp_path: Path) -> None:
    path = tmp_path / "deep.mlmodel"
    x = np.array([1, -2], np.float32)
    path.write_bytes(pipeline(20).SerializeToString())
    assert load(path).predict({"x": x})["y"].tolist() == [1, -2]
    with pytest.raises(ArtefactError, match="is a pipeline, which has no function 'other'"):
        load(path, function="other")
    # Protobuf refuses more than 100 messages in one another, so no reader recurses further.
    content = pipeline(40).SerializePartialToString()
    for _ in range(40):
        content = b"".join([b"\xd2\x0c", varint(len(wrapped := wrap(content))), wrapped])
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="is no Core ML specification"):
        load(path)


def wrap(model: bytes) -> bytes:
    return b"\x0a" + varint(len(model)) + model


def varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def test_blocks_in_blocks_are_not_followed() -> None:
    """Control flow is refused by name before anything inside it is read."""
    spec = proto_module("Model_pb2").Model(specificationVersion=9)
    main = spec.mlProgram.functions["main"]
    main.opset = "CoreML8"
    operation = main.block_specializations["CoreML8"].operations.add(type="while_loop")
    for _ in range(20):
        operation = operation.blocks.add().operations.add(type="while_loop")
    with pytest.raises(UnsupportedOperation, match=r"lacks 1 .*while_loop .*\(control flow\)"):
        load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def block_of(spec: Any) -> Any:
    main = spec.mlProgram.functions["main"]
    return main.block_specializations[main.opset]


def result_of(spec: Any, kind: str) -> str:
    (operation,) = (op for op in block_of(spec).operations if op.type == kind)
    return str(operation.outputs[0].name)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda spec: spec.description.input[0].ClearField("name"),
            "reads the input 'image', which the model does not declare",
        ),
        (
            lambda spec: spec.description.output.add(name="more").type.multiArrayType.SetInParent(),
            "declares the output 'more', which the program does not compute",
        ),
        (
            lambda spec: block_of(spec).outputs.append(result_of(spec, "relu")),
            "computes the output '.*', which the model does not declare",
        ),
        (
            lambda spec: block_of(spec).outputs.append("nowhere"),
            "output 'nowhere' is not computed by it",
        ),
    ],
)
def test_the_description_and_the_program_must_agree(
    package: Path, edit: Callable[[Any], None], message: str
) -> None:
    edit_spec(package, edit)
    with pytest.raises(ArtefactError, match=message):
        load(package)


@pytest.mark.parametrize("group", ["input", "output"])
def test_names_declared_twice(package: Path, group: str) -> None:
    def again(spec: Any) -> None:
        features = getattr(spec.description, group)
        features.add().CopyFrom(features[0])

    edit_spec(package, again)
    with pytest.raises(ArtefactError, match=r"declares '.*' more than once"):
        load(package)


def test_a_network_of_scalars() -> None:
    spec = pipeline(0)
    del spec.description.input[0].type.multiArrayType.shape[:]
    with pytest.raises(ArtefactError, match="input 'x' declares no shape"):
        load_saved(SavedModel(Path("memory"), Path("memory"), spec))


def test_a_model_that_computes_nothing() -> None:
    spec = proto_module("Model_pb2").Model(specificationVersion=4)
    spec.neuralNetwork.arrayInputShapeMapping = 1
    spec.description.input.add(name="x").type.multiArrayType.shape.append(2)
    with pytest.raises(ArtefactError, match="computes no output"):
        load_saved(SavedModel(Path("memory"), Path("memory"), spec))
