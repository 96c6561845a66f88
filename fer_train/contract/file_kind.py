"""Tell what a file is by its content, never by its name. Imports nothing heavy, runs nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

FileKind = Literal[
    "torch",  # torch.save since PyTorch 1.6
    "legacy-torch",  # torch.save before, or with _use_new_zipfile_serialization=False
    "torchscript",
    "exported-program",  # torch.export.save
    "safetensors",
    "onnx",
    "mlmodel",
    "mlpackage",  # the folder
    "nested-mlpackage",  # a folder with the one .mlpackage in it
    "zipped-mlpackage",
    "mlmodelc",  # a compiled Core ML model
    "keras",
    "hdf5",
    "tensorflow",
    "tflite",
    "numpy",
    "gguf",
    "image",
    "pickle",
    "lfs-pointer",
    "html",  # or other XML
    "text",  # JSON included
    "zip",
    "cut-zip",  # it begins as one and has no end
    "compressed",  # gzip, bzip2, xz, 7z, RAR
    "tar",
    "empty",
    "folder",
    "special",  # a pipe, a socket or a device
    "absent",
    "unknown",
]

_HEAD_BYTES = 4096
_MANIFEST = "Manifest.json"
_LARGEST_SAFETENSORS_HEADER = 100_000_000  # the library's own limit

#: What torch.save wrote before PyTorch 1.6: a pickle of this number comes first.
_LEGACY_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

_BEGINNINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"version https://git-lfs", "lfs-pointer"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "numpy"),
    (b"GGUF", "gguf"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"\x1f\x8b", "compressed"),
    (b"BZh", "compressed"),
    (b"\xfd7zXZ\x00", "compressed"),
    (b"7z\xbc\xaf\x27\x1c", "compressed"),
    (b"Rar!\x1a\x07", "compressed"),
)

#: The top-level fields of two messages: number -> protobuf's wire type (0 varint, 2 bytes).
_ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_ONNX_GRAPH = 7
_COREML_FIELDS = {1: 0, 2: 2, 10: 0}
_COREML_TYPES = range(200, 4000)  # the oneof of model types


def file_kind(path: Path | str) -> FileKind:
    """Tell what lies at ``path``.

    A file is read where it says what it is: its first 4096 bytes, and a zip's list of names. The
    answer is about the container; whether the content is whole is for its reader to find out.

    Raises:
        OSError: it cannot be opened.
    """
    file = Path(path)
    if file.is_dir():
        return _kind_of_folder(file)
    if not file.exists():
        return "absent"
    if not file.is_file():
        return "special"
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    return _kind_of_content(file, head)


def only_package_inside(folder: Path) -> Path | None:
    """Return the one ``.mlpackage`` that lies in ``folder`` itself, if there is exactly one."""
    found = [child for child in folder.iterdir() if (child / _MANIFEST).is_file()]
    return found[0] if len(found) == 1 else None


def _kind_of_folder(folder: Path) -> FileKind:
    if (folder / _MANIFEST).is_file():
        return "mlpackage"
    if (folder / "coremldata.bin").is_file():
        return "mlmodelc"
    if (folder / "saved_model.pb").is_file():
        return "tensorflow"
    return "folder" if only_package_inside(folder) is None else "nested-mlpackage"


def _kind_of_content(file: Path, head: bytes) -> FileKind:
    if not head:
        return "empty"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(file)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "legacy-torch" if head[2:].startswith(_LEGACY_TORCH) else "pickle"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_SAFETENSORS_HEADER:
        return "safetensors"
    if head[257:262] == b"ustar":
        return "tar"
    return _kind_of_text(head) or _kind_of_protobuf(file, head) or "unknown"


def _kind_of_zip(file: Path) -> FileKind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "cut-zip"
    # torch puts everything into one folder; torch.export did not before PyTorch 2.8.
    inner = {name.partition("/")[2] for name in names} | set(names)
    if "archive_format" in inner or "serialized_exported_program.json" in inner:
        return "exported-program"
    if any(name.startswith("code/") for name in inner) and "constants.pkl" in inner:
        return "torchscript"
    if "data.pkl" in inner:
        return "torch"
    if "model.weights.h5" in inner:
        return "keras"
    if any(name.rpartition("/")[2] == _MANIFEST for name in names):
        return "zipped-mlpackage"
    if names and all(name.endswith(".npy") for name in names):
        return "numpy"
    return "zip"


def _kind_of_text(head: bytes) -> FileKind | None:
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").strip()
    if len(head) == _HEAD_BYTES:
        text = text.rstrip("\ufffd")  # a character that is cut at the end of what was read
    if not text or not all(c.isprintable() or c in "\t\r\n\f" for c in text) or "\ufffd" in text:
        return None
    return "html" if text.startswith("<") else "text"


def _kind_of_protobuf(file: Path, head: bytes) -> FileKind | None:
    fields = list(_top_level_fields(file, head))
    if not fields or fields[0][0] != 1:  # both messages begin with their version
        return None
    numbers = {number for number, _ in fields}
    if _ONNX_GRAPH in numbers and all(_ONNX_FIELDS.get(n) == wire for n, wire in fields):
        return "onnx"
    if any(n in _COREML_TYPES for n in numbers) and all(
        _COREML_FIELDS.get(n, 2 if n in _COREML_TYPES else None) == wire for n, wire in fields
    ):
        return "mlmodel"
    return None


def _top_level_fields(file: Path, head: bytes) -> Iterator[tuple[int, int]]:
    """Number and wire type of a message's first fields, as far as their beginnings lie in the file.

    A long field is leapt over, so that a model of any size costs a few short reads.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        position = 0
        for _ in range(64):
            opened.seek(position)
            start = opened.read(20)  # two varints of ten bytes
            key, used = _varint(start, 0)
            value, used = _varint(start, used)
            if key is None or value is None:
                return
            number, wire = key >> 3, key & 7
            if wire not in (0, 2) or number == 0:
                return
            yield number, wire
            position += used + (value if wire == 2 else 0)
            if position >= size:
                return


def _varint(data: bytes, start: int) -> tuple[int | None, int]:
    """Return a protobuf integer and the offset behind it; None where there is none."""
    value = 0
    for index, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, start + index + 1
    return None, start
