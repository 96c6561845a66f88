"""Images with tables of labels beside them, in class folders or not.

::

    ROOT/anger/image0000006.jpg  …  ROOT/labels.csv     columns: (index), pth, label, relFCs
    ROOT/Train/anger/…  ROOT/Test/anger/…  ROOT/labels.csv
    ROOT/images/…  ROOT/labels.csv                       no class folders: the table alone counts
    ROOT/images/…  ROOT/train.csv  ROOT/val.csv          one table for each split
    ROOT/train/…   ROOT/train/labels.csv  …

In the published copies of AffectNet with this layout, folder and CSV disagree on some images.
Which counts is the user's choice (``--labels-from folder|csv|drop``), never ours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.labels import canonical_name
from fer_train.data.label_order import ALLOWED
from fer_train.data.layouts import tables
from fer_train.data.layouts.folders import (
    SPLIT_NAMES,
    class_folders,
    is_id,
    is_label,
    name_classes,
    split_folders,
)
from fer_train.data.layouts.image_index import ImageIndex
from fer_train.data.layouts.label_tables import columns, label_tables, split_named
from fer_train.data.samples import DISAGREEING, Disagreement, Listing, ReadOptions, Sample


@dataclass(slots=True)
class _Said:
    """What the tables say: image -> label, image -> split, label as written -> label."""

    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    id_table: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which tables of labels there are, or None."""
    seen = [f"{path.name} with the columns {_named(path)}" for path in label_tables(root)]
    return "; ".join(seen) or None


def read(root: Path, options: ReadOptions) -> Listing:
    """Read the tables and the folders, and list every image on which they disagree.

    Raises:
        DataLayoutError: a label or split that cannot be understood, or rows that contradict each
            other.
    """
    files = label_tables(root)
    base = root.parent if root.is_file() else root
    called = ", ".join(path.relative_to(base).as_posix() for path in files)
    folder_table = _folder_table(base, options)
    images = ImageIndex(base)
    said = _read_tables(files, base, images, options)
    samples: list[Sample] = []
    disagreements: list[Disagreement] = []
    dropped = said.dropped
    for name in sorted(images.files):
        parts = PurePosixPath(name).parts[:-1]
        by_folder = next((folder_table[p] for p in reversed(parts) if p in folder_table), None)
        by_csv = said.labels.get(name)
        if by_folder is None and by_csv is None:
            dropped[f"images without a row in {called}"] += 1
            continue
        if by_folder and by_csv and by_folder != by_csv:
            disagreements.append(Disagreement(name, by_folder, by_csv))
            if options.labels_from == "drop":
                dropped[DISAGREEING] += 1
                continue
        if by_csv is None and options.labels_from == "csv":
            dropped[f"images without a row in {called}"] += 1
            continue
        label = by_csv if options.labels_from == "csv" else by_folder or by_csv
        assert label is not None
        split = said.splits.get(name) or _split_of(parts)
        samples.append(Sample(name, label, split))
    return Listing(
        root=base,
        samples=samples,
        title=_title(called, folder_table, len(said.labels), options),
        id_table=folder_table | said.id_table,
        declared=frozenset(folder_table.values()),
        sources=frozenset(path.relative_to(base).as_posix() for path in files),
        dropped=dropped,
        missing=said.missing,
        disagreements=disagreements,
        notes=said.notes,
    )


def _named(path: Path) -> str:
    found = columns(path)
    assert found is not None
    return f"{found.path} and {found.label}"


def _folder_table(root: Path, options: ReadOptions) -> dict[str, str]:
    """Return class folder name -> emotion; empty where the images lie in no class folders."""
    table: dict[str, str] = {}
    for place in (root, *split_folders(root, options.custom_labels).values()):
        names = class_folders(place, options.custom_labels)
        if len(names) > 1 and place != root:
            order = options.order if is_id(names[0]) else None
            table |= name_classes(place, order, options.custom_labels)
        elif len(names) > 1 and not any(is_id(name) for name in names):
            # Beside class folders, the root may hold others.
            table |= {name: canonical_name(name, custom=options.custom_labels) for name in names}
    return table


@dataclass(frozen=True, slots=True)
class _Row:
    image: str
    label: str
    split: str | None
    where: str


def _read_tables(
    files: dict[Path, str | None], base: Path, images: ImageIndex, options: ReadOptions
) -> _Said:
    said = _Said()
    found: list[_Row] = []
    for path, split in files.items():
        found += _rows(path, split, base, images, said)
        written = tables.form(path, whole=True)
        if written is not None and not written.plain:
            name = path.relative_to(base).as_posix()
            said.notes.append(f"{name} is read as {written.describe()}")
    written_labels = sorted({row.label for row in found})
    called = ", ".join(map(str, files))
    said.id_table = _label_table(written_labels, options, path=called)
    # Apart: a table of all images says nothing of splits, and contradicts no train.csv.
    labels, splits = tables.OneSaying(), tables.OneSaying()
    for row in found:
        label = said.id_table[row.label]
        if labels.is_new(row.image, label, name=row.image, where=row.where):
            said.labels[row.image] = label
        if row.split and splits.is_new(row.image, row.split, name=row.image, where=row.where):
            said.splits[row.image] = row.split
    splits.require_agreement()
    said.notes += labels.notes()
    return said


def _rows(path: Path, split: str | None, base: Path, images: ImageIndex, said: _Said) -> list[_Row]:
    """Return the rows whose image is here, and note the others."""
    named = columns(path)
    assert named is not None
    place = path.parent.relative_to(base).as_posix()
    found: list[_Row] = []
    for line, row in tables.rows(path):
        meant = images.find(row[named.path], within="" if place == "." else place)
        if not meant:
            said.missing.append(row[named.path])
        elif len(meant) > 1:
            said.dropped["rows whose file name several images have"] += 1
        else:
            own = _split(row[named.split], path=path, line=line) if named.split else split
            where = f"{path.name} line {line}"
            found.append(_Row(meant[0], row[named.label], own, where))
    return found


def _label_table(written: list[str], options: ReadOptions, *, path: str) -> dict[str, str]:
    """Return label as written -> emotion."""
    custom = options.custom_labels
    strange = [text for text in written if not is_label(text, custom) and not is_id(text)]
    if strange:
        also = f", or among {', '.join(custom)}" if custom else ""
        raise DataLayoutError(
            f"{path} has the label(s) {', '.join(strange)}, which are not among the eight "
            f"emotions{also}.",
            hint="Remove such rows, or rename the label; what is meant so is named with "
            "--custom-labels.",
        )
    ids = [int(text) for text in written if is_id(text)]
    if ids and options.order is None:
        raise DataLayoutError(
            f"{path} labels its images with numbers, and numbers are never guessed.",
            hint=f"Say what they mean with --label-order: {ALLOWED}.",
        )
    if ids and options.order is not None:
        options.order.require(ids, where=path)
    by_id = options.order.ids if options.order else {}
    return {
        text: by_id[int(text)] if is_id(text) else canonical_name(text, custom=custom)
        for text in written
    }


def _split(text: str, *, path: Path, line: int) -> str:
    split = split_named(text)
    if split is None:
        raise DataLayoutError(
            f"{path}, line {line}: {text!r} is not a split.",
            hint=f"Known: {', '.join(name for names in SPLIT_NAMES.values() for name in names)}.",
        )
    return split


def _split_of(parts: tuple[str, ...]) -> str | None:
    return next((split for part in parts if (split := split_named(part))), None)


def _title(called: str, folders: dict[str, str], rows: int, options: ReadOptions) -> str:
    if not folders:
        return f"images labelled by {called} ({rows} rows)"
    whose = {"csv": "the CSV counts", "drop": "both must agree"}.get(
        options.labels_from or "", "the folder counts"
    )
    return f"class folders and {called} ({rows} rows); {whose}"
