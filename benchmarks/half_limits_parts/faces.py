"""Copies of a folder of faces: few of them, or under their emotions' names."""

from __future__ import annotations

import shutil
from pathlib import Path

from fer_train.contract.files import atomic_directory, write_text
from fer_train.contract.labels import label_order

#: What the numbers of the class folders mean.
ORDER = "affectnet-folders"
#: Images per class and split in `few`, so that no training takes long.
PER_CLASS = {"train": 300, "val": 40}

_MARKER = "copied.txt"


def few(faces: Path, out: Path) -> Path:
    """Copy the first images of every class, unless they are there; return ``out``."""
    if not out.exists():
        with atomic_directory(out, marker=_MARKER) as folder:
            write_text(folder / _MARKER, f"{PER_CLASS}\n")
            for split, count in PER_CLASS.items():
                for one in sorted((faces / split).iterdir()):
                    _copy(sorted(one.iterdir())[:count], folder / split / one.name)
    return out


def named(split: Path, out: Path) -> Path:
    """Copy a split into folders named after the emotions, unless it is there; return ``out``."""
    if not out.exists():
        with atomic_directory(out, marker=_MARKER) as folder:
            write_text(folder / _MARKER, f"{ORDER}\n")
            for number, name in enumerate(label_order(ORDER)):
                _copy(sorted((split / str(number)).iterdir()), folder / name)
    return out


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)
