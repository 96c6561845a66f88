"""Packed integers, small floats, and the records of the weight file."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime.element_types import BLOB_TYPES, TYPES, decode, unpack_bits
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.read.blob import WeightBlob, open_blob
from fer_convert.coreml_runtime.read.mapped import MappedFile

STORED = sorted(set(BLOB_TYPES.values()))


HUGE_PADDING = st.one_of(st.integers(0, 9), st.sampled_from([64, (1 << 64) - 1]))


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


@given(st.data(), st.sampled_from([n for n in STORED if "int" in n]), SHAPES)
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


@pytest.mark.parametrize(
    ("name", "torch_type"),
    [
        ("bf16", torch.bfloat16),
        ("fp8e4m3fn", torch.float8_e4m3fn),
        ("fp8e5m2", torch.float8_e5m2),
    ],
)
def test_every_small_float(name: str, torch_type: torch.dtype) -> None:
    """All bit patterns: subnormals, both zeros, infinities, NaNs."""
    codes = np.arange(1 << TYPES[name].bits)
    raw = codes.astype(np.uint16 if name == "bf16" else np.uint8).view(np.uint8)
    expected = torch.from_numpy(raw).view(torch_type).float().numpy()
    result = decode(raw, TYPES[name], codes.shape)
    assert result.dtype == np.float32 and TYPES[name].is_float
    np.testing.assert_array_equal(result, expected)
    numbers = ~np.isnan(expected)  # a NaN's sign means nothing
    np.testing.assert_array_equal(np.signbit(result)[numbers], np.signbit(expected)[numbers])


WRITTEN = {"fp32": "float", **{name: name for name in STORED if "int" in name}, "fp16": "fp16"}


@settings(max_examples=40)
@given(st.data(), st.lists(st.sampled_from(sorted(WRITTEN)), min_size=1, max_size=4))
def test_records_that_apples_writer_wrote(
    tmp_path: Path, data: st.DataObject, names: list[str]
) -> None:
    """coremltools' compiled writer is the oracle of layout, packing and padding."""
    writer_module = pytest.importorskip("coremltools.libmilstoragepython")
    path = tmp_path / "weight.bin"
    path.unlink(missing_ok=True)
    writer = writer_module._BlobStorageWriter(str(path))
    written = []
    for name in names:
        element, seed = TYPES[name], data.draw(st.integers(0, 99))
        rng, count = np.random.default_rng(seed), data.draw(st.integers(1, 70))
        if element.is_float:
            array = rng.standard_normal(count).astype(element.numpy)
        else:
            low = 0 if name[0] == "u" else -(1 << (element.bits - 1))
            array = rng.integers(low, low + (1 << element.bits), count).astype(element.numpy)
        given_array = array.view(np.uint16) if name == "fp16" else array
        offset = getattr(writer, f"write_{WRITTEN[name]}_data")(given_array)
        written.append((offset, element, array))
    del writer
    blob = open_blob(path)
    for offset, element, array in written:
        raw = blob.locate(offset, element=element, shape=array.shape, name="w")
        np.testing.assert_array_equal(decode(raw, element, array.shape), array)


def record(name: str, count: int, *, padding: int, start: int = 128) -> WeightBlob:
    """A weight file of one record, at 64, whose data are zeros."""
    kind = next(number for number, stored in BLOB_TYPES.items() if stored == name)
    size = TYPES[name].stored_bytes(count)
    header = struct.pack("<II", 1, 2).ljust(64, b"\0")
    fields = struct.pack("<IIQQQ", 0xDEADBEEF, kind, size, start, padding).ljust(64, b"\0")
    return WeightBlob(
        MappedFile(Path("weight.bin"), np.frombuffer(header + fields + bytes(size), np.uint8))
    )


@given(st.sampled_from([n for n in STORED if TYPES[n].bits < 8]), st.integers(0, 40), HUGE_PADDING)
def test_padding_must_be_what_is_left(name: str, count: int, padding: int) -> None:
    right = -count * TYPES[name].bits % 8
    blob = record(name, count, padding=padding)
    if padding == right:
        assert blob.locate(64, element=TYPES[name], shape=(count,), name="w").max(initial=0) == 0
        return
    with pytest.raises(ArtefactError, match=f"at offset 64 .*: {padding} bits of padding"):
        blob.locate(64, element=TYPES[name], shape=(count,), name="w")


def test_whole_bytes_have_no_padding_to_check() -> None:
    blob = record("fp16", 3, padding=1 << 60)  # coremltools before 8 wrote what was in memory
    assert blob.locate(64, element=TYPES["fp16"], shape=(3,), name="w").size == 6


def test_data_inside_the_header() -> None:
    with pytest.raises(ArtefactError, match="6 bytes from 0, is not inside the file"):
        record("fp16", 3, padding=0, start=0).locate(
            64, element=TYPES["fp16"], shape=(3,), name="w"
        )


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
    blob = WeightBlob(MappedFile(Path("weight.bin"), content))
    try:
        found = blob.locate(at, element=element, shape=(count,), name="w")
    except ArtefactError as error:
        assert str(at) in str(error)
        return
    assert found.size == size == element.stored_bytes(count)
    assert at % 64 == start % 64 == 0
    assert at + 64 <= content.size and start + size <= content.size
    assert np.shares_memory(found, content) or size == 0


def test_stored_truth_values_are_zero_or_one() -> None:
    stored = decode(np.array([0, 1, 2, 255], np.uint8), TYPES["bool"], (4,))
    assert stored.view(np.uint8).tolist() == [0, 1, 1, 1]
