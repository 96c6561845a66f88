"""Which files are pictures, which are a system's clutter: one rule for data, fixtures and checks.

Clutter is what file managers, network drives and notebooks leave beside pictures; much of it ends
in ``.jpg``. It is never read as data.
"""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from PIL import Image

from fer_train.contract.errors import DataLayoutError

#: Of all that Pillow opens (also films, prints and weather maps), what people keep faces in.
_PICTURES = frozenset(
    {
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2"),
        *(".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff"),
        ".webp",
    }
)

#: Pictures that no Pillow opens without help, or at all; named when they are left out.
_FOREIGN = frozenset({".arw", ".cr2", ".cr3", ".dng", ".jxl", ".nef", ".orf", ".rw2", ".svg"})

_ARCHIVES = frozenset(
    {".7z", ".bz2", ".gz", ".rar", ".tar", ".tbz2", ".tgz", ".txz", ".xz", ".zip", ".zst"}
)

#: In lower case. Synology, QNAP, NetApp, macOS, Windows, Linux, Python.
_CLUTTER_FOLDERS = frozenset(
    {
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "~snapshot"),
        *("$recycle.bin", "system volume information", "lost+found"),
    }
)
_CLUTTER_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})

#: ``loop`` is a linked folder that leads back to a folder around it, ``special`` what is no file,
#: whatever its name: reading a named pipe would wait for ever.
Kind = Literal["picture", "other", "clutter", "loop", "special"]


class Entry(NamedTuple):
    """One entry of a walk; folders that are not entered end in ``/``."""

    name: str
    kind: Kind


@cache
def teach_pillow() -> None:
    """Let Pillow open HEIC pictures where ``pillow-heif`` is installed; it does not by itself."""
    with suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()


@cache
def image_suffixes() -> frozenset[str]:
    """Return the endings of pictures that Pillow opens here, in lower case with their dot.

    AVIF depends on how Pillow was built, HEIC on `teach_pillow`.
    """
    teach_pillow()
    Image.init()
    opened = {end for end, format in Image.registered_extensions().items() if format in Image.OPEN}
    return _PICTURES & opened


def is_picture(name: str | PurePath) -> bool:
    """Whether a file's ending is one of `image_suffixes`."""
    return _suffix(name) in image_suffixes()


def is_unopenable_picture(name: str | PurePath) -> bool:
    """Whether a file is a picture by its ending, of a kind that Pillow cannot open here."""
    return _suffix(name) in (_PICTURES | _FOREIGN) - image_suffixes()


def is_special(path: str | Path) -> bool:
    """Whether something is there that is neither a file nor a folder: a pipe, socket or device."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a walk has names, not paths
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_archive(name: str | PurePath) -> bool:
    """Whether a file's ending is an archive's."""
    return _suffix(name) in _ARCHIVES


def is_clutter(name: str, *, folder: bool) -> bool:
    """Whether a file or folder of this name (without its path) belongs to a system, not to people.

    Hidden ones do: ``.DS_Store``, ``._face.jpg`` (AppleDouble), ``.ipynb_checkpoints``.
    """
    if name.startswith("."):
        return True
    if folder:
        return name.startswith("__") or name.lower() in _CLUTTER_FOLDERS
    return name.lower() in _CLUTTER_FILES


def walk_files(folder: Path, *, root: Path) -> Iterator[Entry]:
    """Yield every file below ``folder``, by POSIX path relative to ``root``, folder by folder.

    Linked folders are entered, except those that lead back to a folder around them. A folder that
    is clutter or such a loop is one entry, and what is in it none.

    Raises:
        DataLayoutError: a folder that cannot be read.
    """
    to_enter = [folder]
    while to_enter:
        place = to_enter.pop()
        where = place.relative_to(root).as_posix()
        before = "" if where == "." else f"{where}/"
        folders, files = _listed(place)
        entered = []
        for name in folders:
            if is_clutter(name, folder=True):
                yield Entry(f"{before}{name}/", "clutter")
            elif _leads_back(Path(place, name), root=root):
                yield Entry(f"{before}{name}/", "loop")
            else:
                entered.append(Path(place, name))
        to_enter += reversed(entered)
        for name, special in files:
            kind: Kind = "picture" if is_picture(name) else "other"
            if is_clutter(name, folder=False):
                kind = "clutter"
            yield Entry(before + name, "special" if special else kind)


def pictures_below(folder: Path) -> list[str]:
    """Return the pictures below a folder by POSIX path relative to it, sorted."""
    return sorted(name for name, kind in walk_files(folder, root=folder) if kind == "picture")


def _suffix(name: str | PurePath) -> str:
    # A million names are asked: PurePath would cost more than all the rest of a walk.
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _leads_back(link: Path, *, root: Path) -> bool:
    if not link.is_symlink():
        return False
    target = link.resolve()
    above = (place for place in link.parents if place.is_relative_to(root))
    return any(place.resolve().is_relative_to(target) for place in above)


def _listed(place: Path) -> tuple[list[str], list[tuple[str, bool]]]:
    """Return the folders in a folder, and all else with whether it is special, by name."""
    folders: list[str] = []
    files: list[tuple[str, bool]] = []
    try:
        # The kind comes with the listing; asking every file again would cost more than the walk.
        with os.scandir(place) as entries:
            for entry in entries:
                if _is_folder(entry):
                    folders.append(entry.name)
                else:
                    files.append((entry.name, _is_special(entry)))
    except OSError as error:
        raise DataLayoutError(
            f"The folder {error.filename} cannot be read: {error.strerror}.",
            hint="Its files may be data: make it readable, or move it away.",
        ) from error
    return sorted(folders), sorted(files)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    if entry.is_file(follow_symlinks=False):
        return False
    # A link to nothing is not special: its file is missed when it is read.
    return is_special(entry.path)
