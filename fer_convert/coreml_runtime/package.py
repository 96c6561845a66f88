"""Find the specification of a saved model: a ``.mlmodel`` file or a ``.mlpackage`` folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from fer_convert.coreml_runtime.errors import ArtefactError, NotFound
from fer_convert.coreml_runtime.proto import proto_module

_MANIFEST_BYTES = 1 << 20  # a package lists two items in 600 bytes
_SPEC_BYTES = (1 << 31) - 1  # protobuf reads no longer message


@dataclass(frozen=True, slots=True)
class SavedModel:
    """``spec`` is the parsed ``Model`` message; weight files are relative to ``folder``."""

    path: Path
    folder: Path
    spec: Any


def open_model(path: Path | str) -> SavedModel:
    """Parse the specification at ``path``.

    Raises:
        NotFound: nothing is there.
        ArtefactError: it is not a Core ML model, is truncated, or its manifest points outside it.
    """
    source = Path(path)
    if not source.exists():
        raise NotFound(f"No Core ML model at {source}.")
    file = _root_model(source) if source.is_dir() else source
    try:
        content = _content(file, limit=_SPEC_BYTES)
    except FileNotFoundError as error:
        raise ArtefactError(f"Cannot read {file}: {error.strerror}.") from error
    return SavedModel(source, file.parent, _parse(content, file))


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
        manifest = json.loads(_content(manifest_path, limit=_MANIFEST_BYTES))
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


def _content(file: Path, *, limit: int) -> bytes:
    """The bytes of a regular file; a pipe or device, which might never end, is refused.

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
        return file.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ArtefactError(f"Cannot read {file}: {error}.") from error


def _parse(content: bytes, file: Path) -> Any:
    if content.startswith(b"version https://git-lfs"):
        raise ArtefactError(
            f"{file} is a Git LFS pointer, not a model.", hint="git lfs pull, then try again."
        )
    spec = proto_module("Model_pb2").Model()
    try:
        spec.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError lives in another module per implementation
        raise ArtefactError(
            f"{file} ({len(content)} bytes) is no Core ML specification, or truncated: {error}"
        ) from error
    if spec.WhichOneof("Type") is None:
        raise ArtefactError(f"{file} holds no model ({len(content)} bytes).")
    return spec
