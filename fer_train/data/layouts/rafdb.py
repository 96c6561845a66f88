"""RAF-DB, as its authors publish the basic set and as the Kaggle copy has it.

::

    ROOT/[basic/]EmoLabel/list_patition_label.txt    lines "train_00001.jpg 5"
    ROOT/[basic/]Image/aligned/train_00001_aligned.jpg   or Image/original/train_00001.jpg

    ROOT/[DATASET/]{train,test}/{1..7}/train_00001_aligned.jpg  [train_labels.csv, test_labels.csv]

Seven emotions numbered from 1 surprise to 7 neutral, no contempt; no val split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.picture_files import walk_files
from fer_train.data.label_order import named_table
from fer_train.data.layouts import tables
from fer_train.data.layouts.folders import read_splits, split_folders, subfolders
from fer_train.data.samples import DISAGREEING, Disagreement, Listing, ReadOptions, Sample
from fer_train.data.text import read_text

# "patition" is how the published file is spelled.
_LISTS = tuple(
    f"{place}EmoLabel/{name}"
    for place in ("", "basic/")
    for name in ("list_patition_label.txt", "list_partition_label.txt")
)
_CSV_FILES = ("train_labels.csv", "test_labels.csv")
_FILE_NAME = re.compile(r"(train|test)_\d+_aligned\.\w+")


def recognise_basic(root: Path, _: ReadOptions) -> str | None:
    """Say which list of labels there is, or None."""
    path = _list_file(root)
    return None if path is None else f"RAF-DB's {path.relative_to(root)}"


def read_basic(root: Path, options: ReadOptions) -> Listing:
    """Read the list; aligned faces are preferred to the originals.

    Raises:
        DataLayoutError: a line that is not a name and an id, or no image at all.
    """
    _refuse_order(options)
    path = _list_file(root)
    assert path is not None
    images = path.parent.parent / "Image"
    samples: list[Sample] = []
    missing: list[str] = []
    saying = tables.OneSaying()
    table = named_table("rafdb")
    for line, (name, number) in _lines(path):
        identity = tables.integer(number, path=path, line=line, column="label")
        table.require([identity], where=f"{path}, line {line},")
        split = next((s for s in ("train", "test") if name.startswith(s)), None)
        if split is None:
            raise DataLayoutError(
                f"{path}, line {line}: {name} begins with neither train nor test."
            )
        stem, _, suffix = name.rpartition(".")
        places = (images / "aligned" / f"{stem}_aligned.{suffix}", images / "original" / name)
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            missing.append(name)
            continue
        relative = file.relative_to(root).as_posix()
        label = table.ids[identity]
        if saying.is_new(relative, label, name=name, where=f"{path.name} line {line}"):
            samples.append(Sample(relative, label, split))
    if not samples:
        raise DataLayoutError(
            f"None of the {len(missing)} images that {path} names is below {images}.",
            hint="Expected Image/aligned/train_00001_aligned.jpg or Image/original/…",
        )
    return Listing(
        root=root,
        samples=samples,
        title=f"RAF-DB basic, {table.describe()}",
        id_table={str(number): emotion for number, emotion in table.ids.items()},
        missing=missing,
        sources=frozenset([path.relative_to(root).as_posix()]),
        notes=saying.notes(),
    )


def recognise_folders(root: Path, _: ReadOptions) -> str | None:
    """Say that folders 1..7 hold files named as only RAF-DB names them, or None."""
    base = _folders_base(root)
    return None if base is None else f"RAF-DB folders 1..7 with *_aligned files in {base.name}"


def read_folders(root: Path, options: ReadOptions) -> Listing:
    """Read the folders, and compare them with the CSV files of the copy if they are there."""
    _refuse_order(options)
    order = named_table("rafdb")
    base = _folders_base(root)
    assert base is not None
    listing = read_splits(base, replace(options, order=order))
    by_csv: dict[str, str] = {}
    sources: set[str] = set()
    saying = tables.OneSaying()
    for name in _CSV_FILES:
        for folder in (base, base.parent):
            path = folder / name
            if {"image", "label"} <= set(tables.header(path)):
                for line, row in tables.rows(path):
                    number = tables.integer(row["label"], path=path, line=line, column="label")
                    order.require([number], where=f"{path}, line {line},")
                    label, where = order.ids[number], f"{path.name} line {line}"
                    if saying.is_new(row["image"], label, name=row["image"], where=where):
                        by_csv[row["image"]] = label
                sources.add(path.name)
                break
    disagreements = [
        Disagreement(sample.name, sample.label, by_csv[name])
        for sample in listing.samples
        if by_csv.get(name := Path(sample.name).name, sample.label) != sample.label
    ]
    differing = {entry.name: entry.csv for entry in disagreements}
    samples = listing.samples
    dropped: dict[str, int] = {}
    if options.labels_from == "drop" and differing:
        samples = [sample for sample in samples if sample.name not in differing]
        dropped = {DISAGREEING: len(differing)}
    if options.labels_from == "csv":
        samples = [replace(s, label=differing.get(s.name, s.label)) for s in samples]
    return replace(
        listing,
        samples=samples,
        title=f"RAF-DB folders, {order.describe()}",
        dropped=dropped,
        disagreements=disagreements,
        sources=frozenset(sources),
        notes=[*listing.notes, *saying.notes()],
    )


def _folders_base(root: Path) -> Path | None:
    """Return where RAF-DB's split folders lie: in ``root``, or in a folder beside the CSV files."""
    beside = subfolders(root) if any((root / name).is_file() for name in _CSV_FILES) else []
    return next((folder for folder in (root, *beside) if _has_folders(folder)), None)


def _has_folders(root: Path) -> bool:
    split = next(iter(split_folders(root).values()), None)
    if split is None or [f.name for f in subfolders(split)] != [str(n) for n in range(1, 8)]:
        return False
    pictures = (name for name, kind in walk_files(split, root=split) if kind == "picture")
    names = [Path(name).name for name in islice(pictures, 5)]
    return bool(names) and all(_FILE_NAME.fullmatch(name) for name in names)


def _list_file(root: Path) -> Path | None:
    return next((root / name for name in _LISTS if (root / name).is_file()), None)


def _lines(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        fields = text.split()
        if not fields:
            continue
        if len(fields) != 2:
            raise DataLayoutError(
                f"{path}, line {line} is {text!r}.", hint='Expected "train_00001.jpg 5".'
            )
        yield line, (fields[0], fields[1])


def _refuse_order(options: ReadOptions) -> None:
    if options.order is not None and options.order.ids != named_table("rafdb").ids:
        raise DataLayoutError(
            f"--label-order {options.order.name} does not fit: RAF-DB numbers "
            f"{named_table('rafdb').describe()}.",
            hint="Leave the option out, or choose --layout folders.",
        )
