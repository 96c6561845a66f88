"""Damaged and malicious files: one clear error each, before anything is allocated or run."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation, load
from fer_train.contract.errors import NotFound
from tests.fer_convert.coreml_runtime.damaged_files import SPEC, edit_block, first_blob

WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


def patch_weights(package: Path, offset: int, content: bytes) -> None:
    with (package / WEIGHTS).open("r+b") as stream:
        stream.seek(offset)
        stream.write(content)


@pytest.mark.parametrize(
    ("offset", "content", "message"),
    [
        (4, struct.pack("<I", 7), "storage version 7"),
        (64, b"\0\0\0\0", "sentinel is 0x00000000"),
        (68, struct.pack("<I", 2), "stored as fp32, declared as fp16"),
        (68, struct.pack("<I", 99), "unknown type 99"),
        (72, struct.pack("<Q", 1 << 60), r"1152921504606846976 bytes are stored"),
        (80, struct.pack("<Q", 1 << 40), "is not inside the file"),
        (80, struct.pack("<Q", 130), "is not inside the file"),
        (80, struct.pack("<Q", (1 << 64) - 64), "is not inside the file"),
    ],
)
def test_weight_records_are_checked(
    package: Path, offset: int, content: bytes, message: str
) -> None:
    patch_weights(package, offset, content)
    with pytest.raises(ArtefactError, match=message) as caught:
        load(package)
    assert caught.value.exit_code == 50


@pytest.mark.parametrize("length", [0, 63, 64, 100, 128, 200])
def test_truncated_weights(package: Path, length: int) -> None:
    content = (package / WEIGHTS).read_bytes()
    assert length < len(content)
    (package / WEIGHTS).write_bytes(content[:length])
    with pytest.raises(ArtefactError, match=r"weight\.bin"):
        load(package)


def test_missing_weights(package: Path) -> None:
    (package / WEIGHTS).unlink()
    with pytest.raises(ArtefactError, match=r"Cannot open .*weight\.bin"):
        load(package)


def test_the_message_names_the_constant_and_its_offset(package: Path) -> None:
    edit_block(package, lambda block: setattr(first_blob(block), "offset", 1 << 50))
    with pytest.raises(ArtefactError, match=r"Constant '\w*weight\w*' at offset 1125899906842624"):
        load(package)


@pytest.mark.parametrize(
    "name",
    ["@model_path/../../../../etc/hostname", "/etc/hostname", "@model_path//etc/hostname", "w.bin"],
)
def test_a_constant_cannot_leave_the_model(package: Path, name: str) -> None:
    edit_block(package, lambda block: setattr(first_blob(block), "fileName", name))
    with pytest.raises(ArtefactError, match=r"points outside the model|only paths below"):
        load(package)


def test_a_link_cannot_leave_the_model(package: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.bin"
    (package / WEIGHTS).rename(outside)
    (package / WEIGHTS).symlink_to(outside)
    with pytest.raises(ArtefactError, match="points outside the model"):
        load(package)


@pytest.mark.parametrize(
    "root",
    [
        "../../outside.mlmodel",
        "/etc/hostname",
        "a/../../../x",
        "",
        "nul\0",
        3,
        "..",
        ".",
        "com.apple.CoreML/../..",
        "x" * 5000,
    ],
)
def test_the_manifest_cannot_leave_the_package(package: Path, tmp_path: Path, root: Any) -> None:
    shutil.copy(package / SPEC, tmp_path / "outside.mlmodel")
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = root
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        ArtefactError, match=r"outside the model|impossible path|not a string|Cannot read"
    ):
        load(package)


@pytest.mark.parametrize("root", ["file:///etc/hostname", "C:/model.mlmodel", "\\\\host\\model"])
def test_other_kinds_of_addresses_are_names_of_files(package: Path, root: str) -> None:
    """They name files below Data, of which there are none."""
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = root
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match=r"Cannot read .*/copy\.mlpackage/Data/.*No such file"):
        load(package)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rootModelIdentifier": "x"}', "\xff"])
def test_a_broken_manifest(package: Path, text: str) -> None:
    (package / "Manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtefactError, match="is not a package manifest"):
        load(package)


def test_what_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "nothing.mlmodel")
    assert caught.value.exit_code == 4
    with pytest.raises(ArtefactError, match=r"without Manifest\.json"):
        load(tmp_path)
    for name, content, message in [
        ("text", b"this is not a protobuf", "is text, not a Core ML model"),
        ("empty", b"", "holds no model"),
        ("pointer", b"version https://git-lfs.example/spec/v1\noid sha256:0", "Git LFS pointer"),
    ]:
        path = tmp_path / f"{name}.mlmodel"
        path.write_bytes(content)
        with pytest.raises(ArtefactError, match=message):
            load(path)


def test_what_leads_to_a_model_names_it(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "download"
    shutil.copytree(package, folder / "a.mlpackage")
    with pytest.raises(ArtefactError, match=r"folder around a Core ML package") as caught:
        load(folder)
    assert f"Give the package inside: {folder / 'a.mlpackage'}" in str(caught.value)
    load(folder / "a.mlpackage")
    shutil.make_archive(str(folder), "zip", folder)
    with pytest.raises(ArtefactError, match="zipped Core ML package"):
        load(tmp_path / "download.zip")


@pytest.mark.parametrize("part", [SPEC, WEIGHTS])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.example/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>" + b"Sign in" * 20, "web page"),
    ],
    ids=["pointer", "page"],
)
def test_a_part_of_a_package_that_was_not_fetched(
    package: Path, part: Path, content: bytes, words: str
) -> None:
    (package / part).write_bytes(content)
    with pytest.raises(ArtefactError, match=words) as caught:
        load(package)
    assert str(package / part) in str(caught.value)
    assert caught.value.exit_code == 50


@pytest.mark.parametrize("kind", ["nn", "fp32"])
def test_a_truncated_specification(tiny_saved: dict[str, Path], tmp_path: Path, kind: str) -> None:
    source = tiny_saved[kind] if kind == "nn" else tiny_saved[kind] / SPEC
    content = source.read_bytes()
    path = tmp_path / "cut.mlmodel"
    for length in (len(content) // 3, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError):
            load(path)


def test_every_unknown_operation_is_named_at_once(package: Path) -> None:
    def rename(block: Any) -> None:
        for op in block.operations:
            op.type = {"relu": "warp", "conv": "constexpr_magic"}.get(op.type, op.type)

    edit_block(package, rename)
    with pytest.raises(
        UnsupportedOperation, match=r"lacks 2 .*: constexpr_magic '.*', warp '"
    ) as caught:
        load(package)
    assert caught.value.exit_code == 51


def test_every_unknown_layer_is_named_at_once(save_network: Callable[..., Path]) -> None:
    def add(network: Any) -> None:
        network.layers.add(name="a", input=["x"], output=["a"]).custom.SetInParent()
        network.layers.add(name="b", input=["a"], output=["b"]).gru.SetInParent()
        network.layers.add(name="c", input=["b"], output=["y"]).copy.SetInParent()

    with pytest.raises(UnsupportedOperation, match=r"lacks 2 .*: custom 'a' \(.*\), gru 'b' "):
        load(save_network(add, (2, 3)))


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "nothing before it defines"), ("x", "defined twice")]
)
def test_layers_that_do_not_connect(
    save_network: Callable[..., Path], name: str, message: str
) -> None:
    def add(network: Any) -> None:
        source, target = (name, "y") if name == "nowhere" else ("x", name)
        network.layers.add(name="c", input=[source], output=[target]).copy.SetInParent()

    with pytest.raises(ArtefactError, match=message):
        load(save_network(add, (2, 3)))


def test_operations_that_do_not_connect(package: Path) -> None:
    def reverse(block: Any) -> None:
        operations = list(block.operations)[::-1]
        del block.operations[:]
        block.operations.extend(operations)

    edit_block(package, reverse)
    with pytest.raises(ArtefactError, match="nothing before it defines"):
        load(package)


def test_a_result_of_another_shape_than_declared(package: Path, picture: Any) -> None:
    def widen(block: Any) -> None:
        relu = next(op for op in block.operations if op.type == "relu")
        relu.outputs[0].type.tensorType.dimensions[1].constant.size = 17

    edit_block(package, widen)
    with pytest.raises(
        ArtefactError, match=r"relu .* computed \[1, 16, 8, 8\], .* \[1, 17, 8, 8\]"
    ):
        load(package).run({"image": picture})


def test_a_literal_of_another_size_than_declared(package: Path) -> None:
    def grow(block: Any) -> None:
        for op in block.operations:
            value = op.attributes["val"]
            if op.type == "const" and value.immediateValue.tensor.HasField("ints"):
                value.immediateValue.tensor.ints.values.append(1)
                return

    edit_block(package, grow)
    with pytest.raises(ArtefactError, match=r"Constant '.*' holds \d values"):
        load(package)
