"""Packages with any byte changed, paths that lead elsewhere, files that never end."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime import load
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.read.blob import open_blob
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.saved_model import inside
from fer_train.contract.errors import FerError


@given(st.lists(st.sampled_from(["..", ".", "a", "link", "up", "b.bin", "", "/", "\0"])))
def test_joined_paths_stay_inside(tmp_path: Path, parts: list[str]) -> None:
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True, exist_ok=True)
    for name, target in (("link", "a"), ("up", "../..")):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
    try:
        found = inside(folder, "/".join(parts), what="it")
    except ArtefactError:
        return
    assert found.is_relative_to(folder.resolve()) and found.resolve() == found


LINEAR = "@model_path/weights/weight.bin"


@pytest.fixture(scope="module")
def package_parts() -> tuple[bytes, bytes, bytes]:
    """Manifest, specification and weights of ``y = transpose(x @ w.T)`` in fp16, w ``[3, 4]``."""
    spec = proto_module("Model_pb2").Model()
    spec.specificationVersion = 7
    declared = spec.description.input.add(name="x").type.multiArrayType
    declared.shape.extend([2, 4])
    declared.dataType = 65568
    spec.description.output.add(name="y").type.multiArrayType.dataType = 65568
    function = spec.mlProgram.functions["main"]
    function.opset = "CoreML6"
    block = function.block_specializations["CoreML6"]

    def tensor(message: Any, data_type: int, *shape: int) -> None:
        message.dataType, message.rank = data_type, len(shape)
        for size in shape:
            message.dimensions.add().constant.size = size

    entry = function.inputs.add(name="x")
    tensor(entry.type.tensorType, 11, 2, 4)
    weight = block.operations.add(type="const")
    tensor(weight.outputs.add(name="w").type.tensorType, 10, 3, 4)
    value = weight.attributes["val"]
    tensor(value.type.tensorType, 10, 3, 4)
    value.blobFileValue.fileName, value.blobFileValue.offset = LINEAR, 64
    linear = block.operations.add(type="linear")
    linear.inputs["x"].arguments.add().name = "x"
    linear.inputs["weight"].arguments.add().name = "w"
    tensor(linear.outputs.add(name="y").type.tensorType, 11, 2, 3)
    block.outputs.append("y")
    data = np.linspace(-1, 1, 12, dtype=np.float16).tobytes()
    weights = b"".join(
        [
            struct.pack("<II", 1, 2).ljust(64, b"\0"),
            struct.pack("<IIQQQ", 0xDEADBEEF, 1, len(data), 128, 0).ljust(64, b"\0"),
            data,
        ]
    )
    manifest = {
        "rootModelIdentifier": "A",
        "itemInfoEntries": {"A": {"path": "m/model.mlmodel"}, "B": {"path": "m/weights"}},
    }
    # Deterministic, so that an example names the same byte in every run.
    return json.dumps(manifest).encode(), spec.SerializeToString(deterministic=True), weights


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    package = tmp_path_factory.mktemp("bytes") / "model.mlpackage"
    (package / "Data/m/weights").mkdir(parents=True)

    def write_parts(parts: Sequence[bytes]) -> Path:
        names = ("Manifest.json", "Data/m/model.mlmodel", "Data/m/weights/weight.bin")
        for name, content in zip(names, parts, strict=True):
            (package / name).write_bytes(content)
        return package

    return write_parts


X = np.linspace(-2, 2, 8, dtype=np.float32).reshape(2, 4)


def test_the_undamaged_package(package_parts: Any, write: Any) -> None:
    w = np.linspace(-1, 1, 12, dtype=np.float16).reshape(3, 4).astype(np.float32)
    result = load(write(package_parts)).predict({"x": X}, engine="reference")
    np.testing.assert_allclose(result["y"], X @ w.T, rtol=1e-6)


@settings(max_examples=500)
@given(st.data(), st.integers(0, 2), st.integers(0, 255))
def test_any_damaged_byte_is_a_typed_error_or_a_right_sized_answer(
    package_parts: tuple[bytes, ...], write: Any, data: st.DataObject, part: int, byte: int
) -> None:
    parts = [bytearray(content) for content in package_parts]
    at = data.draw(st.integers(0, len(parts[part]) - 1))
    parts[part][at] = byte
    try:
        program = load(write(parts))
        feeds = {f.name: X.reshape(f.shape) for f in program.inputs if math.prod(f.shape) == 8}
        result = program.predict(feeds, engine="reference")
    except FerError:
        return
    arrays = list(result.values())
    assert set(result) == {f.name for f in program.outputs}
    for array in arrays:
        assert array.shape == (2, 3)
        # A damaged weight may be an fp16 infinity or NaN; everything else leaves results finite.
        assert np.isfinite(array).all() or part == 2


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, " " * (2 << 20)])
def test_a_manifest_made_to_exhaust(package_parts: Any, write: Any, content: str) -> None:
    with pytest.raises(ArtefactError, match=r"Manifest\.json"):
        load(write([content.encode(), *package_parts[1:]]))


def test_files_that_never_end(package_parts: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ArtefactError, match="not a regular file"):
        load(pipe)
    with pytest.raises(ArtefactError, match="not a regular file"):
        open_blob(pipe)
    (tmp_path / "Manifest.json").symlink_to("/dev/zero")
    with pytest.raises(ArtefactError, match="not a regular file"):
        load(tmp_path)


def test_the_data_folder_cannot_be_a_link_outwards(package_parts: Any, tmp_path: Path) -> None:
    (tmp_path / "outside/m").mkdir(parents=True)
    (tmp_path / "outside/m/model.mlmodel").write_bytes(package_parts[1])
    (tmp_path / "package").mkdir()
    (tmp_path / "package/Manifest.json").write_bytes(package_parts[0])
    (tmp_path / "package/Data").symlink_to("../outside")
    with pytest.raises(ArtefactError, match="points outside the model"):
        load(tmp_path / "package")


def test_a_loop_of_links(package_parts: Any, tmp_path: Path) -> None:
    (tmp_path / "Manifest.json").write_bytes(package_parts[0])
    (tmp_path / "Data").symlink_to("Data")
    with pytest.raises(ArtefactError):
        load(tmp_path)


def test_an_input_the_model_does_not_declare(package_parts: Any, write: Any) -> None:
    manifest, content, weights = package_parts
    spec = proto_module("Model_pb2").Model.FromString(content)
    spec.description.input[0].name = "other"
    with pytest.raises(ArtefactError, match="input 'x', which the model does not declare"):
        load(write([manifest, spec.SerializeToString(), weights]))


def test_text_stored_as_bytes(package_parts: Any, write: Any) -> None:
    manifest, content, weights = package_parts
    spec = proto_module("Model_pb2").Model.FromString(content)
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    value = block.operations[0].attributes["val"]
    value.type.tensorType.dataType = 2
    value.immediateValue.tensor.bytes.values = b""
    with pytest.raises(ArtefactError, match="Constant 'w' holds 0 values, but string"):
        load(write([manifest, spec.SerializeToString(), weights]))
