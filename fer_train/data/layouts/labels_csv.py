"""Images with a CSV file of labels beside them, in class folders or not.

::

    ROOT/anger/image0000006.jpg  …  ROOT/labels.csv     columns: (index), pth, label, relFCs
    ROOT/Train/anger/…  ROOT/Test/anger/…  ROOT/labels.csv
    ROOT/images/…  ROOT/labels.csv                       no class folders: the CSV alone counts

In the published copies of AffectNet with this layout, folder and CSV disagree on some images.
Which counts is the user's choice (``--labels-from folder|csv|drop``), never ours.
"""

from __future__ import annotations

from collections import Counter
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
from fer_train.data.samples import DISAGREEING, Disagreement, Listing, ReadOptions, Sample

FILE_NAMES = ("labels.csv", "label.csv", "annotations.csv")
_PATHS = ("pth", "path", "image", "image_path", "filename", "file_name", "file", "img", "name")
_LABELS = ("label", "labels", "emotion", "expression", "class")
_SPLIT_COLUMNS = ("split", "usage", "subset", "set")


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which CSV of labels there is, or None."""
    path = _csv_file(root)
    columns = None if path is None else _columns(path)
    if path is None or columns is None:
        return None
    return f"{path.name} with the columns {' and '.join(columns)}"


def read(root: Path, options: ReadOptions) -> Listing:
    """Read the CSV and the folders, and list every image on which they disagree.

    Raises:
        DataLayoutError: a label or split that cannot be understood.
    """
    path = _csv_file(root)
    assert path is not None
    folder_table = _folder_table(root, options)
    images = tables.ImageIndex(path.parent)
    csv_labels, splits, id_table, missing = _read_rows(path, images, options)
    samples: list[Sample] = []
    disagreements: list[Disagreement] = []
    dropped: Counter[str] = Counter()
    for name in sorted(images.files):
        parts = PurePosixPath(name).parts[:-1]
        by_folder = next((folder_table[p] for p in reversed(parts) if p in folder_table), None)
        by_csv = csv_labels.get(name)
        if by_folder is None and by_csv is None:
            dropped[f"images without a row in {path.name}"] += 1
            continue
        if by_folder and by_csv and by_folder != by_csv:
            disagreements.append(Disagreement(name, by_folder, by_csv))
            if options.labels_from == "drop":
                dropped[DISAGREEING] += 1
                continue
        if by_csv is None and options.labels_from == "csv":
            dropped[f"images without a row in {path.name}"] += 1
            continue
        label = by_csv if options.labels_from == "csv" else by_folder or by_csv
        assert label is not None
        split = splits.get(name) or _split_of(parts)
        samples.append(Sample(name, label, split))
    return Listing(
        root=path.parent,
        samples=samples,
        title=_title(path, folder_table, len(csv_labels), options),
        id_table=folder_table | id_table,
        declared=frozenset(folder_table.values()),
        dropped=dropped,
        missing=missing,
        disagreements=disagreements,
    )


def _csv_file(root: Path) -> Path | None:
    candidates = [root] if root.is_file() else [root / name for name in FILE_NAMES]
    return next((path for path in candidates if path.is_file() and _columns(path)), None)


def _columns(path: Path) -> tuple[str, str] | None:
    """Return the names of the path and the label column, if the file has both."""
    names = tables.header(path)
    of_path = next((name for name in _PATHS if name in names), None)
    of_label = next((name for name in _LABELS if name in names), None)
    return (of_path, of_label) if of_path and of_label else None


def _folder_table(root: Path, options: ReadOptions) -> dict[str, str]:
    """Return class folder name -> emotion; empty where the images lie in no class folders."""
    if root.is_file():
        root = root.parent
    table: dict[str, str] = {}
    for place in (root, *split_folders(root).values()):
        names = class_folders(place, options.custom_labels)
        if len(names) > 1 and place != root:
            order = options.order if is_id(names[0]) else None
            table |= name_classes(place, order, options.custom_labels)
        elif len(names) > 1 and not any(is_id(name) for name in names):
            # Beside class folders, the root may hold others.
            table |= {name: canonical_name(name, custom=options.custom_labels) for name in names}
    return table


def _read_rows(
    path: Path, images: tables.ImageIndex, options: ReadOptions
) -> tuple[dict[str, str], dict[str, str], dict[str, str], list[str]]:
    """Return image -> emotion, image -> split, label as written -> emotion, and missing files."""
    columns = _columns(path)
    assert columns is not None
    of_path, of_label = columns
    of_split = next((name for name in _SPLIT_COLUMNS if name in tables.header(path)), None)
    written: dict[str, str] = {}
    splits: dict[str, str] = {}
    missing: list[str] = []
    for line, row in tables.rows(path):
        name = images.find(row[of_path])
        if name is None:
            missing.append(row[of_path])
            continue
        written[name] = row[of_label]
        if of_split:
            splits[name] = _split(row[of_split], path=path, line=line)
    id_table = _label_table(sorted(set(written.values())), options, path=path)
    labels = {name: id_table[text] for name, text in written.items()}
    return labels, splits, id_table, missing


def _label_table(written: list[str], options: ReadOptions, *, path: Path) -> dict[str, str]:
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
        options.order.require(ids, where=str(path))
    by_id = options.order.ids if options.order else {}
    return {
        text: by_id[int(text)] if is_id(text) else canonical_name(text, custom=custom)
        for text in written
    }


def _split(text: str, *, path: Path, line: int) -> str:
    for split, spellings in SPLIT_NAMES.items():
        if text.lower() in spellings:
            return split
    raise DataLayoutError(
        f"{path}, line {line}: {text!r} is not a split.",
        hint=f"Known: {', '.join(name for names in SPLIT_NAMES.values() for name in names)}.",
    )


def _split_of(parts: tuple[str, ...]) -> str | None:
    for split, spellings in SPLIT_NAMES.items():
        if any(part.lower() in spellings for part in parts):
            return split
    return None


def _title(path: Path, folders: dict[str, str], rows: int, options: ReadOptions) -> str:
    if not folders:
        return f"images labelled by {path.name} ({rows} rows)"
    whose = {"csv": "the CSV counts", "drop": "both must agree"}.get(
        options.labels_from or "", "the folder counts"
    )
    return f"class folders and {path.name} ({rows} rows); {whose}"
