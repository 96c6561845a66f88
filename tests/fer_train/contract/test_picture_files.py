"""What is a picture, what is clutter, and where a walk goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from fer_train.contract import picture_files
from fer_train.contract.errors import DataLayoutError, UnreadableImage
from fer_train.contract.picture_files import (
    image_suffixes,
    is_archive,
    is_clutter,
    is_picture,
    is_unopenable_picture,
    pictures_below,
    teach_pillow,
    walk_files,
)
from fer_train.contract.pixels import load_rgb


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Pillow's registry and what we know of it, as if nothing had been asked yet; then restored."""
    formats, endings, order = dict(Image.OPEN), dict(Image.EXTENSION), list(Image.ID)
    image_suffixes.cache_clear()
    teach_pillow.cache_clear()
    yield
    for registry, before in ((Image.OPEN, formats), (Image.EXTENSION, endings)):
        registry.clear()
        registry.update(before)
    Image.ID[:] = order  # Pillow tries each of these, and trips over one that is gone
    image_suffixes.cache_clear()
    teach_pillow.cache_clear()


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_pictures_by_their_ending() -> None:
    for name in ("a.jpg", "a.JPEG", "a.jfif", "a.PNG", "a.webp", "a.tiff", "a.bmp", "a.pgm"):
        assert is_picture(name), name
    # Pillow opens the first three, and nobody's faces are in them.
    for name in ("a.hdf", "a.mpeg", "a.eps", "a.txt", "jpg", ".jpg", "a.jpg.txt"):
        assert not is_picture(name), name


def test_heic_is_a_picture_where_pillow_can(
    forgetful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Image.EXTENSION.pop(".heic", None)
    assert not is_picture("IMG_1.HEIC") and is_unopenable_picture("IMG_1.HEIC")
    assert is_unopenable_picture("DSC_1.NEF") and not is_unopenable_picture("README.txt")

    plugin = ModuleType("pillow_heif")

    def register() -> None:
        Image.register_open("HEIF", Image.Image)  # type: ignore[arg-type]
        Image.register_extension("HEIF", ".heic")

    plugin.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    image_suffixes.cache_clear()
    teach_pillow.cache_clear()
    assert is_picture("IMG_1.HEIC") and not is_unopenable_picture("IMG_1.HEIC")


def test_avif_is_a_picture_unless_pillow_was_built_without(forgetful: None) -> None:
    Image.init()
    known = ".avif" in Image.EXTENSION and Image.EXTENSION[".avif"] in Image.OPEN
    assert is_picture("a.avif") is known
    image_suffixes.cache_clear()
    Image.EXTENSION.pop(".avif", None)
    assert not is_picture("a.avif") and is_unopenable_picture("a.avif")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        *((name, True) for name in ("@eaDir", "@EADIR", ".ipynb_checkpoints", ".git", "__MACOSX")),
        *((name, True) for name in ("#recycle", "$RECYCLE.BIN", "lost+found", ".AppleDouble")),
        *((name, False) for name in ("._x.png", ".DS_Store", "Thumbs.db", "desktop.ini")),
    ],
)
def test_clutter(name: str, folder: bool) -> None:
    assert is_clutter(name, folder=folder)


@pytest.mark.parametrize("name", ["happy", "0", "eaDir", "checkpoints", "a@b", "_x"])
def test_what_is_no_clutter(name: str) -> None:
    assert not is_clutter(name, folder=True) and not is_clutter(f"{name}.png", folder=False)


def test_archives() -> None:
    assert all(map(is_archive, ("a.zip", "a.tar.gz", "a.TGZ", "a.7z", "a.rar")))
    assert not is_archive("a.png") and not is_archive("zip")


def test_a_walk_names_everything_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/c.jpg", "a/notes.txt", "a/._c.jpg", "a/@eaDir/c.jpg/t.jpg")
    assert list(walk_files(tmp_path, root=tmp_path)) == [
        ("b.png", "picture"),
        ("a/@eaDir/", "clutter"),
        ("a/._c.jpg", "clutter"),
        ("a/c.jpg", "picture"),
        ("a/notes.txt", "other"),
    ]
    assert [name for name, _ in walk_files(tmp_path / "a", root=tmp_path)][-1] == "a/notes.txt"
    assert pictures_below(tmp_path / "a") == ["c.jpg"]


def test_hidden_folders_may_be_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, ".faces/a.png")
    assert pictures_below(tmp_path / ".faces") == ["a.png"]
    assert pictures_below(tmp_path) == []


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "data/a/1.png", "data/b/2.png", "elsewhere/deep/3.png")
    (tmp_path / "data/c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/a/above").symlink_to("/")
    (tmp_path / "data/a/x").symlink_to(tmp_path / "data/b")  # and b leads to a: a circle of two
    (tmp_path / "data/b/y").symlink_to(tmp_path / "data/a")
    (tmp_path / "data/a/gone").symlink_to(tmp_path / "nowhere")
    found = dict(walk_files(tmp_path / "data", root=tmp_path / "data"))
    pictures = sorted(name for name, kind in found.items() if kind == "picture")
    assert pictures == ["a/1.png", "a/x/2.png", "b/2.png", "b/y/1.png", "c/deep/3.png"]
    assert {name for name, kind in found.items() if kind == "loop"} == {
        *("a/up/", "a/above/", "a/x/y/"),
        *("b/y/up/", "b/y/above/", "b/y/x/"),
    }
    assert found["a/gone"] == "other"


def test_what_is_no_file_is_no_picture_whatever_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    assert dict(walk_files(tmp_path, root=tmp_path)) == {
        "pipe.png": "special",
        "link.jpg": "special",
        "gone.png": "picture",  # missed when it is read, not passed over in silence
        "self.png": "picture",
    }
    with pytest.raises(UnreadableImage, match=r"pipe\.png is a named pipe"):
        load_rgb(tmp_path / "pipe.png")


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the refusal is the operating system's only in name."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(picture_files.os, "scandir", refuse)
    with pytest.raises(DataLayoutError, match=r"cannot be read: Permission denied"):
        pictures_below(tmp_path)
