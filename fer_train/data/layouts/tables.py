"""Tables of text as users have them: separated by comma, semicolon or tab, in UTF-8, UTF-16 or
cp1252, with a byte-order mark, spaces around names, and either slash in paths."""

from __future__ import annotations

import csv
import re
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.data.text import ENCODINGS, START, encoding_of

#: A row of pixels is about 8 kB at 48 px, and csv's own limit of 128 kB ends at 190 px.
_LONGEST_FIELD = 1 << 24

#: In the order in which they are tried: the first that splits the first line separates, if none
#: makes as many columns of it as there are to be.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

#: For error messages.
READABLE = "comma, semicolon or tab between columns; UTF-8, UTF-16 or cp1252"

#: Contradictions shown.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Form:
    """How a table is written: Python's name of its encoding, and what separates its columns."""

    encoding: str
    delimiter: str

    def describe(self) -> str:
        """Return ``"UTF-16, separated by tabs"``."""
        return f"{ENCODINGS[self.encoding]}, separated by {_DELIMITERS[self.delimiter]}"

    @property
    def plain(self) -> bool:
        """Whether it is what everybody expects of a CSV file."""
        return self == Form("utf-8-sig", ",")


def form(path: Path, *, whole: bool = False, width: int | None = None) -> Form | None:
    """Return how a table is written; None for what is not text, or cannot be read.

    Args:
        whole: look for letters beyond ASCII in all of the file, not only where it begins.
        width: the number of its columns, where that is known.
    """
    if not path.is_file():  # a named pipe would be waited for
        return None
    with suppress(OSError, UnicodeError):
        with path.open("rb") as stream:
            start = stream.read(START)
            encoding = encoding_of(start, stream if whole else ())
        if encoding is not None:
            first = re.split(r"[\r\n]", start.decode(encoding, "ignore"), maxsplit=1)[0]
            parts = {c: len(next(csv.reader([first], delimiter=c))) for c in _DELIMITERS}
            fitting = [c for c, count in parts.items() if count == width]
            splitting = [c for c, count in parts.items() if count > 1]
            return Form(encoding, next(iter([*fitting, *splitting]), ","))
    return None


def header(path: Path) -> list[str]:
    """Return the first row, stripped and in lower case; empty for an unreadable file."""
    return [name.lower() for row in first_rows(path, 1) for name in row]


def first_rows(path: Path, count: int) -> list[list[str]]:
    """Return up to ``count`` first rows, their fields stripped; none of an unreadable file."""
    written = form(path)
    if written is None:
        return []
    csv.field_size_limit(_LONGEST_FIELD)
    with (
        suppress(OSError, UnicodeError, csv.Error),
        path.open(encoding=written.encoding, newline="") as stream,
    ):
        reader = csv.reader(stream, delimiter=written.delimiter)
        return [[field.strip(" \t\ufeff") for field in row] for row in islice(reader, count)]
    return []


def rows(path: Path, *, names: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(line number, column -> value)``; names in lower case, values stripped.

    Rows without any value are left out: spreadsheets end in them.

    Args:
        names: columns of a file without a header row.

    Raises:
        DataLayoutError: not text, or a row with fewer or more fields than columns.
    """
    written = form(path, whole=True, width=None if names is None else len(names))
    if written is None:
        raise DataLayoutError(f"{path} cannot be read as a table.", hint=f"Expected: {READABLE}.")
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding=written.encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=written.delimiter)
            columns = list(names or (c.strip(" \t\ufeff").lower() for c in next(reader, [])))
            for fields in reader:
                values = [value.strip() for value in fields]
                if not any(values):
                    continue
                if len(values) < len(columns) or any(values[len(columns) :]):
                    raise DataLayoutError(
                        f"{path}, line {reader.line_num}: {len(fields)} fields instead of "
                        f"{len(columns)}.",
                        hint=f"Columns: {', '.join(columns)}. Was the file cut off, or does a "
                        "value without quotes hold a separator?",
                    )
                yield reader.line_num, dict(zip(columns, values, strict=False))
    except (UnicodeError, csv.Error) as error:
        raise DataLayoutError(
            f"{path} cannot be read as a table: {error}.", hint=f"Expected: {READABLE}."
        ) from error


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


@dataclass(slots=True)
class OneSaying:
    """What rows say about images: the same each time, or they contradict each other.

    Attributes:
        repeated: rows that say again what another row has said.
    """

    repeated: int = 0
    _first: dict[Hashable, tuple[str, str]] = field(default_factory=dict)
    _contradictions: list[str] = field(default_factory=list)

    def is_new(self, image: Hashable, says: str, *, name: str, where: str) -> bool:
        """Take note of a row; whether it is the first about its image.

        Args:
            image: what tells images apart.
            says: the label, and all else that must not differ.
            name: of the image, for people.
            where: file and line, for people.
        """
        if image not in self._first:
            self._first[image] = says, where
            return True
        said, there = self._first[image]
        if said == says:
            self.repeated += 1
        else:
            self._contradictions.append(f"{name}: {said} ({there}), {says} ({where})")
        return False

    def require_agreement(self) -> None:
        """Raise `DataLayoutError` if two rows contradict each other."""
        if self._contradictions:
            count = len(self._contradictions)
            shown = "; ".join(self._contradictions[:_SHOWN])
            more = f"; and {count - _SHOWN} more" if count > _SHOWN else ""
            raise DataLayoutError(
                f"Rows contradict each other about the same image: {shown}{more}.",
                hint="At most one is right: correct the file, or remove these rows. Rows that "
                "repeat each other do no harm.",
            )

    def notes(self) -> list[str]:
        """Return what to tell people about the rows.

        Raises:
            DataLayoutError: two rows contradict each other.
        """
        self.require_agreement()
        if not self.repeated:
            return []
        rows = "1 row repeats" if self.repeated == 1 else f"{self.repeated:,} rows repeat"
        return [f"{rows} what another says about the same image; each image counts once"]
