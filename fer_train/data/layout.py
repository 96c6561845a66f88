"""Recognise a folder of faces: splits, classes, files; labels by name.

Two layouts, told apart by the names of the class folders::

    ROOT/train/{0..7}/*.jpg   ROOT/val/{0..7}/*.jpg   [ROOT/test/…]    numeric: an id table applies
    ROOT/train/{happy,…}/…    ROOT/val/{happy,…}/…    [ROOT/test/…]    named: the name is the label
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_train.contract.errors import DataLayoutError, EmptyClass, NotFound
from fer_train.contract.labels import EMOTIONS, canonical_name, describe_order, label_order

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

#: Spellings of the splits met in the wild, compared in lower case.
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}

#: Written by ``fertrain synth``: these faces were drawn, and the model must say so for ever.
SYNTHETIC_MARKER = "synthetic.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The files of one split, sorted by path, and their class indices.

    Attributes:
        paths: POSIX paths relative to the data root.
        targets: index into the dataset's labels, one per path.
        ignored: files that are not images by their suffix.
    """

    paths: tuple[str, ...]
    targets: tuple[int, ...]
    ignored: int

    def counts(self, num_classes: int) -> list[int]:
        """Return the number of images per class."""
        return [self.targets.count(index) for index in range(num_classes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFolder:
    """A data set found on disk.

    Attributes:
        labels: class names in canonical order, the order of the logits.
        id_table: folder name -> class name, as applied.
        layout: a sentence for people: which layout was recognised.
        splits: ``train``, ``val`` and perhaps ``test``.
        synthetic: drawn by ``fertrain synth``, not photographed.
    """

    root: Path
    labels: tuple[str, ...]
    id_table: Mapping[str, str]
    layout: str
    splits: Mapping[str, Split]
    synthetic: bool

    def counts(self) -> dict[str, dict[str, int]]:
        """Return split -> class name -> number of images."""
        return {
            name: dict(zip(self.labels, split.counts(len(self.labels)), strict=True))
            for name, split in self.splits.items()
        }


def find_faces(root: Path, *, order: str | None = None) -> FaceFolder:
    """Recognise ``root`` and list its images.

    Args:
        order: name of an id table of `labels.LABEL_ORDERS` for numeric class folders.

    Raises:
        NotFound: no such folder.
        DataLayoutError: no train or val split, or class folders we cannot name.
        EmptyClass: a class without images in train, val or an existing test split.
    """
    if not root.is_dir():
        raise NotFound(f"There is no data folder {root}.")
    folders = _split_folders(root)
    names = {split: _class_names(folder) for split, folder in folders.items()}
    id_table, layout = _name_classes(root, names["train"], order)
    labels = tuple(name for name in EMOTIONS if name in id_table.values())
    _require_same_classes(names, id_table, root)
    splits = {
        split: _list_split(root, folder, id_table, labels) for split, folder in folders.items()
    }
    found = FaceFolder(
        root=root,
        labels=labels,
        id_table=id_table,
        layout=layout,
        splits=splits,
        synthetic=(root / SYNTHETIC_MARKER).is_file(),
    )
    _require_images(found)
    return found


def content_fingerprint(found: FaceFolder, digests: Mapping[str, list[str]]) -> str:
    """Return one SHA-256 of what was labelled how, the same on every machine.

    Args:
        digests: split -> SHA-256 of each file, in the split's order.
    """
    fingerprint = hashlib.sha256()
    for name in sorted(found.splits):
        split = found.splits[name]
        for path, target, digest in zip(split.paths, split.targets, digests[name], strict=True):
            fingerprint.update(f"{name} {found.labels[target]} {digest} {path}\n".encode())
    return fingerprint.hexdigest()


def _split_folders(root: Path) -> dict[str, Path]:
    present = {entry.name.lower(): entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    folders = {
        split: present[spelling]
        for split, spellings in SPLIT_NAMES.items()
        for spelling in spellings
        if spelling in present
    }
    for split in ("train", "val"):
        if split not in folders:
            seen = ", ".join(sorted(present)) or "no folders"
            raise DataLayoutError(
                f"{root} has no {split} split; it holds: {seen}.",
                hint=_nested_hint(root)
                or f"Expected {root}/train/<class>/ and {root}/val/<class>/ "
                "with class folders 0..7 or named after the emotions.",
            )
    return folders


def _nested_hint(root: Path) -> str | None:
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and (entry / "train").is_dir():
            return f"Did you mean --data {entry}?"
    return None


def _class_names(folder: Path) -> list[str]:
    return sorted(e.name for e in folder.iterdir() if e.is_dir() and not e.name.startswith("."))


def _name_classes(root: Path, names: list[str], order: str | None) -> tuple[dict[str, str], str]:
    if not names:
        raise DataLayoutError(f"{root}/train holds no class folders.")
    if not any(_is_id(name) for name in names):
        if order is not None:
            raise DataLayoutError(
                f"--label-order {order} applies to numeric folders, but {root}/train holds: "
                f"{', '.join(names)}.",
                hint="Leave the option out: named folders are their own labels.",
            )
        return _names_by_name(names), f"class-named folders ({len(names)} classes)"
    if order is None:
        if names != [str(index) for index in range(len(EMOTIONS))]:
            raise DataLayoutError(
                f"{root}/train holds the numeric folders {', '.join(names)}; only exactly 0..7 "
                "has a default meaning, and numbers are never guessed.",
                hint="Name the numbering with --label-order affectnet-folders, affectnet-ids, "
                "alphabetical or fer2013.",
            )
        order = "affectnet-folders"
    table = label_order(order)
    unknown = [name for name in names if not _is_id(name) or int(name) >= len(table)]
    if unknown:
        raise DataLayoutError(
            f"{root}/train holds {', '.join(unknown)}, which {order} does not number.",
            hint=f"{order}: {describe_order(table)}.",
        )
    id_table = {str(index): emotion for index, emotion in enumerate(table)}
    return id_table, f"numeric folders, label order {order}: {describe_order(table)}"


def _names_by_name(names: list[str]) -> dict[str, str]:
    id_table = {name: canonical_name(name) for name in names}
    for name, emotion in id_table.items():
        twins = [other for other, meaning in id_table.items() if meaning == emotion]
        if len(twins) > 1:
            raise DataLayoutError(
                f"The folders {' and '.join(twins)} both mean {emotion}.",
                hint=f"Merge them, or rename {name}.",
            )
    return id_table


def _require_same_classes(
    names: Mapping[str, list[str]], id_table: Mapping[str, str], root: Path
) -> None:
    meant = {name.lower() for name in id_table}
    for split, present in names.items():
        foreign = [name for name in present if name.lower() not in meant]
        if foreign:
            raise DataLayoutError(
                f"The {split} split of {root} has the class folder(s) {', '.join(foreign)} that "
                "train has not.",
                hint=f"Classes of train: {', '.join(id_table)}.",
            )


def _list_split(
    root: Path, folder: Path, id_table: Mapping[str, str], labels: tuple[str, ...]
) -> Split:
    emotion_of = {name.lower(): emotion for name, emotion in id_table.items()}
    rows: list[tuple[str, int]] = []
    ignored = 0
    for class_folder in sorted(folder.iterdir()):
        emotion = emotion_of.get(class_folder.name.lower())
        if emotion is None or not class_folder.is_dir():
            continue
        for path in class_folder.rglob("*"):
            # Hidden files are the file manager's (.DS_Store, ._face.jpg), not the user's.
            if path.name.startswith(".") or path.is_dir():
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES:
                rows.append((path.relative_to(root).as_posix(), labels.index(emotion)))
            else:
                ignored += 1
    rows.sort()
    return Split(
        paths=tuple(path for path, _ in rows),
        targets=tuple(target for _, target in rows),
        ignored=ignored,
    )


def _require_images(found: FaceFolder) -> None:
    folder_of = {emotion: name for name, emotion in found.id_table.items()}
    for split, counts in found.counts().items():
        empty = [
            label if folder_of[label] == label else f"{label} (folder {folder_of[label]})"
            for label, count in counts.items()
            if count == 0
        ]
        if empty:
            raise EmptyClass(
                f"The {split} split of {found.root} has no images for: {', '.join(empty)}.",
                hint="A class that is never seen cannot be learned or measured: add images"
                + (", or remove the class from every split." if not _numeric(found) else ".")
                + " Image files end in "
                + ", ".join(sorted(IMAGE_SUFFIXES))
                + ".",
            )


def _numeric(found: FaceFolder) -> bool:
    return all(_is_id(name) for name in found.id_table)


def _is_id(name: str) -> bool:
    return name.isascii() and name.isdigit()
