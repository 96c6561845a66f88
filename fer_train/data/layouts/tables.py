"""CSV files as users have them: byte-order marks, spaces around names, either slash in paths."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.data.layouts.folders import walk_files

#: A row of pixels is about 8 kB at 48 px, and csv's own limit of 128 kB ends at 190 px.
_LONGEST_FIELD = 1 << 24


def header(path: Path) -> list[str]:
    """Return the first row, stripped and in lower case; empty for an unreadable file."""
    with (
        suppress(OSError, UnicodeDecodeError, csv.Error),
        path.open(encoding="utf-8-sig", newline="") as stream,
    ):
        return [name.strip().lower() for name in next(csv.reader(stream), [])]
    return []


def rows(path: Path, *, names: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(line number, column -> value)``; names in lower case, values stripped.

    Args:
        names: columns of a file without a header row.

    Raises:
        DataLayoutError: not text, or a row with fewer fields than columns.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            columns = list(names) if names else [c.strip().lower() for c in next(reader, [])]
            for fields in reader:
                if not fields:
                    continue
                if len(fields) < len(columns):
                    raise DataLayoutError(
                        f"{path}, line {reader.line_num}: {len(fields)} fields instead of "
                        f"{len(columns)}.",
                        hint=f"Columns: {', '.join(columns)}. Was the file cut off?",
                    )
                values = (value.strip() for value in fields)
                yield reader.line_num, dict(zip(columns, values, strict=False))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataLayoutError(f"{path} is not a CSV file in UTF-8: {error}.") from error


def integer(text: str, *, path: Path, line: int, column: str) -> int:
    """Return a whole number, which some tools write as ``3.0``.

    Raises:
        DataLayoutError: anything else; file, line and column are named.
    """
    with suppress(ValueError):
        number = float(text)
        if number.is_integer():
            return int(number)
    raise DataLayoutError(f"{path}, line {line}: {column} is {text!r}, not a whole number.")


class ImageIndex:
    """The image files below a folder, found by the paths that a CSV gives them.

    A path is taken relative to the folder; if nothing is there, the one file whose path ends the
    same way (folder and name) is meant.
    """

    def __init__(self, root: Path) -> None:
        self.files: set[str] = set()
        self._by_ending: dict[str, list[str]] = {}
        for name, is_image in walk_files(root, root=root):
            if is_image:
                self.files.add(name)
                self._by_ending.setdefault(_ending(name), []).append(name)

    def find(self, path: str) -> str | None:
        """Return the file meant by ``path``, or None when there is none or more than one."""
        path = path.replace("\\", "/").removeprefix("./").lstrip("/")
        if path in self.files:
            return path
        candidates = self._by_ending.get(_ending(path), [])
        matching = [name for name in candidates if name.endswith("/" + path)] or candidates
        return matching[0] if len(matching) == 1 else None


def _ending(path: str) -> str:
    return "/".join(path.split("/")[-2:]).lower()
