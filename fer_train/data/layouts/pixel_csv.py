"""FER2013's CSV files: one grey image per row, as numbers.

::

    fer2013.csv         emotion,pixels,Usage
    icml_face_data.csv  emotion, Usage, pixels        (the names begin with a space)
    train.csv           emotion,pixels                 (no splits)

Usage Training, PublicTest and PrivateTest are train, val and test. Emotions are numbered in
FER2013's order unless ``--label-order`` says otherwise. Pixels stay in the file: a sample remembers
where its row begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.data.label_order import named_table
from fer_train.data.layouts import tables
from fer_train.data.samples import Listing, ReadOptions, Sample

_FILE_NAMES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
_USAGE = {"training": "train", "publictest": "val", "privatetest": "test"}


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which CSV of pixels there is, or None."""
    files = pixel_files(root)
    return f"CSV of pixels {', '.join(path.name for path in files)}" if files else None


def read(root: Path, options: ReadOptions) -> Listing:
    """Read labels, splits and positions of the rows; no pixels.

    Raises:
        DataLayoutError: more than one such file, an unknown Usage or emotion, a damaged row.
    """
    path = only_pixel_file(root)
    table = options.order or named_table("fer2013")
    samples = []
    used: Counter[int] = Counter()
    for line, offset, row in pixel_rows(path):
        emotion = tables.integer(row["emotion"], path=path, line=line, column="emotion")
        if emotion not in table.ids:
            table.require([emotion], where=f"{path}, line {line},")
        used[emotion] += 1
        samples.append(
            Sample(
                f"{path.name}:{line}",
                table.ids[emotion],
                usage_split(row, path=path, line=line),
                offset=offset,
            )
        )
    table.require(used, where=str(path))
    return Listing(
        root=path.parent,
        samples=samples,
        title=f"pixels in {path.name}, label order {table.name}: {table.describe()}",
        id_table={str(number): table.ids[number] for number in sorted(used)},
        sources=frozenset([path.name]),
    )


def pixel_files(root: Path) -> list[Path]:
    """Return the CSV files with ``emotion`` and ``pixels`` columns."""
    candidates = [root] if root.is_file() else [root / name for name in _FILE_NAMES]
    return [p for p in candidates if p.is_file() and {"emotion", "pixels"} <= set(tables.header(p))]


def only_pixel_file(root: Path) -> Path:
    """Return the one CSV of pixels.

    Raises:
        DataLayoutError: there are several, and they may hold the same images.
    """
    files = pixel_files(root)
    if len(files) != 1:
        raise DataLayoutError(
            f"{root} holds {len(files)} CSV files of pixels: {', '.join(p.name for p in files)}.",
            hint=f"Name the file: --data {files[0] if files else root / 'fer2013.csv'}",
        )
    return files[0]


def pixel_rows(path: Path) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Yield ``(line, byte offset, columns other than pixels)`` of every row.

    Rows are found by line ends, not by the csv module: a quoted field cannot hold one here, and
    only the position in bytes lets a row be read again on its own.

    Raises:
        DataLayoutError: a row of more or fewer fields than there are columns, or UTF-16.
    """
    columns = tables.header(path)
    written = tables.form(path)
    if written is None or written.encoding.startswith("utf-16"):
        raise DataLayoutError(
            f"{path} holds pixels as UTF-16, whose rows cannot be read one by one.",
            hint="Save it as UTF-8.",
        )
    delimiter = written.delimiter.encode()
    of_pixels = columns.index("pixels")
    before, after = columns[:of_pixels], columns[of_pixels + 1 :]
    with path.open("rb") as stream:
        stream.readline()
        offset = stream.tell()
        for line, raw in enumerate(stream, start=2):
            start, offset = offset, offset + len(raw)
            if not raw.strip():
                continue
            fields = [field.strip(b' "\r\n') for field in raw.split(delimiter)]
            if len(fields) != len(columns):
                raise DataLayoutError(
                    f"{path}, line {line}: {len(fields)} fields instead of {len(columns)}.",
                    hint=f"Columns: {', '.join(columns)}. Was the file cut off?",
                )
            values = [f.decode("ascii", "replace") for f in fields[:of_pixels]]
            values += [f.decode("ascii", "replace") for f in fields[of_pixels + 1 :]]
            yield line, start, dict(zip([*before, *after], values, strict=True))


def usage_split(row: dict[str, str], *, path: Path, line: int) -> str | None:
    """Return the split of a row's Usage, None if the file has no such column.

    Raises:
        DataLayoutError: an unknown Usage.
    """
    usage = row.get("usage")
    if usage is None:
        return None
    split = _USAGE.get(usage.lower())
    if split is None:
        raise DataLayoutError(
            f"{path}, line {line}: Usage is {usage!r}.",
            hint="Known: Training, PublicTest, PrivateTest.",
        )
    return split
