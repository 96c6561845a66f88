"""Class folders, with or without split folders above them.

::

    ROOT/train/{0..7}/*.jpg   ROOT/val/…   [ROOT/test/…]     numeric: an id table applies
    ROOT/train/{happy,…}/…    ROOT/val/…   [ROOT/test/…]     named: the name is the label
    ROOT/{happy,…}/*.jpg                                     no splits: --val-fraction makes them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_train.contract.errors import DataLayoutError, LabelMismatch
from fer_train.contract.labels import ALIASES, EMOTIONS, canonical_name
from fer_train.contract.picture_files import is_clutter, walk_files
from fer_train.data.label_order import ALLOWED, LabelTable, named_table
from fer_train.data.samples import Listing, ReadOptions, Sample

#: Spellings of the splits met in the wild, compared in lower case.
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "publictest"),
    "test": ("test", "testing", "privatetest"),
}


def recognise_splits(root: Path, options: ReadOptions) -> str | None:
    """Say which split folders with class folders there are, or None."""
    folders = split_folders(root, options.custom_labels).values()
    splits = [f.name for f in folders if class_folders(f, options.custom_labels)]
    return f"split folders {', '.join(splits)} with class folders" if splits else None


def recognise_classes(root: Path, options: ReadOptions) -> str | None:
    """Say which class folders lie directly in ``root``, or None."""
    names = class_folders(root, options.custom_labels)
    return f"class folders {', '.join(names)}" if len(names) > 1 else None


def read_splits(root: Path, options: ReadOptions) -> Listing:
    """Read ``ROOT/<split>/<class>/``; exactly 0..7 in train is the AffectNet folder numbering.

    Raises:
        DataLayoutError: folders that cannot be named.
    """
    folders = split_folders(root, options.custom_labels)
    order = options.order
    train = [folder.name for folder in subfolders(folders["train"])] if "train" in folders else []
    if order is None and train == [str(index) for index in range(len(EMOTIONS))]:
        order = named_table("affectnet-folders")
    id_table: dict[str, str] = {}
    for folder in folders.values():
        id_table |= name_classes(folder, order, options.custom_labels)
    places: dict[str | None, Path] = dict(folders.items())
    return listing(root, places, id_table, title=describe_classes(id_table, order))


def read_classes(root: Path, options: ReadOptions) -> Listing:
    """Read ``ROOT/<class>/``, a data set without splits."""
    id_table = name_classes(root, options.order, options.custom_labels)
    title = f"{describe_classes(id_table, options.order)}, no splits"
    return listing(root, {None: root}, id_table, title=title)


def listing(
    root: Path, folders: Mapping[str | None, Path], id_table: Mapping[str, str], *, title: str
) -> Listing:
    """List the images of every split by class folder, sorted by path."""
    emotion_of = {name.lower(): emotion for name, emotion in id_table.items()}
    samples: list[Sample] = []
    for split, folder in folders.items():
        found: list[Sample] = []
        for class_folder in subfolders(folder):
            emotion = emotion_of.get(class_folder.name.lower())
            if emotion is None:
                continue
            found += [
                Sample(name, emotion, split)
                for name, kind in walk_files(class_folder, root=root)
                if kind == "picture"
            ]
        samples += sorted(found, key=lambda sample: sample.name)
    return Listing(
        root=root,
        samples=samples,
        title=title,
        id_table=id_table,
        declared=frozenset(id_table.values()),
    )


def split_folders(root: Path, custom: Sequence[str] = ()) -> dict[str, Path]:
    """Return split -> its folder, whatever the spelling, in the order train, val, test.

    Args:
        custom: what may be class folders beside the known ones.

    Raises:
        DataLayoutError: two folders mean the same split.
    """
    folders: dict[str, Path] = {}
    for entry in subfolders(root):
        for split, spellings in SPLIT_NAMES.items():
            if entry.name.lower() not in spellings:
                continue
            if split in folders:
                raise DataLayoutError(
                    f"The folders {folders[split].name} and {entry.name} of {root} both mean the "
                    f"{split} split.",
                    hint="Move one of them away, or merge them.",
                )
            folders[split] = entry
    folders = {split: _unwrapped(folder, custom) for split, folder in folders.items()}
    return {split: folders[split] for split in SPLIT_NAMES if split in folders}


def _unwrapped(folder: Path, custom: Sequence[str]) -> Path:
    """Return the folder that holds the classes: archives make ``train/train/`` of ``train/``,
    and archives of archives ``train/train/train/``. Without classes it is the folder itself."""
    deepest = folder
    while not class_folders(deepest, custom):
        inside = subfolders(deepest)
        if len(inside) != 1:
            return folder
        deepest = inside[0]
    return deepest


def class_folders(folder: Path, custom: Sequence[str] = ()) -> list[str]:
    """Return the names of subfolders that are numbers, emotions or ``custom`` labels."""
    return [f.name for f in subfolders(folder) if is_id(f.name) or is_label(f.name, custom)]


def subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders, sorted; numbers by value. A file has none."""
    if not folder.is_dir():
        return []
    entries = (entry for entry in folder.iterdir() if not is_clutter(entry.name, folder=True))
    found = [entry for entry in entries if entry.is_dir()]
    return sorted(found, key=lambda e: (int(e.name) if is_id(e.name) else -1, e.name))


def name_classes(
    folder: Path, order: LabelTable | None, custom: Sequence[str] = ()
) -> dict[str, str]:
    """Return class folder name -> label.

    Raises:
        DataLayoutError: numbers without an order, an order without numbers, or two folders of one
            emotion.
        LabelMismatch: a folder that is neither a number nor an emotion nor in ``custom``.
    """
    names = [entry.name for entry in subfolders(folder)]
    if not names:
        raise DataLayoutError(f"{folder} holds no class folders.")
    if not any(is_id(name) for name in names):
        if order is not None:
            raise DataLayoutError(
                f"--label-order {order.name} applies to numeric folders, but {folder} holds: "
                f"{', '.join(names)}.",
                hint="Leave the option out: named folders are their own labels.",
            )
        return _names_by_name(folder, names, custom)
    strange = [name for name in names if not is_id(name)]
    if strange:
        raise DataLayoutError(
            f"{folder} mixes numeric folders with {', '.join(strange)}.",
            hint="Move away what is not a class.",
        )
    if order is None:
        raise DataLayoutError(
            f"{folder} holds the numeric folders {', '.join(names)}; only exactly 0..7 below a "
            "train folder has a default meaning, and numbers are never guessed.",
            hint=f"Say what they mean with --label-order: {ALLOWED}.",
        )
    order.require(map(int, names), where=str(folder))
    return {name: order.ids[int(name)] for name in names}


def describe_classes(id_table: Mapping[str, str], order: LabelTable | None) -> str:
    """Return a sentence on how the class folders were understood."""
    if order is None:
        return f"class-named folders ({len(set(id_table.values()))} classes)"
    return f"numeric folders, label order {order.name}: {order.describe()}"


def is_id(name: str) -> bool:
    """Whether a name is a non-negative integer."""
    return name.isascii() and name.isdigit()


def is_label(name: str, custom: Sequence[str]) -> bool:
    """Whether a name is one of the eight emotions, an alias, or one of ``custom``."""
    key = name.strip().lower()
    return key in EMOTIONS or key in ALIASES or key in {other.lower() for other in custom}


def _names_by_name(folder: Path, names: Sequence[str], custom: Sequence[str]) -> dict[str, str]:
    try:
        id_table = {name: canonical_name(name, custom=custom) for name in names}
    except LabelMismatch as error:
        raise LabelMismatch(
            f"The class folder {error.message.split(' is ')[0]} of {folder} is "
            f"{error.message.split(' is ', 1)[1]}",
            hint=f"{error.hint} Rename it, or move it out of {folder}.",
        ) from None
    for name, emotion in id_table.items():
        twins = [other for other, meaning in id_table.items() if meaning == emotion]
        if len(twins) > 1:
            raise DataLayoutError(
                f"The folders {' and '.join(twins)} both mean {emotion}.",
                hint=f"Merge them, or rename {name}.",
            )
    return id_table
