"""The images of a parity run, as the exact pixels a network gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.errors import (
    DataLayoutError,
    LabelMismatch,
    NotFound,
    ParityFailed,
    harmless,
)
from fer_train.contract.files import sha256_file
from fer_train.contract.labels import canonical_name
from fer_train.contract.picture_files import (
    image_suffixes,
    is_archive,
    is_unopenable_picture,
    pictures_below,
    walk_files,
)
from fer_train.contract.pixels import Box, centred_square, crop_resize, face_crop, load_rgb
from fer_train.contract.preprocess import PreprocessSpec

Kind = Literal["face", "hard"]

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One image of a parity run.

    Attributes:
        name: path relative to the folder, with ``/``.
        kind: ``face``, or ``hard`` for pictures made to break a pipeline.
        label: the emotion shown, where known.
        image: uint8 RGB ``[S, S, 3]``, S = the network's input size.
        path: the file the pixels came from.
        box, region: where a face was in a photograph, and the square that was cut; in pixels of the
            upright picture. None for a picture that is a face already.
    """

    name: str
    kind: Kind
    label: str | None
    image: NDArray[np.uint8]
    path: Path
    box: Box | None = None
    region: Box | None = None


def load_fixtures(folder: Path, *, spec: PreprocessSpec) -> list[Fixture]:
    """Read every image of a folder and crop it to the network's input.

    A ``manifest.json`` decides which files count, and their sha256 must match. Without one, all
    images under the folder are taken, and a file's label is its sub-folder's name where that is
    one of the eight emotions.

    Raises:
        NotFound: no such folder, or a file of the manifest is missing.
        DataLayoutError: a file in the place of a folder, a manifest that is unusable, or a file
            that is not the one it describes.
        ParityFailed: there is no image: comparing nothing would prove nothing.
        UnreadableImage: a file cannot be decoded.
    """
    if not folder.is_dir():
        if folder.is_file():
            raise DataLayoutError(
                f"{folder} is a file, not a folder of images.",
                hint="It is an archive: unpack it, and give the folder."
                if is_archive(folder)
                else "Give the folder around it.",
            )
        raise NotFound(f"There is no folder of images {folder}.")
    manifest = folder / MANIFEST
    listed = _from_manifest(manifest) if manifest.is_file() else _from_folder(folder)
    fixtures = [
        Fixture(
            # A name that is not UTF-8 reaches Python as lone surrogates, which no report can hold.
            name=harmless(path.relative_to(folder).as_posix(), kept=""),
            kind=kind,
            label=label,
            image=face_crop(load_rgb(path), size=spec.input_size),
            path=path,
        )
        for path, kind, label in listed
    ]
    if not fixtures:
        names = [name for name, _ in walk_files(folder, root=folder)]
        foreign = [name for name in names if is_unopenable_picture(name)]
        seen = f", but {foreign[0]} and the like, which Pillow cannot open here" if foreign else ""
        raise ParityFailed(
            f"{folder} holds no images{seen}; comparing nothing proves nothing.",
            hint=f"Put face images there ({', '.join(sorted(image_suffixes()))}).",
        )
    return fixtures


def recrop(fixture: Fixture, *, spec: PreprocessSpec, margin: float) -> Fixture:
    """Return the fixture as a pipeline with another (smaller) crop margin would have cut it.

    A fixture's square already includes ``spec.crop_margin`` around the face, so a smaller margin
    is a smaller square about the same centre.
    """
    if not 0 <= margin <= spec.crop_margin:
        raise ValueError(f"A fixture cut with margin {spec.crop_margin} cannot show {margin}.")
    image = load_rgb(fixture.path)
    height, width = image.shape[:2]
    full = centred_square(width, height)
    side = full.width * (1 + margin) / (1 + spec.crop_margin)
    inset = (full.width - side) / 2
    region = Box(full.x + inset, full.y + inset, side, side)
    return replace(fixture, image=crop_resize(image, region, size=spec.input_size))


def _from_manifest(manifest: Path) -> Iterator[tuple[Path, Kind, str | None]]:
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        for entry in entries:
            yield _manifest_entry(manifest.parent, entry)
    except (ValueError, KeyError, TypeError) as error:
        raise DataLayoutError(
            f"{manifest} is not a manifest of fixtures: {type(error).__name__} {error}.",
            hint='Expected {"files": [{"name", "sha256", "kind", "label"}, ...]}.',
        ) from error


def _manifest_entry(folder: Path, entry: dict[str, Any]) -> tuple[Path, Kind, str | None]:
    path = folder / entry["name"]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataLayoutError(f"The manifest of {folder} names a file outside it: {path}.")
    if not path.is_file():
        raise NotFound(f"{path} is in the manifest but not on disk.")
    if sha256_file(path) != entry["sha256"]:
        raise DataLayoutError(
            f"{path} is not the file its manifest describes (sha256 differs).",
            hint="Restore it: git checkout in a checkout, else install again.",
        )
    if entry["kind"] not in ("face", "hard"):
        raise ValueError(f"kind {entry['kind']!r}")
    label = entry.get("label")
    return path, cast(Kind, entry["kind"]), None if label is None else canonical_name(label)


def _from_folder(folder: Path) -> Iterator[tuple[Path, Kind, str | None]]:
    for name in pictures_below(folder):
        path = folder / name
        yield path, "face", _folder_label(path.parent.name) if path.parent != folder else None


def _folder_label(name: str) -> str | None:
    try:
        return canonical_name(name)
    except LabelMismatch:
        return None
