"""A specification parsed without its weights, which stay in the mapped file.

A NeuralNetwork carries its weights inside the protobuf message: parsed as a whole, a network of
60 million floats lies in memory three times. So we walk the message's wire form first, and copy it
without the values of any ``WeightParams``; each value leaves a *mark* in its place that says where
in the file it is. Only what is left, some 100 kB, is parsed.

https://protobuf.dev/programming-guides/encoding/ describes the wire form.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.read.mapped import MappedFile

_VARINT, _LENGTH = 0, 2


_FIXED = {1: 8, 5: 4}  # wire type to bytes


_DEEPEST = 100  # protobuf's own limit of nested messages


_MOST_FIELDS = 1 << 18  # where weights may be; resnet152 has 3,899


_MARK = struct.Struct("<QQ")  # offset and size in bytes


_WEIGHTS = "WeightParams"


_FLOATS = "floatValue"


_VALUES = {_FLOATS, "float16Value", "rawValue", "int8RawValue"}


class Malformed(Exception):
    """The bytes are not a protobuf message."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A value of a ``WeightParams``: its size in bytes, and how to read them, as a copy (uint8)."""

    size: int
    read: Callable[[], Array]


class Payloads:
    """Where the values of weights are: in the messages, or marked in them and in ``file``."""

    def __init__(self, file: MappedFile | None = None) -> None:
        self._file = file

    def take(self, message: Any, field: str) -> Payload:
        """One value field of a ``WeightParams`` message, which is not needed any more then."""
        if self._file is None:
            array = _inline(message, field)
            return Payload(array.size, array.copy)
        marks = _marks(getattr(message, field), field)
        return Payload(sum(size for _, size in marks), partial(_copied, self._file, marks))


def _inline(message: Any, field: str) -> Array:
    if field == _FLOATS:
        return np.array(message.floatValue, dtype="<f4").view(np.uint8)
    return np.frombuffer(getattr(message, field), dtype=np.uint8)


def _copied(file: MappedFile, marks: Sequence[tuple[int, int]]) -> Array:
    parts = [file.content[at : at + size] for at, size in marks]
    copied = np.concatenate(parts) if parts else np.zeros(0, np.uint8)
    for part in parts:
        file.release(part)
    return copied


def parse_without_weights(message: Any, file: MappedFile) -> Payloads:
    """Parse ``file`` into the empty ``message``; what its weights hold is in the payloads.

    Raises:
        Malformed: truncated, nested too deeply, of absurdly many fields, or no message at all.
        Exception: whatever protobuf raises on the rest.
    """
    kept = _Walk(file.content.data).without_weights(0, file.content.size, message.DESCRIPTOR)
    message.ParseFromString(bytes(kept))
    file.release(file.content)
    return Payloads(file)


class _Walk:
    """One pass over a message and those nested in it; it ends for hostile files as well."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._fields = 0

    def without_weights(
        self, start: int, end: int, descriptor: Any, *, depth: int = 0
    ) -> bytearray:
        """The message of type ``descriptor`` in ``data[start:end]`` with marks in it."""
        if depth > _DEEPEST:
            raise Malformed(f"messages nested more than {_DEEPEST} deep")
        data, kept, at = self._data, bytearray(), start
        while at < end:
            tag, body = _varint(data, at, end)
            value, after = self._value(tag & 7, body, end)
            field = descriptor.fields_by_number.get(tag >> 3)
            if field and descriptor.name == _WEIGHTS and field.name in _VALUES:
                kept += _marked(field, value, after - value)
            elif field and tag & 7 == _LENGTH and _holds_weights(field.message_type):
                inner = self.without_weights(value, after, field.message_type, depth=depth + 1)
                kept += data[at:body]
                kept += _as_varint(len(inner))
                kept += inner
            else:
                kept += data[at:after]
            at = after
        return kept

    def _value(self, wire: int, body: int, end: int) -> tuple[int, int]:
        """Where the value begins that follows a tag at ``body``, and where it ends."""
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise Malformed(f"more than {_MOST_FIELDS} fields beside the weights")
        if wire == _VARINT:
            value, after = body, _varint(self._data, body, end)[1]
        elif wire == _LENGTH:
            size, value = _varint(self._data, body, end)
            after = value + size
        elif wire in _FIXED:
            value, after = body, body + _FIXED[wire]
        else:
            raise Malformed(f"wire type {wire} at byte {body}")
        if after > end:
            raise Malformed(f"a field at byte {body} is longer than its message")
        return value, after


def _marked(field: Any, offset: int, size: int) -> bytes:
    """A value field that holds a mark; of repeated ones the message collects all."""
    mark = _MARK.pack(offset, size) if size else b""
    if field.name == _FLOATS:
        if size % 4:
            raise Malformed(f"{size} bytes of floats at byte {offset}")
        mark = np.frombuffer(mark, "<u2").astype("<f4").tobytes()  # exact: 16 bits a float
    return _as_varint(field.number << 3 | _LENGTH) + _as_varint(len(mark)) + mark


def _marks(stored: Any, field: str) -> list[tuple[int, int]]:
    if field == _FLOATS:
        stored = np.array(stored, np.float32).astype("<u2").tobytes()
    return list(_MARK.iter_unpack(stored))


@cache
def _holds_weights(descriptor: Any | None) -> bool:
    """Whether a message of this type can contain a ``WeightParams``; not if it is no message."""
    found, waiting = set[str](), [descriptor]
    while waiting:
        current = waiting.pop()
        if current is not None and current.full_name not in found:
            if current.name == _WEIGHTS:
                return True
            found.add(current.full_name)
            waiting += [field.message_type for field in current.fields]
    return False


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed(f"a number at byte {at} does not end")


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
