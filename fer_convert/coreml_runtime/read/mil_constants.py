"""Literals of an ML Program: immediate values in the specification, or records of a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import MIL_TYPES, TYPES, Array, ElementType, decode
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant
from fer_convert.coreml_runtime.read.blob import WeightBlob, open_blob
from fer_convert.coreml_runtime.read.saved_model import inside
from fer_convert.coreml_runtime.sizes import check_shape

_MODEL_PATH = "@model_path/"


# The field of a literal -> the kinds of numpy types it may hold.
_STORED_AS: Mapping[str | None, str] = {
    "floats": "f", "doubles": "f", "ints": "iu", "longInts": "iu", "bools": "b", "strings": "O",
    "bytes": "",  # of text
}  # fmt: skip


class ConstantReader:
    """Reads ``Value`` messages; opens each weight file once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs: dict[Path, WeightBlob] = {}

    def read(self, value: Any, name: str) -> Constant:
        """Check a value against its declared type; decode it only when it is asked for.

        Raises:
            ArtefactError: the stored elements are not as many, or not of the kind, as declared.
        """
        element, shape = _declared(value.type, name)
        which = value.WhichOneof("value")
        if which == "blobFileValue":
            reference = value.blobFileValue
            blob = self._blob(reference.fileName, name)
            raw = blob.locate(reference.offset, element=element, shape=shape, name=name)
            return Constant(
                name=name,
                element=element,
                shape=shape,
                read=partial(decode, raw, element, shape),
                release=partial(blob.file.release, raw),
            )
        if which != "immediateValue":
            raise ArtefactError(f"Constant '{name}' has a type and no value.")
        array = _immediate(value.immediateValue, element, shape, name)
        return Constant(name=name, element=element, shape=shape, read=lambda: array)

    def _blob(self, file_name: str, name: str) -> WeightBlob:
        if not file_name.startswith(_MODEL_PATH):
            raise ArtefactError(
                f"Constant '{name}' lies in {file_name!r}; only paths below {_MODEL_PATH!r} "
                "are allowed."
            )
        relative = file_name.removeprefix(_MODEL_PATH)
        path = inside(self._folder, relative, what=f"Constant '{name}'")
        if path not in self._blobs:  # one file has many names: a/b, a//b, a/./b
            self._blobs[path] = open_blob(path)
        return self._blobs[path]


def _declared(value_type: Any, name: str) -> tuple[ElementType, tuple[int, ...]]:
    which = value_type.WhichOneof("type")
    if which == "tensorType":
        tensor, dimensions = value_type.tensorType, value_type.tensorType.dimensions
    elif which == "listType" and value_type.listType.type.WhichOneof("type") == "tensorType":
        tensor, dimensions = value_type.listType.type.tensorType, [value_type.listType.length]
    else:
        raise UnsupportedOperation(
            f"Constant '{name}' is of {which or 'no type'}, which is not supported."
        )
    if any(d.WhichOneof("dimension") != "constant" for d in dimensions):
        raise ArtefactError(f"Constant '{name}' has a dimension that is not constant.")
    if tensor.dataType not in MIL_TYPES:
        raise UnsupportedOperation(
            f"Constant '{name}' has element type {tensor.dataType} of MIL.proto."
        )
    shape = tuple(int(d.constant.size) for d in dimensions)
    check_shape(shape, f"Constant '{name}'")
    return TYPES[MIL_TYPES[tensor.dataType]], shape


def _immediate(value: Any, element: ElementType, shape: tuple[int, ...], name: str) -> Array:
    if value.WhichOneof("value") == "list":
        # A list of class labels: each entry is a scalar tensor of its own.
        kind = "longInts" if element.name == "int64" else "strings"
        stored = [
            s for v in value.list.values for s in getattr(v.immediateValue.tensor, kind).values
        ]
    else:
        kind = value.tensor.WhichOneof("value")
        # A tensor without elements carries no field at all.
        stored = getattr(value.tensor, kind).values if kind else []
    if kind == "bytes" and element.name != "string":
        raw = np.frombuffer(bytearray(stored), dtype=np.uint8)
        if raw.size != element.stored_bytes(prod(shape)):
            raise _miscounted(name, f"{raw.size} bytes", element, shape)
        return decode(raw, element, shape)
    if len(stored) != prod(shape):
        raise _miscounted(name, f"{len(stored)} values", element, shape)
    if stored and element.numpy.kind not in _STORED_AS[kind]:
        raise ArtefactError(f"Constant '{name}' is declared {element.name} and stored as {kind}.")
    # Through Python objects: an int that does not fit its declared type raises instead of wrapping.
    try:
        return np.array(list(stored), dtype=element.numpy).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise ArtefactError(f"Constant '{name}' does not hold {element.name}: {error}") from error


def _miscounted(
    name: str, found: str, element: ElementType, shape: tuple[int, ...]
) -> ArtefactError:
    return ArtefactError(
        f"Constant '{name}' holds {found}, but {element.name} {list(shape)} is declared."
    )
