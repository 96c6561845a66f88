"""The weight file of an ML Program (``weights/weight.bin``, MILBlob storage version 2).

    offset 0     header, 64 bytes: record count, version (little-endian uint32 each), then zeros
    offset 64·k  record, 64 bytes: sentinel 0xDEADBEEF, element type (uint32 each), size in bytes,
                 offset of the data, unused bits at its end (uint64 each), then zeros
    offset 64·j  the data itself

A constant of the program names the offset of its *record*. Nothing is trusted: each number is
checked against the file's real length before a byte is touched, so a hostile record can neither
read outside the file nor make us allocate.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from stat import S_ISREG

from fer_convert.coreml_runtime.element_types import BLOB_TYPES, Array, ElementType
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.read.mapped import MappedFile, map_file
from fer_train.contract.file_words import refuse_stand_in

_SENTINEL = 0xDEADBEEF


_ALIGNMENT = 64  # bytes; header, records and data all start on such a boundary


_HEADER = struct.Struct("<II")


_RECORD = struct.Struct("<IIQQQ")


_VERSION = 2


@dataclass(frozen=True, slots=True)
class WeightBlob:
    """An opened weight file: mapped, and not read."""

    file: MappedFile

    def locate(
        self, offset: int, *, element: ElementType, shape: Sequence[int], name: str
    ) -> Array:
        """Return the stored bytes of the constant whose record lies at ``offset``, still mapped.

        Args:
            offset: of the record, in bytes from the start of the file.
            element, shape: what the program declares the constant to be.
            name: the constant's name, for messages.

        Returns:
            uint8 ``[element.stored_bytes(prod(shape))]``, for `element_types.decode`.

        Raises:
            ArtefactError: the record is outside the file, lacks the sentinel, has another type,
                size or padding than declared, or points outside the file.
        """

        def refuse(problem: str) -> ArtefactError:
            return ArtefactError(
                f"Constant '{name}' at offset {offset} of {self.file.path}: {problem}",
                hint="The file is truncated or damaged; export it again.",
            )

        content = self.file.content
        length = content.size
        if offset % _ALIGNMENT or offset < _ALIGNMENT or offset + _ALIGNMENT > length:
            raise refuse(
                f"a record starts on a multiple of {_ALIGNMENT} bytes and inside the file, "
                f"which has {length}."
            )
        sentinel, kind, size, start, padding = _RECORD.unpack_from(content.data, offset)
        if sentinel != _SENTINEL:
            raise refuse(f"the sentinel is {sentinel:#010x}, not {_SENTINEL:#010x}.")
        if BLOB_TYPES.get(kind) != element.name:
            stored = BLOB_TYPES.get(kind, f"unknown type {kind}")
            raise refuse(f"stored as {stored}, declared as {element.name}.")
        count = prod(shape)
        expected = element.stored_bytes(count)
        if size != expected:
            raise refuse(f"{size} bytes are stored, {count} x {element.name} need {expected}.")
        # Whole bytes have no padding, and coremltools before 8 left that field undefined.
        if element.bits % 8 and padding != 8 * size - element.bits * count:
            raise refuse(
                f"{padding} bits of padding, {count} x {element.name} in {size} bytes leave "
                f"{8 * size - element.bits * count}."
            )
        if start % _ALIGNMENT or start < _ALIGNMENT or start + size > length:
            raise refuse(
                f"its data, {size} bytes from {start}, is not inside the file, which has {length}, "
                f"{_ALIGNMENT} of them the header."
            )
        return content[start : start + size]


def open_blob(path: Path) -> WeightBlob:
    """Map a weight file.

    Raises:
        ArtefactError: missing, a Git LFS pointer or web page in its place, shorter than a header,
            or of another storage version.
    """
    try:
        if not S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise ArtefactError(f"The weight file {path} is not a regular file.")
        file = map_file(path)
    except OSError as error:
        raise ArtefactError(f"Cannot open the weight file {path}: {error}") from error
    refuse_stand_in(path)
    if file.content.size < _ALIGNMENT:
        raise ArtefactError(
            f"The weight file {path} has {file.content.size} bytes; its header alone has "
            f"{_ALIGNMENT}."
        )
    _records, version = _HEADER.unpack_from(file.content.data, 0)
    if version != _VERSION:
        raise ArtefactError(
            f"The weight file {path} has storage version {version}; only {_VERSION} is known."
        )
    return WeightBlob(file)
