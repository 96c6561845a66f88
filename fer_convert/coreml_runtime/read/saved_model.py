"""Find the specification of a saved model: a ``.mlmodel`` file or a ``.mlpackage`` folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeVar

from fer_convert.coreml_runtime.errors import ArtefactError, NotFound
from fer_convert.coreml_runtime.read.mapped import MappedFile, map_file
from fer_convert.coreml_runtime.read.proto import proto_module
from fer_convert.coreml_runtime.read.wire import Payloads, parse_without_weights
from fer_train.contract.file_kind import FileKind, file_kind
from fer_train.contract.file_words import refuse_stand_in, unusable

_MANIFEST_BYTES = 1 << 20  # a package lists two items in 600 bytes


_SPEC_BYTES = (1 << 31) - 1  # protobuf reads no longer message


#: Kinds that are read, or whose reading says best what is wrong: a folder without its manifest,
#: a pipe, bytes that are cut or damaged.
_MAY_BE_MODELS: frozenset[FileKind] = frozenset(
    {"mlmodel", "mlpackage", "folder", "mlmodelc", "special", "empty", "unknown"}
)


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SavedModel:
    """``spec`` is the parsed ``Model`` message, but for the weights of NeuralNetworks, which are in
    ``payloads``; weight files of ML Programs are relative to ``folder``."""

    path: Path
    folder: Path
    spec: Any
    payloads: Payloads = field(default_factory=Payloads)


def open_model(path: Path | str) -> SavedModel:
    """Parse the specification at ``path``.

    Raises:
        NotFound: nothing is there.
        ArtefactError: it is not a Core ML model, is truncated, or its manifest points outside it.
    """
    source = Path(path)
    if not source.exists():
        raise NotFound(f"No Core ML model at {source}.")
    _refuse_other_kinds(source)
    file = _root_model(source) if source.is_dir() else source
    try:
        mapped = _opened(file, _mapped_model, limit=_SPEC_BYTES)
    except FileNotFoundError as error:
        raise ArtefactError(f"Cannot read {file}: {error.strerror}.") from error
    spec, payloads = _parse(mapped)
    return SavedModel(source, file.parent, spec, payloads)


def _refuse_other_kinds(source: Path) -> None:
    """What is certainly something else has a sentence of its own; the rest is for the parser."""
    try:
        kind = file_kind(source)
    except OSError as error:
        raise ArtefactError(f"Cannot read {source}: {error}.") from error
    if kind not in _MAY_BE_MODELS:
        raise unusable(source, kind, reader="coreml")


def inside(folder: Path, relative: str, *, what: str) -> Path:
    """Join ``relative`` to ``folder`` and refuse a result outside it, through links as well.

    Raises:
        ArtefactError: the path is absolute, climbs out, or contains a NUL or a loop of links.
    """
    try:
        root = folder.resolve()
        target = (root / relative).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise ArtefactError(f"{what} names an impossible path {relative!r}: {error}") from error
    if not target.is_relative_to(root) or target == root:
        raise ArtefactError(
            f"{what} points outside the model: {relative!r}.",
            hint="A model never needs files of its surroundings; do not trust this one.",
        )
    return target


def _root_model(package: Path) -> Path:
    manifest_path = package / "Manifest.json"
    try:
        manifest = json.loads(_opened(manifest_path, Path.read_bytes, limit=_MANIFEST_BYTES))
        root = manifest["rootModelIdentifier"]
        relative = manifest["itemInfoEntries"][root]["path"]
    except FileNotFoundError as error:
        raise ArtefactError(
            f"{package} is a folder without Manifest.json, so it is not a .mlpackage.",
            hint="A compiled .mlmodelc cannot be read here; give the .mlpackage it came from.",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # RecursionError: [[[[…
        raise ArtefactError(
            f"{manifest_path} is not a package manifest: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(relative, str):
        raise ArtefactError(
            f"{manifest_path}: the root model's path is {relative!r}, not a string."
        )
    what = f"The root model of {manifest_path}"
    # Data itself may be a link, too.
    return inside(inside(package, "Data", what=what), relative, what=what)


def _opened(file: Path, way: Callable[[Path], _T], *, limit: int) -> _T:
    """A regular file, read or mapped; a pipe or device, which might never end, is refused.

    Raises:
        FileNotFoundError: there is none.
        ArtefactError: it is no regular file, longer than ``limit``, or cannot be read.
    """
    try:
        status = file.stat()
        if not S_ISREG(status.st_mode):
            raise ArtefactError(f"{file} is not a regular file.")
        if status.st_size > limit:
            raise ArtefactError(f"{file} has {status.st_size} bytes; {limit} are allowed.")
        return way(file)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ArtefactError(f"Cannot read {file}: {error}.") from error


def _mapped_model(file: Path) -> MappedFile:
    # Inside a package, too: a checkout may lack what Git LFS holds.
    refuse_stand_in(file)
    return map_file(file)


def _parse(file: MappedFile) -> tuple[Any, Payloads]:
    path, size = file.path, file.content.size
    spec = proto_module("Model_pb2").Model()
    try:
        payloads = parse_without_weights(spec, file)
    except Exception as error:  # protobuf's DecodeError lives in another module per implementation
        raise ArtefactError(
            f"{path} ({size} bytes) is no Core ML specification, or truncated: {error}"
        ) from error
    if spec.WhichOneof("Type") is None:
        raise ArtefactError(f"{path} holds no model ({size} bytes).")
    return spec, payloads
