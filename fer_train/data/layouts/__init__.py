"""The layouts of face data sets, tried in the order of `LAYOUTS`; one module each.

A layout says what it recognises in a folder, and reads it into a `Listing`. Where two recognise
the same folder, the one that knows more about it wins if it says so (``instead_of``); otherwise
the choice is the user's (``--layout NAME``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_train.contract.errors import DataLayoutError, NotFound
from fer_train.contract.picture_files import is_archive
from fer_train.data.layouts import (
    affectnet_csv,
    affectnet_npy,
    ferplus,
    folders,
    label_tables,
    labels_csv,
    pixel_csv,
    rafdb,
)
from fer_train.data.samples import Listing, ReadOptions

#: Archives put their content into folders of their own, sometimes twice over.
_DEPTH = 3


#: Layouts whose labels are the names of folders, and nothing else.
_BY_FOLDER = ("folders", "classes")


@dataclass(frozen=True, slots=True)
class Layout:
    """One way of storing labelled faces.

    Attributes:
        name: for ``--layout``.
        shape: how it looks on disk, for error messages.
        recognise: returns what it saw in a folder (or file), or None.
        read: lists the data set; raises `DataLayoutError` and its kin.
        instead_of: layouts that see less in the same files.
    """

    name: str
    shape: str
    recognise: Callable[[Path, ReadOptions], str | None]
    read: Callable[[Path, ReadOptions], Listing]
    instead_of: frozenset[str] = frozenset()


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "affectnet-csv",
        "training.csv, validation.csv and Manually_Annotated_Images/",
        affectnet_csv.recognise,
        affectnet_csv.read,
    ),
    Layout(
        "affectnet-npy",
        "train_set/ and val_set/, each with images/ and annotations/*_exp.npy",
        affectnet_npy.recognise,
        affectnet_npy.read,
    ),
    Layout(
        "ferplus",
        "fer2013new.csv beside fer2013.csv, or FER2013Train/label.csv with its images",
        ferplus.recognise,
        ferplus.read,
        frozenset({"pixel-csv"}),
    ),
    Layout(
        "pixel-csv",
        "fer2013.csv or icml_face_data.csv",
        pixel_csv.recognise,
        pixel_csv.read,
    ),
    Layout(
        "rafdb",
        "EmoLabel/list_patition_label.txt and Image/aligned/",
        rafdb.recognise_basic,
        rafdb.read_basic,
    ),
    Layout(
        "rafdb-folders",
        "train/1..7/train_*_aligned.jpg and test/1..7",
        rafdb.recognise_folders,
        rafdb.read_folders,
        frozenset({"folders", "labels-csv"}),
    ),
    Layout(
        "labels-csv",
        "images and labels.csv (or another table) with a path and a label column",
        labels_csv.recognise,
        labels_csv.read,
        frozenset(_BY_FOLDER),
    ),
    Layout(
        "folders",
        "train/<class>/ and val/<class>/ (and test/<class>/)",
        folders.recognise_splits,
        folders.read_splits,
    ),
    Layout(
        "classes",
        "<class>/ without splits",
        folders.recognise_classes,
        folders.read_classes,
    ),
)

AUTO = "auto"


def recognise(
    path: Path, options: ReadOptions | None = None, *, name: str = AUTO
) -> tuple[Layout, Path]:
    """Return the layout of a folder (or CSV file), and the folder where it begins.

    That is ``path`` itself, or a folder within it where an archive was unpacked.

    Args:
        options: what the user has said about the labels.
        name: a layout's name if the user has said which it is.

    Raises:
        NotFound: there is nothing at ``path``.
        DataLayoutError: no layout, or several; an archive; a file of labels that is not
            understood, beside class folders or alone.
    """
    if not path.exists():
        raise NotFound(f"There is no data folder {path}.")
    if path.is_file() and is_archive(path):
        raise DataLayoutError(
            f"{path} is an archive.", hint="Unpack it, and give the folder: --data FOLDER"
        )
    options = options or ReadOptions()
    level = [path]
    for _ in range(_DEPTH):
        found = [(match, place) for place in level for match in _matches(place, options, name)]
        if len(found) == 1:
            (layout, _), place = found[0]
            if name == AUTO and layout.name in _BY_FOLDER:
                label_tables.require_no_other_labels(_around(place, path, options))
            return layout, place
        if found:
            raise _ambiguous(path, found)
        level = [child for place in level if place.is_dir() for child in folders.subfolders(place)]
    if path.is_file() and name in (AUTO, "labels-csv"):
        raise label_tables.not_understood(path)
    archives = [entry for entry in _files(path) if is_archive(entry)]
    if name in (AUTO, "labels-csv") and path.is_dir() and not archives:
        label_tables.require_no_other_labels([path, *folders.subfolders(path)])
    raise DataLayoutError(
        f"{path} holds no data set we know; it holds: {_content(path)}."
        if name == AUTO
        else f"{path} is not of the layout {name}; it holds: {_content(path)}.",
        hint=f"Unpack {archives[0].name} first."
        if archives
        else "Known layouts:\n"
        + "\n".join(f"    {layout.name:<14} {layout.shape}" for layout in LAYOUTS)
        + "\n  Class folders are 0..7 or named after the emotions (or --custom-labels). See "
        "docs/data.md.",
    )


def _matches(place: Path, options: ReadOptions, name: str) -> list[tuple[Layout, str]]:
    """Return the layouts that recognise a folder, with what they saw; the better-informed ones."""
    seen = [
        (layout, evidence)
        for layout in LAYOUTS
        if name in (AUTO, layout.name)
        and (evidence := layout.recognise(place, options)) is not None
    ]
    outdone = {lesser for layout, _ in seen for lesser in layout.instead_of}
    return [(layout, evidence) for layout, evidence in seen if layout.name not in outdone]


def _ambiguous(path: Path, found: list[tuple[tuple[Layout, str], Path]]) -> DataLayoutError:
    listed = "\n".join(
        f"    --data '{place}' --layout {layout.name}: {evidence}"
        for (layout, evidence), place in found
    )
    return DataLayoutError(
        f"{path} holds {len(found)} data sets, or one that can be read in {len(found)} ways.",
        hint=f"Say which with one of:\n{listed}",
    )


def _around(place: Path, path: Path, options: ReadOptions) -> list[Path]:
    """Return the folders in which a file may speak about the images of a data set."""
    above = [folder for folder in place.parents if folder.is_relative_to(path)]
    splits = folders.split_folders(place, options.custom_labels).values()
    wrapped = [
        around
        for folder in splits
        for around in folder.parents
        if around != place and around.is_relative_to(place)
    ]
    return [place, *above, *wrapped, *splits]


def _files(path: Path) -> list[Path]:
    return sorted(e for e in path.iterdir() if e.is_file()) if path.is_dir() else []


def _content(path: Path) -> str:
    if path.is_file():
        return "one file that is not a CSV of pixels or labels"
    names = sorted(e.name + ("/" if e.is_dir() else "") for e in path.iterdir())
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "nothing"
