"""Data and pictures: tables of labels, folders as drives and archives leave them, bad pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.fer_convert.nets import smooth_picture
from tests.fer_convert.saved_classifier import save_classifier
from tests.inputs.case import Case
from tests.inputs.programs import PIXELS, traced_classifier

_Make = Callable[[Path], Sequence[object]]

_CLASSES = ("happy", "sad")


def _draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(smooth_picture(seed, side=32)).save(path)


def _class_folders(root: Path, *, ending: str = ".png") -> None:
    for number, name in enumerate(_CLASSES):
        for index in range(2):
            _draw(root / name / f"{name}{index}{ending}", 10 * number + index)


def _check(folder: Path, source: str = "faces") -> Sequence[object]:
    kept = ("--out", folder / "check", "--cache", folder / "cache")
    return ("fertrain", "data", "check", folder / source, *kept)


def _images_and(table: str, *, name: str = "labels.csv", encoding: str = "utf-8") -> _Make:
    """Two images in no class folders, and a table of labels beside them."""

    def make(folder: Path) -> Sequence[object]:
        for index, picture in enumerate(("ä.png", "b.png")):
            _draw(folder / "faces/images" / picture, index)
        (folder / "faces" / name).write_text(table, encoding=encoding)
        return _check(folder)

    return make


def _folders_and(table: str, *, name: str = "labels.csv") -> _Make:
    def make(folder: Path) -> Sequence[object]:
        _class_folders(folder / "faces")
        (folder / "faces" / name).write_text(table)
        return _check(folder)

    return make


def _clutter(root: Path) -> None:
    """What a network drive, a Mac and a notebook leave beside pictures; none of it is one."""
    for place in ("@eaDir/happy0.png/SYNOPHOTO_THUMB_M.png", "._happy0.png"):
        path = root / "happy" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture")
    _draw(root / ".ipynb_checkpoints/sad0-checkpoint.png", 7)


def _cluttered(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    _clutter(folder / "faces")
    (folder / "faces/README.txt").write_text("where they come from")
    return _check(folder)


def _cluttered_fixtures(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    _clutter(folder / "faces")
    program = folder / "model.pt"
    traced_classifier(program, classes=7)
    return [
        *("ferconv", "build", "--checkpoint", program, "--preprocess", PIXELS),
        *("--labels", "fer2013", "--fixtures", folder / "faces", "--out", folder / "build"),
        *("--only", "torchscript"),
    ]


def _fixtures_in_an_archive(folder: Path) -> Sequence[object]:
    arguments = list(_cluttered_fixtures(folder))
    shutil.make_archive(str(folder / "faces"), "zip", folder / "faces")
    return [folder / "faces.zip" if a == folder / "faces" else a for a in arguments]


def _linked(folder: Path) -> Sequence[object]:
    _class_folders(folder / "elsewhere")
    (folder / "faces/happy").mkdir(parents=True)
    (folder / "faces/happy/more").symlink_to(folder / "elsewhere/happy")
    (folder / "faces/happy/back").symlink_to(folder / "faces")
    (folder / "faces/sad").symlink_to(folder / "elsewhere/sad")
    return _check(folder)


def _dead_link(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    (folder / "faces/happy/more.png").symlink_to(folder / "unmounted/more.png")
    return _check(folder)


def _nested(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces/train/train/train")
    _class_folders(folder / "faces/val/val")
    return _check(folder)


def _pipe(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    os.mkfifo(folder / "faces/happy/camera.png")
    return _check(folder)


def _archive(folder: Path) -> Sequence[object]:
    _class_folders(folder / "data")
    shutil.make_archive(str(folder / "faces"), "zip", folder / "data")
    return _check(folder, "faces.zip")


def _packed_folder(folder: Path) -> Sequence[object]:
    _archive(folder)
    (folder / "faces").mkdir()
    (folder / "faces.zip").rename(folder / "faces/train.zip")
    return _check(folder)


def _jfif(folder: Path) -> Sequence[object]:
    for number, name in enumerate(_CLASSES):
        _draw(folder / "faces" / name / "a.jpg", number)
        (folder / "faces" / name / "a.jpg").rename(folder / "faces" / name / "a.jfif")
    return _check(folder)


def _camera_files(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    (folder / "faces/happy/shot.dng").write_bytes(b"II*\0 a camera's own format")
    return _check(folder)


def _latin_1_names(folder: Path) -> Sequence[object]:
    _class_folders(folder / "faces")
    for name in _CLASSES:
        image = folder / "faces" / name / f"{name}0.png"
        try:
            image.rename(image.with_name("gr\udcfcn.png"))  # the byte 0xFC, ü in Latin-1
        except OSError:
            pytest.skip("this file system only takes UTF-8 names")
    (folder / "faces/happy/torn\udcff.png").write_bytes(b"torn")
    return _check(folder)


def _asked(folder: Path, *pictures: str, softmax: bool = True) -> Sequence[object]:
    model = folder / "model.mlmodel"
    save_classifier(model, softmax=softmax)
    for index, name in enumerate(pictures):
        _draw(folder / name, index)
    return ("ferconv", "predict", model, *(folder / name for name in pictures))


def _one_bad_picture(folder: Path) -> Sequence[object]:
    arguments = _asked(folder, "one.png", "torn.png", "two.png")
    (folder / "torn.png").write_bytes(b"torn")
    return arguments


def _one_absent_picture(folder: Path) -> Sequence[object]:
    return (*_asked(folder, "one.png"), folder / "gone.png", "--json")


def _no_softmax(folder: Path) -> Sequence[object]:
    return _asked(folder, "one.png", softmax=False)


CASES = (
    Case(
        name="labels-with-semicolons",
        what="`labels.csv` as a German spreadsheet writes it: semicolons, cp1252",
        outcome="read, and said how",
        command=_images_and("File Name;Emotion\nä.png;happy\nb.png;sad\n", encoding="cp1252"),
        code=0,
        says=("2 images", "read as cp1252, separated by semicolons"),
    ),
    Case(
        name="labels-in-utf-16",
        what="`labels.csv` saved as “Unicode text”: tabs, UTF-16",
        outcome="read, and said how",
        command=_images_and("path\tlabel\nä.png\thappy\nb.png\tsad\n", encoding="utf-16"),
        code=0,
        says=("2 images", "read as UTF-16, separated by tabs"),
    ),
    Case(
        name="labels-in-a-tsv",
        what="`annotations.tsv` beside a folder of images",
        outcome="read",
        command=_images_and(
            "image\temotion\nimages/ä.png\thappy\nimages/b.png\tsad\n", name="annotations.tsv"
        ),
        code=0,
        says=("2 images", "annotations.tsv"),
    ),
    Case(
        name="labels-in-unknown-columns",
        what="Class folders, and a table whose columns have names that are not known",
        outcome="refused: the file, its columns and what is allowed are named",
        command=_folders_and("bild;wert\nhappy/happy0.png;3\n", name="bewertung.csv"),
        code=20,
        says=("bewertung.csv", "bild, wert", "separated by semicolons", "Rename its columns"),
    ),
    Case(
        name="labels-in-a-spreadsheet",
        what="Class folders, and `labels.xlsx`",
        outcome="refused: it may say otherwise than the folders",
        command=_folders_and("PK", name="labels.xlsx"),
        code=20,
        says=("labels.xlsx", "save it as CSV"),
    ),
    Case(
        name="two-labels-for-one-image",
        what="A labels table with two rows, and two labels, for one image",
        outcome="refused: image, rows and labels are named",
        command=_images_and("path,label\nä.png,happy\nb.png,sad\nä.png,sad\n"),
        code=20,
        says=("images/ä.png: happiness (labels.csv line 2), sadness (labels.csv line 4)",),
    ),
    Case(
        name="a-row-twice",
        what="A labels table that says the same of one image twice",
        outcome="read; the image counts once, and that is said",
        command=_images_and("path,label\nä.png,happy\nb.png,sad\nä.png,Happiness\n"),
        code=0,
        says=("2 images", "1 row repeats what another says"),
    ),
    Case(
        name="clutter-in-data",
        what="Thumbnails of a NAS (`@eaDir`), `._x.png` of a Mac, `.ipynb_checkpoints`, a README",
        outcome="skipped, and said",
        command=_cluttered,
        code=0,
        says=("4 images", "1 other file not used: README.txt", "skipped 3", "Nothing found"),
    ),
    Case(
        name="clutter-in-fixtures",
        what="The same in the folder for `ferconv build --fixtures`",
        outcome="skipped: only the pictures are compared",
        command=_cluttered_fixtures,
        code=0,
        says=("verdict PASS",),
    ),
    Case(
        name="fixtures-in-an-archive",
        what="`ferconv build --fixtures faces.zip`",
        outcome="refused: unpack it",
        command=_fixtures_in_an_archive,
        code=20,
        says=("faces.zip is a file", "unpack it"),
    ),
    Case(
        name="linked-folders",
        what="Class folders that are links, hold links, and one link that leads back",
        outcome="followed, but for the one that leads back, which is named",
        command=_linked,
        code=0,
        says=("4 images", "1 linked folder not entered", "happy/back/"),
    ),
    Case(
        name="dead-link",
        what="A link to a picture that is not there",
        outcome="`data check` lists it with the pictures that cannot be decoded",
        command=_dead_link,
        code=0,
        says=("5 images", "happy/more.png (There is no image"),
    ),
    Case(
        name="named-pipe",
        what="A named pipe with a picture's name among the pictures",
        outcome="not read, and named (it would be waited for)",
        command=_pipe,
        code=0,
        says=("4 images", "1 special file not read", "happy/camera.png"),
    ),
    Case(
        name="train-in-train",
        what="`train/train/train/happy/…` and `val/val/happy/…`, as archives unpack",
        outcome="read as if it were not nested",
        command=_nested,
        code=0,
        says=("8 images", "train: 4", "val: 4"),
    ),
    Case(
        name="an-archive",
        what="`--data faces.zip`",
        outcome="refused: unpack it",
        command=_archive,
        code=20,
        says=("faces.zip is an archive", "Unpack it"),
    ),
    Case(
        name="a-folder-of-archives",
        what="A folder with `train.zip` and nothing else",
        outcome="refused: unpack it",
        command=_packed_folder,
        code=20,
        says=("it holds: train.zip", "Unpack train.zip first"),
    ),
    Case(
        name="jfif",
        what="Pictures that end in `.jfif`",
        outcome="read",
        command=_jfif,
        code=0,
        says=("2 images",),
        never=("Traceback", "not used"),
    ),
    Case(
        name="pictures-pillow-cannot-open",
        what="A camera's raw file among the pictures",
        outcome="the others are read, and it is named",
        command=_camera_files,
        code=0,
        says=("4 images", "1 picture not used that Pillow cannot open", "happy/shot.dng"),
    ),
    Case(
        name="names-in-latin-1",
        what="File names that are not UTF-8, one of a torn picture",
        outcome="read; such a byte is shown as an escape",
        command=_latin_1_names,
        code=0,
        says=("5 images", r"happy/torn\udcff.png", "cannot be decoded"),
    ),
    Case(
        name="predict-with-a-bad-picture",
        what="`ferconv predict` with three pictures, one of them torn",
        outcome="two are answered, the third is reported",
        command=_one_bad_picture,
        code=22,
        says=("one.png", "two.png", "error:", "torn.png cannot be decoded"),
    ),
    Case(
        name="predict-with-an-absent-picture",
        what="`ferconv predict --json` with a picture that is not there",
        outcome="the other is answered, and the JSON has an entry of the error",
        command=_one_absent_picture,
        code=4,
        says=('"probabilities": true', '"exit_code": 4', "There is no image"),
    ),
    Case(
        name="predict-without-softmax",
        what="`ferconv predict` on a classifier that was saved without its softmax",
        outcome="its scores are shown as scores, never as percentages",
        command=_no_softmax,
        code=0,
        says=("scores as the model gives them",),
        never=("Traceback", "%"),
    ),
)
