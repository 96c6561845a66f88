"""docs/coreml-runtime.md against the file that it describes: bytes, numbers and programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.element_types import BLOB_TYPES, MIL_TYPES
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS
from fer_convert.coreml_runtime.read.mil_program import OPSETS
from fer_convert.coreml_runtime.read.proto import proto_module
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.quiet import quiet
from tests.paths import REPOSITORY

PAGE = (REPOSITORY / "docs/coreml-runtime.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's ``tiny.mlpackage``."""
    with quiet():
        import coremltools as ct
        from coremltools.converters.mil import Builder as mb
        from coremltools.converters.mil.mil import types

        uint3 = types.nptype_from_builtin(types.string_to_builtin("uint3"))
        keys = np.array([[5, 0, 7, 1], [6, 3, 2, 4], [0, 0, 1, 7]], np.uint8).astype(uint3)
        palette = (np.arange(8, dtype=np.float16) / 4 - 1).reshape(1, 1, 8, 1)
        dense = (np.arange(12, dtype=np.float16) / 8).reshape(4, 3)

        @mb.program(
            input_specs=[mb.TensorSpec(shape=(1, 4), dtype=types.fp16)],
            opset_version=ct.target.iOS18,
        )
        def tiny(x: Any) -> Any:
            w = mb.constexpr_lut_to_dense(indices=keys, lut=palette, name="w")
            return mb.linear(x=mb.linear(x=x, weight=w, name="h"), weight=dense, name="y")

        model = ct.convert(
            tiny,
            minimum_deployment_target=ct.target.iOS18,
            pass_pipeline=ct.PassPipeline.EMPTY,
        )
        made = tmp_path_factory.mktemp("page")
        model.save(str(made / "tiny.mlpackage"))
    return made


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def printed_after(program: str) -> str:
    """The indented lines that follow a program on the page."""
    rest = PAGE.partition(f"```python\n{program}```\n")[2].lstrip("\n")
    lines = re.match(r"(?: {4}.*\n)+", rest)
    assert lines is not None
    return re.sub(r"^ {4}", "", lines.group(), flags=re.M)


@pytest.mark.parametrize("program", [b for b in blocks("python") if "tiny.mlpackage" in b])
def test_programs_print_what_the_page_says(folder: Path, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=folder, capture_output=True, text=True,
        env={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.stdout == printed_after(program), done.stderr


def test_there_are_two_such_programs() -> None:
    assert sum("tiny.mlpackage" in block for block in blocks("python")) == 2


def test_the_weight_file_byte_by_byte(folder: Path) -> None:
    content = (folder / "tiny.mlpackage/Data/com.apple.CoreML/weights/weight.bin").read_bytes()
    shown = bytearray(len(content))
    for address, columns in re.findall(r"^ {4}([0-9a-f]{8})  ((?:[0-9a-f]{2} +)+)", PAGE, re.M):
        row = bytes.fromhex(columns)
        shown[int(address, 16) : int(address, 16) + len(row)] = row
    assert bytes(shown) == content  # lines that are only zeros are left out
    assert f"{len(content)} bytes" in PAGE


def test_packing_least_significant_bit_first() -> None:
    stream = int.from_bytes(bytes.fromhex("c5e389400e"), "little")
    assert [stream >> (3 * i) & 7 for i in range(12)] == [5, 0, 7, 1, 6, 3, 2, 4, 0, 0, 1, 7]


def test_packing_most_significant_bit_first() -> None:
    """The layer reads the codes 5, 0, 7, 1 from ``a3 90``, in one row."""

    def fill(layer: Any) -> None:
        product = layer.innerProduct
        product.inputChannels, product.outputChannels = 4, 1
        product.weights.rawValue = bytes.fromhex("a390")
        product.weights.quantization.numberOfBits = 3
        product.weights.quantization.lookupTableQuantization.floatValue.extend(range(8))

    assert run_layer(fill, np.eye(4, dtype=np.float32)).reshape(-1).tolist() == [5, 0, 7, 1]


@pytest.mark.parametrize(("row", "numbers"), [("weight.bin", BLOB_TYPES), ("message", MIL_TYPES)])
def test_the_table_of_element_types(row: str, numbers: dict[int, str]) -> None:
    header, values = (
        re.search(rf"^\| {start}(.*)\|$", PAGE, re.M) for start in ("\\| fp16", re.escape(row))
    )
    assert header is not None
    assert values is not None
    names = ["fp16", *(cell.strip() for cell in header.group(1).split("|")[1:])]
    spelt = [name.lower().replace(" ", "") for name in names]
    said = dict(zip((int(v) for v in values.group(1).split("|")[1:]), spelt, strict=True))
    others = {1: "bool", 2: "string", 12: "fp64", 24: "int64", 34: "uint64"}
    assert said | (others if row == "message" else {}) == dict(numbers)


def test_field_numbers() -> None:
    model = proto_module("Model_pb2").Model.DESCRIPTOR.fields_by_name
    weights = proto_module("NeuralNetwork_pb2").WeightParams.DESCRIPTOR.fields_by_name
    rows = re.findall(r"^\| (`.*?) \| ([0-9, ]+) \|", PAGE, re.M)
    assert len(rows) == 9
    for names, numbers in rows:
        for name, number in zip(re.findall(r"`(\w+)`", names), numbers.split(", "), strict=True):
            fields = model if name in model else weights
            assert fields[name].number == int(number), name


def test_nothing_is_forgotten() -> None:
    assert all(f"`{name}`" in PAGE for name in EXPANSIONS)
    assert {"CoreML5", "CoreML8", "CoreML9"} <= set(re.findall(r"CoreML\d", PAGE)) <= set(OPSETS)
    links = re.findall(r"\]\(#([\w-]+)\)", PAGE)
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(links) <= anchors
    for target in re.findall(r"\]\(([\w./-]+\.md)\)", PAGE):
        assert (REPOSITORY / "docs" / target).is_file()
