"""Properties of the file-reading parts, for whatever values hypothesis thinks of."""

from __future__ import annotations

import itertools
import json
import math
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime import load
from fer_convert.coreml_runtime.blob import WeightBlob, open_blob
from fer_convert.coreml_runtime.description import Feature
from fer_convert.coreml_runtime.element_types import BLOB_TYPES, TYPES, decode, unpack_bits
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.images import feed, picture
from fer_convert.coreml_runtime.mil_ops import MIL
from fer_convert.coreml_runtime.package import inside
from fer_convert.coreml_runtime.proto import proto_module
from fer_convert.coreml_runtime.sizes import AllowedShapes, check_shape
from fer_convert.coreml_runtime.windows import convolve, same_pads
from fer_train.contract.errors import FerError
from tests.coreml_runtime.one_operation import run_mil

Array = np.ndarray[Any, Any]

# The same cases in every run; a folder of examples would be written into the repository.
settings.register_profile(
    "runtime",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("runtime")

STORED = sorted(set(BLOB_TYPES.values()))
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)


def pack(values: Sequence[int], bits: int) -> bytes:
    """One big integer, written out: nothing of the implementation's bit planes."""
    number = sum((value % (1 << bits)) << (i * bits) for i, value in enumerate(values))
    return number.to_bytes((len(values) * bits + 7) // 8, "little")


@given(st.data(), st.integers(1, 8))
def test_unpack_bits_inverts_packing(data: st.DataObject, bits: int) -> None:
    values = data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=40))
    raw = np.frombuffer(bytearray(pack(values, bits)), np.uint8)
    assert unpack_bits(raw, bits=bits, count=len(values)).tolist() == values


@given(st.data(), st.sampled_from([n for n in STORED if "fp" not in n]), SHAPES)
def test_decode_inverts_packing(data: st.DataObject, name: str, shape: tuple[int, ...]) -> None:
    element, count = TYPES[name], math.prod(shape)
    low, high = (0, 1 << element.bits) if name[0] == "u" else (
        -(1 << (element.bits - 1)), 1 << (element.bits - 1)
    )  # fmt: skip
    values = data.draw(st.lists(st.integers(low, high - 1), min_size=count, max_size=count))
    raw = np.frombuffer(bytearray(pack(values, element.bits)), np.uint8)
    assert raw.size == element.stored_bytes(count)
    result = decode(raw, element, shape)
    assert (result.shape, result.dtype) == (shape, element.numpy)
    assert result.reshape(-1).tolist() == values


HUGE = st.one_of(
    st.integers(0, 700),
    st.integers(0, 12).map(lambda k: 64 * k),
    st.integers((1 << 64) - 200, (1 << 64) - 1),
    st.sampled_from([1 << 31, 1 << 32, 1 << 63, (1 << 64) - 64]),
)


@settings(max_examples=200)
@given(
    at=HUGE, size=HUGE, start=HUGE, kind=st.sampled_from(sorted(BLOB_TYPES)), count=HUGE,
    blocks=st.integers(1, 8),
)  # fmt: skip
def test_locate_never_leaves_the_file(
    at: int, size: int, start: int, kind: int, count: int, blocks: int
) -> None:
    content = np.zeros(64 * blocks, np.uint8)
    if at + 32 <= content.size:
        record = struct.pack("<IIQQQ", 0xDEADBEEF, kind, size, start, 0)
        content[at : at + 32] = np.frombuffer(record, np.uint8)
    element = TYPES[BLOB_TYPES[kind]]
    blob = WeightBlob(Path("weight.bin"), content)
    try:
        found = blob.locate(at, element=element, shape=(count,), name="w")
    except ArtefactError as error:
        assert str(at) in str(error)
        return
    assert found.size == size == element.stored_bytes(count)
    assert at % 64 == start % 64 == 0
    assert at + 64 <= content.size and start + size <= content.size
    assert np.shares_memory(found, content) or size == 0


@given(
    st.integers(1, 30), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4),
    st.sampled_from(["after", "before"]),
)  # fmt: skip
def test_same_pads_is_the_least_padding(
    size: int, kernel: int, stride: int, dilation: int, heavy: Any
) -> None:
    ((before, after),) = same_pads([size], [kernel], [stride], [dilation], heavy=heavy)
    windows = len(range(0, size, stride))

    def fits(total: int) -> bool:
        starts = range(0, size + total - (kernel - 1) * dilation, stride)
        return len(starts) >= windows

    least = next(total for total in itertools.count() if fits(total))
    assert before + after == least
    assert (after - before if heavy == "after" else before - after) == least % 2
    x, weight = torch.ones(1, 1, size), torch.ones(1, 1, kernel)
    out = convolve(
        x, weight, None, pads=[(before, after)], strides=[stride], dilations=[dilation], groups=1
    )
    assert out.shape[-1] == windows


RANGES = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 3))).map(
        lambda r: (r[0], None if r[1] is None else r[0] + r[1])
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@given(RANGES, st.lists(st.integers(0, 9), max_size=4).map(tuple))
def test_ranges_allow_what_lies_in_them(ranges: Any, shape: tuple[int, ...]) -> None:
    allowed = AllowedShapes(tuple(low for low, _ in ranges), (), ranges)
    spans = [range(low, 10 if high is None else high + 1) for low, high in ranges]
    assert allowed.allow(shape) == (shape in set(itertools.product(*spans)))
    assert allowed.flexible and allowed.allow(allowed.default)
    assert len(allowed.dimensions) == len(ranges)
    for dimension, span in zip(allowed.dimensions, spans, strict=True):
        assert dimension is None or list(span) == [dimension]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_enumerated_shapes(shapes: list[tuple[int, int]]) -> None:
    allowed = AllowedShapes(shapes[0], tuple(shapes[1:]))
    for shape in itertools.product(range(5), repeat=2):
        assert allowed.allow(shape) == (shape in shapes)
    for i, dimension in enumerate(allowed.dimensions):
        sizes = {shape[i] for shape in shapes}
        assert sizes == {dimension} if dimension is not None else len(sizes) > 1


@given(st.lists(st.integers(-(1 << 63), 1 << 64), max_size=40).map(tuple))
def test_what_check_shape_passes_numpy_can_hold(shape: tuple[int, ...]) -> None:
    try:
        check_shape(shape, "it")
    except ArtefactError:
        return
    assert np.broadcast_to(np.uint8(0), shape).shape == shape
    assert np.empty((0, *shape[1:])).size == 0


@pytest.mark.parametrize("shape", [(0, 1 << 62), (1 << 20, 1 << 21), (-1,), (1,) * 33])
def test_impossible_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtefactError, match="declares"):
        check_shape(shape, "it")


@given(
    st.integers(1, 7), st.integers(1, 7), st.sampled_from(["RGB", "BGR", "GRAYSCALE"]),
    st.integers(0, 99),
)  # fmt: skip
def test_a_fed_picture_comes_back(height: int, width: int, layout: Any, seed: int) -> None:
    feature = Feature(
        name="image", kind="image", color_layout=layout, shapes=AllowedShapes((height, width))
    )
    size = (height, width) if layout == "GRAYSCALE" else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    planes = feed(feature, pixels)
    assert planes.shape == (1, feature.channels, height, width)
    if layout == "BGR":
        assert planes[0, 0].tolist() == pixels[..., 2].tolist()
    assert np.array_equal(np.asarray(picture(feature, planes.numpy())), pixels)
    assert torch.equal(feed(feature, picture(feature, planes.numpy())), planes)


@pytest.mark.parametrize("default", [math.nan, math.inf, 1e300, 2.0**40])
def test_an_impossible_default(default: float) -> None:
    feature = Feature(
        name="x", kind="array", shapes=AllowedShapes((2,)), element=TYPES["int8"],
        optional=True, default=default,
    )  # fmt: skip
    with pytest.raises(ArtefactError, match="has the default"):
        feed(feature, None)


def test_a_default_too_big_to_fill_in() -> None:
    feature = Feature(name="x", kind="array", shapes=AllowedShapes((1 << 20, 1 << 20)))
    with pytest.raises(ArtefactError, match="too many to fill in"):
        feed(feature, None)


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


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_reshape_and_its_inverse(order: list[int], sizes: list[int]) -> None:
    x = np.arange(math.prod(sizes), dtype=np.float32).reshape(sizes)
    target = [sizes[i] for i in order]
    there = run_mil("reshape", {"x": x, "shape": tuple(target)})
    assert np.array_equal(there, x.reshape(target))
    assert np.array_equal(run_mil("reshape", {"x": there, "shape": tuple(sizes)}), x)
    if "transpose" in MIL:
        moved = run_mil("transpose", {"x": x, "perm": tuple(order)})
        assert moved.shape == tuple(target)
        back = run_mil("transpose", {"x": moved, "perm": tuple(np.argsort(order).tolist())})
        assert np.array_equal(back, x)


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


def test_stored_truth_values_are_zero_or_one() -> None:
    stored = decode(np.array([0, 1, 2, 255], np.uint8), TYPES["bool"], (4,))
    assert stored.view(np.uint8).tolist() == [0, 1, 1, 1]


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
