"""Photographs as the input of a comparison: files, and where the faces are in them."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_train.contract.errors import DataLayoutError, NotFound, ParityFailed, harmless
from fer_train.contract.labels import canonical_name
from fer_train.contract.picture_files import pictures_below
from fer_train.contract.pixels import Box

#: Where the boxes are looked for if nobody says.
USUAL_BOXES = ("faces.csv", "faces.json")

_COLUMNS = ("file", "x", "y", "width", "height")
_EXPECTED = (
    "A CSV file has the columns file,x,y,width,height (pixels of the upright picture, from its top "
    'left corner) and perhaps label; a JSON file {"faces": [{"file", "box": [x, y, width, height], '
    '"label"}, …]}.'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face in one photograph.

    Attributes:
        name: the photograph's path relative to the folder, with ``/``; of several faces in one
            picture with ``#2`` and so on.
        box: None for a picture that is a face already.
        label: what it shows, where known.
    """

    name: str
    path: Path
    box: Box | None
    label: str | None


def faces_in(folder: Path, boxes: Path | None) -> list[Face]:
    """Return the faces that a list of boxes names, or each picture as a face if there is none.

    A face's label is the one in the list, or else its sub-folder's name where that is an emotion.

    Raises:
        NotFound: no such folder, list or photograph.
        DataLayoutError: the list is none, or names a file outside the folder.
        ParityFailed: there is no face: comparing nothing would prove nothing.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder of photographs {folder}.")
    given = boxes or next((folder / n for n in USUAL_BOXES if (folder / n).is_file()), None)
    if given is None:
        faces = [_whole(folder, name) for name in pictures_below(folder)]
    else:
        faces = list(_listed(folder, given))
    if not faces:
        raise ParityFailed(f"{given or folder} holds no faces; comparing nothing proves nothing.")
    return faces


def has_boxes(folder: Path) -> bool:
    """Tell whether a folder has its boxes beside its pictures."""
    return any((folder / name).is_file() for name in USUAL_BOXES)


def whole_pictures(folder: Path) -> list[Face]:
    """Return every picture as one face, for a detector to look into."""
    return [_whole(folder, name) for name in pictures_below(folder)]


def _whole(folder: Path, name: str) -> Face:
    return Face(
        name=harmless(name, kept=""),
        path=folder / name,
        box=None,
        label=_folder_label(Path(name)),
    )


def _listed(folder: Path, file: Path) -> Iterator[Face]:
    seen: Counter[str] = Counter()
    for number, entry in enumerate(_entries(file), start=1):
        try:
            name, box, label = _understood(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise DataLayoutError(
                f"Face {number} of {file} cannot be understood: {error}.", hint=_EXPECTED
            ) from error
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataLayoutError(f"{file} names a file outside {folder}: {name}.")
        if not path.is_file():
            raise NotFound(f"{path} is in {file.name} but not on disk.")
        seen[name] += 1
        shown = harmless(Path(name).as_posix(), kept="")
        yield Face(
            name=shown if seen[name] == 1 else f"{shown}#{seen[name]}",
            path=path,
            box=box,
            label=_folder_label(Path(name)) if label is None else label,
        )


def _entries(file: Path) -> list[Mapping[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"There is no list of boxes {file}.") from None
    except ValueError as error:
        raise DataLayoutError(f"{file} is not text: {error}.", hint=_EXPECTED) from error
    if file.suffix.lower() == ".csv":
        rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise DataLayoutError(
                f"{file} has no column {', '.join(missing)}; it has "
                f"{', '.join(rows.fieldnames or ['nothing'])}.",
                hint=_EXPECTED,
            )
        return [_with_box(row) for row in rows]
    try:
        faces = json.loads(text)["faces"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataLayoutError(
            f"{file} is no list of boxes: {type(error).__name__} {error}.", hint=_EXPECTED
        ) from error
    if not isinstance(faces, list):
        raise DataLayoutError(f"{file} is no list of boxes.", hint=_EXPECTED)
    return faces


def _with_box(row: Mapping[str, str]) -> Mapping[str, Any]:
    return {**row, "box": [row[name] for name in _COLUMNS[1:]]}


def _understood(entry: Mapping[str, Any]) -> tuple[str, Box, str | None]:
    name, numbers = entry["file"], [float(value) for value in entry["box"]]
    if not isinstance(name, str) or not name:
        raise ValueError("it names no file")
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or min(numbers[2:]) <= 0:
        raise ValueError(f"its box is {entry['box']}")
    label = entry.get("label") or None
    return name, Box(*numbers), None if label is None else _label(str(label))


def _label(name: str) -> str:
    """An emotion by whatever alias, or a label of the user's own as it is."""
    return _folder_label(Path(name) / "x") or name


def _folder_label(path: Path) -> str | None:
    from fer_train.contract.errors import LabelMismatch

    if path.parent == Path():
        return None
    try:
        return canonical_name(path.parent.name)
    except LabelMismatch:
        return None
