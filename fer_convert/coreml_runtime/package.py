"""Find the specification of a saved model: a ``.mlmodel`` file or a ``.mlpackage`` folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_convert.coreml_runtime.errors import ArtefactError, NotFound
from fer_convert.coreml_runtime.proto import proto_module


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
        content = file.read_bytes()
    except OSError as error:
        raise ArtefactError(f"Cannot read {file}: {error.strerror or error}.") from error
    return SavedModel(source, file.parent, _parse(content, file))


def inside(folder: Path, relative: str, *, what: str) -> Path:
    """Join ``relative`` to ``folder`` and refuse a result outside it, through links as well.

    Raises:
        ArtefactError: the path is absolute, climbs out, or contains a NUL.
    """
    try:
        root = folder.resolve()
        target = (root / relative).resolve()
    except (ValueError, OSError) as error:
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
        manifest = json.loads(manifest_path.read_bytes())
        root = manifest["rootModelIdentifier"]
        relative = manifest["itemInfoEntries"][root]["path"]
    except FileNotFoundError as error:
        raise ArtefactError(
            f"{package} is a folder without Manifest.json, so it is not a .mlpackage.",
            hint="A compiled .mlmodelc cannot be read here; give the .mlpackage it came from.",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{manifest_path} is not a package manifest: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(relative, str):
        raise ArtefactError(
            f"{manifest_path}: the root model's path is {relative!r}, not a string."
        )
    return inside(package / "Data", relative, what=f"The root model of {manifest_path}")


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
