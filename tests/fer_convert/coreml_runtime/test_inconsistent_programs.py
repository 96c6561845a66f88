"""ML Programs whose constants, names or labels contradict themselves."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation, load
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.sizes import read_array_shapes, read_image_sizes
from tests.fer_convert.coreml_runtime.damaged_files import edit_block
from tests.fer_convert.coreml_runtime.one_operation import constant, mil_program


def first(block: Any, kind: str) -> Any:
    return next(operation for operation in block.operations if operation.type == kind)


def floats_for_labels(block: Any) -> None:
    value = first(block, "classify").inputs["classes"].arguments[0].value
    value.Clear()
    tensor = value.type.tensorType
    tensor.dataType, tensor.rank = 11, 1
    tensor.dimensions.add().constant.size = 8
    value.immediateValue.tensor.floats.values.extend([0.5] * 8)


def same_name_twice(block: Any) -> None:
    names = [op.outputs[0].name for op in block.operations if op.type == "const"]
    next(op for op in block.operations if op.type == "const").outputs[0].name = names[1]


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            lambda block: first(block, "const").attributes["val"].Clear(),
            UnsupportedOperation, "is of no type, which is not supported",
        ),
        (
            lambda block: first(block, "const").attributes.pop("val"),
            ArtefactError, "Constant '.*' has no value",
        ),
        (same_name_twice, ArtefactError, "'.*' is defined twice"),
        (
            lambda block: first(block, "const").outputs.add(name="second"),
            ArtefactError, "has 2 outputs instead of one",
        ),
        (
            lambda block: first(block, "classify").inputs["probabilities"].Clear(),
            ArtefactError, "does not read computed probabilities",
        ),
        (
            lambda block: first(block, "classify").inputs["classes"].Clear(),
            ArtefactError, "has no constant list of classes",
        ),
        (floats_for_labels, UnsupportedOperation, "fp32 labels; only strings and int64"),
        (
            lambda block: setattr(
                first(block, "relu").outputs[0].type.tensorType, "dataType", 77
            ),
            UnsupportedOperation, "has element type 77 of MIL.proto",
        ),
    ],
)  # fmt: skip
def test_programs_that_contradict_themselves(
    package: Path, edit: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    edit_block(package, edit)
    with pytest.raises(error, match=message):
        load(package)


def array_type(**fields: Any) -> Any:
    array = proto_module("FeatureTypes_pb2").ArrayFeatureType(shape=fields.pop("shape", ()))
    for low, high in fields.pop("ranges", ()):
        array.shapeRange.sizeRanges.add(lowerBound=low, upperBound=high)
    for shape in fields.pop("others", ()):
        array.enumeratedShapes.shapes.add(shape=shape)
    return array


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (2, 3), "ranges": [(1, 2)]}, r"1 ranges for the shape \[2, 3\]"),
        ({"ranges": [(5, 3)]}, "a size of 5 to 3"),
        ({"shape": (-2,)}, r"impossible shape \[-2\]"),
        ({"shape": (2,), "others": [(1 << 40, 1 << 40)]}, "impossible shape"),
    ],
)
def test_shapes_of_arrays_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        read_array_shapes(array_type(**fields), "x")


def test_shapes_of_two_ranks_have_no_common_dimensions() -> None:
    with pytest.raises(ArtefactError, match="different ranks"):
        _ = read_array_shapes(array_type(shape=(2,), others=[(2, 3)]), "x").dimensions


def test_a_shape_that_only_the_list_or_the_ranges_tell() -> None:
    assert read_array_shapes(array_type(others=[(4, 5), (6, 5)]), "x").default == (4, 5)
    ranged = read_array_shapes(array_type(ranges=[(2, 2), (3, -1)]), "x")
    assert (ranged.default, ranged.dimensions, str(ranged)) == ((2, 3), (2, None), "[2, 3..]")


def test_a_picture_of_no_pixels() -> None:
    image = proto_module("FeatureTypes_pb2").ImageFeatureType(width=4, height=0)
    with pytest.raises(ArtefactError, match="declares 4 x 0 pixels"):
        read_image_sizes(image, "image")


def test_without_coremltools_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("_fer_convert_coreml_proto")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArtefactError, match="coremltools is not installed") as caught:
        proto_module.__wrapped__("Model_pb2")
    assert caught.value.hint == "pip install coremltools"


def test_a_package_without_its_model(package: Path) -> None:
    shutil.rmtree(package / "Data")
    with pytest.raises(ArtefactError, match=r"Cannot read .*model\.mlmodel: No such file"):
        load(package)


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    ("operation", "name", "others"),
    [
        ("one_hot", "indices", {"one_hot_vector_size": 3}),
        ("gather", "indices", {"x": np.zeros((2, 3), np.float32)}),
        ("reshape", "shape", {"x": np.zeros((2, 3), np.float32)}),
        ("slice_by_index", "begin", {"x": np.zeros(3, np.float32), "end": (2,)}),
        ("topk", "axis", {"x": np.zeros((2, 3), np.float32)}),
    ],
)
def test_numbers_where_an_operation_takes_integers(
    computed: bool, operation: str, name: str, others: dict[str, Any]
) -> None:
    """Index 0.5 named no place in the reference engine, and the first in the fast one."""
    given: Any = np.array([1.0, 0.5], np.float32)
    with pytest.raises(ArtefactError, match=f"{operation} .* has fp32 as '{name}', .* integers"):
        mil_program(operation, {name: given if computed else constant(given), **others})


def test_the_end_of_a_range_may_be_any_number() -> None:
    program, _ = mil_program("range_1d", {"start": 0.0, "end": 1.0, "step": 0.25})
    assert program.run({})["out0"].tolist() == [0, 0.25, 0.5, 0.75]
