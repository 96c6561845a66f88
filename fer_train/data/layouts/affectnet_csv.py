"""AffectNet as first published (2017): photographs, face boxes and expressions in two CSV files.

::

    ROOT/[Manually_Annotated_file_lists/]training.csv  validation.csv
    ROOT/[Manually_Annotated/]Manually_Annotated_Images/<n>/<hash>.jpg

``expression`` counts in AffectNet's own order, 0 neutral to 7 contempt; 8 none, 9 uncertain and
10 no face are left out with their counts. Images are whole photographs: the face box and the
contract's crop margin decide which square is used.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.pixels import Box
from fer_train.data.label_order import named_table
from fer_train.data.layouts import tables
from fer_train.data.samples import Listing, ReadOptions, Sample

_COLUMNS = (
    "subdirectory_filepath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_LISTS = ("", "Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_file_lists")
_IMAGES = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated",
    "",
)
_FILES = {"training.csv": "train", "validation.csv": "val"}
_NO_EMOTION = {8: "none", 9: "uncertain", 10: "no face"}


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which of AffectNet's two files there are, or None."""
    files = _csv_files(root)
    return f"AffectNet's {', '.join(path.name for path in files)}" if files else None


def read(root: Path, options: ReadOptions) -> Listing:
    """Read both files; rows whose photograph is absent are listed as missing.

    Raises:
        DataLayoutError: a value that is not a number, an unknown expression, rows that contradict
            each other about a face, no images at all.
    """
    table = named_table("affectnet")
    if options.order is not None and options.order.ids != table.ids:
        raise DataLayoutError(
            f"--label-order {options.order.name} does not fit: AffectNet's CSV files number "
            f"{table.describe()}.",
            hint="Leave the option out.",
        )
    images = _Existing(root)
    samples: list[Sample] = []
    dropped: Counter[str] = Counter()
    missing: list[str] = []
    saying = tables.OneSaying()
    for path in _csv_files(root):
        # Copies of validation.csv without a header row are in circulation.
        names = None if _COLUMNS[0] in tables.header(path) else _COLUMNS
        for line, row in tables.rows(path, names=names):
            expression = tables.integer(
                row["expression"], path=path, line=line, column="expression"
            )
            if expression in _NO_EMOTION:
                dropped[f"rows of expression {expression} ({_NO_EMOTION[expression]})"] += 1
                continue
            table.require([expression], where=f"{path}, line {line},")
            name = images.find(row[_COLUMNS[0]])
            if name is None:
                missing.append(row[_COLUMNS[0]])
                continue
            box = Box(
                *(
                    tables.integer(row[column], path=path, line=line, column=column)
                    for column in _COLUMNS[1:5]
                )
            )
            if min(box.width, box.height) <= 0:
                dropped["rows with an empty face box"] += 1
                continue
            split = _FILES[path.name.lower()]
            says = f"{table.ids[expression]} in {split}"
            where = f"{path.name} line {line}"
            # Another box is another face of the photograph.
            if saying.is_new((name, box), says, name=name, where=where):
                samples.append(Sample(name, table.ids[expression], split, box=box))
    if not samples:
        raise DataLayoutError(
            f"None of the {len(missing)} photographs that AffectNet's CSV files name is here.",
            hint=f"Looked for {missing[0] if missing else 'images'} in "
            f"{', '.join(str(root / place) for place in _IMAGES)}.",
        )
    return Listing(
        root=root,
        samples=samples,
        title=f"AffectNet CSV files with face boxes, {table.describe()}",
        id_table={str(number): emotion for number, emotion in table.ids.items()},
        dropped=dropped,
        missing=missing,
        sources=frozenset(p.relative_to(root).as_posix() for p in _csv_files(root)),
        notes=saying.notes(),
    )


def _csv_files(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    for place in _LISTS:
        folder = root / place
        if folder.is_dir():
            files = [p for p in sorted(folder.iterdir()) if p.name.lower() in _FILES]
            if any(_is_affectnet(path) for path in files):
                return [path for path in files if _is_affectnet(path)]
    return []


def _is_affectnet(path: Path) -> bool:
    first = tables.header(path)
    without_header = len(first) == len(_COLUMNS) and "/" in first[0]
    return {_COLUMNS[0], "expression"} <= set(first) or without_header


class _Existing:
    """Which photographs exist, asking the disk once per folder: there are 415,000 rows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._places = [place for place in _IMAGES if (root / place).is_dir()]
        self._names: dict[str, frozenset[str]] = {}

    def find(self, path: str) -> str | None:
        """Return the photograph's path relative to the root, or None."""
        folder, _, name = path.replace("\\", "/").rpartition("/")
        for place in self._places:
            where = "/".join(part for part in (place, folder) if part)
            if name in self._listing(where):
                return f"{where}/{name}" if where else name
        return None

    def _listing(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            names: frozenset[str] = frozenset()
            with suppress(OSError):
                names = frozenset(entry.name for entry in (self.root / folder).iterdir())
            self._names[folder] = names
        return self._names[folder]
