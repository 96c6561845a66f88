"""Files beside images that hold their labels, and those that might and are not understood.

A labels table has a column of image names and one of labels, under any of the names below. What a
class folder says is taken without a question only if no file beside it could say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.picture_files import is_clutter, is_picture
from fer_train.data.layouts import tables
from fer_train.data.layouts.folders import SPLIT_NAMES, split_folders

_PATHS = (
    *("pth", "path", "image", "image_path", "filename", "file_name", "file", "img", "name"),
    *("filepath", "file_path", "image_name", "imagename", "img_name", "img_path", "image_file"),
    *("images", "files", "picture", "photo"),
)
_LABELS = (
    *("label", "labels", "emotion", "expression", "class", "emotions", "expressions", "category"),
    *("target", "class_name", "label_name", "emotion_label", "facial_expression"),
)
_SPLITS = ("split", "usage", "subset", "set")

_TABLES = frozenset({".csv", ".tsv", ".tab"})
_SPREADSHEETS = frozenset({".ods", ".xls", ".xlsm", ".xlsx"})
_JSON = frozenset({".json", ".jsonl"})

#: Part of the name of a file that is about labels, in whatever format.
_ABOUT_LABELS = re.compile(r"label|annotation|emotion|expression|ground_?truth", re.IGNORECASE)

#: Rows in which image names are looked for.
_LOOKED_AT = 20


class Columns(NamedTuple):
    """The names of a labels table's columns, as `tables.rows` gives them."""

    path: str
    label: str
    split: str | None


def columns(path: Path) -> Columns | None:
    """Return the columns of a labels table; None for any other file."""
    names = {re.sub(r"[\s-]+", "_", name): name for name in tables.header(path)}
    first = [
        next((names[word] for word in words if word in names), None)
        for words in (_PATHS, _LABELS, _SPLITS)
    ]
    return Columns(first[0], first[1], first[2]) if first[0] and first[1] else None


def label_tables(root: Path) -> dict[Path, str | None]:
    """Return the labels tables of a data set, with the split that each is about by its place.

    They lie in ``root``, or else in its split folders; ``root`` may be a table itself.
    """
    if root.is_file():
        return {root: None} if columns(root) else {}
    found: dict[Path, str | None] = {
        path: _split_in_name(path) for path in _candidates(root) if columns(path)
    }
    if not found:
        for split, folder in split_folders(root).items():
            found |= {path: split for path in _candidates(folder) if columns(path)}
    return found


def require_no_other_labels(folders: Iterable[Path]) -> None:
    """Refuse to go on without a file that may hold labels.

    Raises:
        DataLayoutError: such a file, whose columns are not understood.
    """
    for folder in folders:
        for path in _candidates(folder, unreadable=True):
            if columns(path) is None and (seen := _may_hold_labels(path)):
                raise not_understood(path, seen)


def not_understood(path: Path, seen: str | None = None) -> DataLayoutError:
    """Return the error for a file that should hold labels and is no labels table."""
    return DataLayoutError(
        f"{path} may hold the labels of images, but it is not understood: "
        f"{seen or _seen_columns(path)}.",
        hint=f"Expected in the first line: a column of image names ({', '.join(_PATHS[:6])} …) and "
        f"one of labels ({', '.join(_LABELS[:5])} …); {tables.READABLE}.\n  Rename its columns, "
        "move the file away, or go by the folders alone: --layout folders (or classes).",
    )


def split_named(text: str) -> str | None:
    """Return the split that a word means, None for any other word."""
    word = text.lower()
    return next((split for split, words in SPLIT_NAMES.items() if word in words), None)


def _candidates(folder: Path, *, unreadable: bool = False) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        # A folder may hold a million .txt files, one for each image.
        about_labels = bool(_ABOUT_LABELS.search(path.stem))
        wanted = suffix in _TABLES or (suffix == ".txt" and about_labels)
        if unreadable and about_labels:
            wanted = wanted or suffix in _SPREADSHEETS | _JSON
        if wanted and not is_clutter(path.name, folder=False) and path.is_file():
            yield path


def _may_hold_labels(path: Path) -> str | None:
    """Return what was seen in a file that may hold labels; None for one that certainly does not."""
    if path.suffix.lower() in _SPREADSHEETS:
        return "it is a spreadsheet (save it as CSV)"
    first = tables.first_rows(path, _LOOKED_AT)
    if path.suffix.lower() in _JSON:
        # One that names no images says what classes are called.
        strings = (text for row in first for field in row for text in re.split(r'"', field))
        return "it is JSON (save it as CSV)" if any(map(is_picture, strings)) else None
    names_images = any(is_picture(field) for row in first for field in row)
    if path.suffix.lower() == ".txt" and all(len(row) < 2 for row in first):
        # A text of one column is a list of class names, or prose; but for "a.png 3".
        pairs = (field.split() for row in first for field in row)
        spaced = any(len(pair) == 2 and is_picture(pair[0]) for pair in pairs)
        return "its columns are separated by spaces" if spaced else None
    return _seen_columns(path) if names_images or _ABOUT_LABELS.search(path.stem) else None


def _seen_columns(path: Path) -> str:
    written = tables.form(path)
    if written is None:
        return "it is no text"
    names = tables.header(path)
    if not names:
        return "its first line is empty, or in no known encoding"
    if len(names) == 1:
        return f"its only column is {names[0]}"
    return f"its columns are {', '.join(names)} ({written.describe()})"


def _split_in_name(path: Path) -> str | None:
    """Return the split that ``train_labels.csv`` or ``val.csv`` is about."""
    named = {split_named(word) for word in re.split(r"[\W_]+", path.stem)} - {None}
    return named.pop() if len(named) == 1 else None
