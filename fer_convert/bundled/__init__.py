"""What the tools need beside their code: the drawn faces and EmotionKit's sources.

A checkout has both in its own folders and keeps no copy. The build puts them into the wheel, beside
this file (``ci/build_hook.py``), so that an installed ``ferconv`` needs no checkout. This module
says what travels and where it is found; it imports nothing else, since the build loads it alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parents[1]

#: Folder beside this file in a wheel, and where a checkout keeps its content.
FIXTURES = ("fixtures", "fixtures")
EMOTIONKIT = ("EmotionKit", "swift/EmotionKit")

#: Where EmotionKit looks for its model, and all that a package without one has there.
MODELS = Path("Sources/EmotionKitModel/Models")
_NO_MODEL = "README.md"

#: The drawn clip, beside the faces.
CLIP = Path("events")
_CLIP_FILES = (CLIP / "clip.json", CLIP / "faces.png")

#: Build products and editor state of a working copy, and what only EmotionKit's own development
#: needs: its manifest leaves those targets out where the folders are absent.
_LEFT_OUT = (
    *(".*", "DerivedData", "Package.resolved", "*.xcodeproj"),
    *("DevSupport", "EmotionKitTests", "Examples", "API.txt"),
)

#: Hidden files at the top that travel all the same.
_HIDDEN = (".spi.yml", ".swift-format")


def fixtures_folder() -> Path:
    """Return the folder of the drawn faces and their manifest."""
    return _folder(*FIXTURES)


def clip_folder() -> Path:
    """Return the folder of the drawn clip."""
    return fixtures_folder() / CLIP


def emotionkit_folder() -> Path:
    """Return the folder of EmotionKit's sources."""
    return _folder(*EMOTIONKIT)


def fixture_files(folder: Path) -> list[Path]:
    """Return the manifest, every image that it lists and the clip, relative to ``folder``."""
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    return [Path("manifest.json"), *(Path(entry["name"]) for entry in listed), *_CLIP_FILES]


def emotionkit_files(folder: Path) -> list[Path]:
    """Return what a published package has of EmotionKit's sources, relative to ``folder``, sorted.

    No build products, no model of an earlier run, nothing that only its development needs.
    """
    return sorted(_travelling(folder))


def wheel_files(checkout: Path) -> dict[Path, Path]:
    """Return what the build adds to a wheel: source -> path beside this file.

    EmotionKit gets the repository's licence, as a package of its own needs one.
    """
    (fixtures, fixtures_source), (kit, kit_source) = FIXTURES, EMOTIONKIT
    faces, sources = checkout / fixtures_source, checkout / kit_source
    return {
        **{faces / name: Path(fixtures) / name for name in fixture_files(faces)},
        **{sources / name: Path(kit) / name for name in emotionkit_files(sources)},
        checkout / "LICENSE": Path(kit) / "LICENSE",
    }


def _folder(bundled: str, source: str) -> Path:
    """The one rule: what lies beside this file, which only a wheel has; else the checkout's."""
    return _HERE / bundled if (_HERE / bundled).is_dir() else _CHECKOUT / source


def _travelling(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        here = Path(parent).relative_to(folder)
        folders[:] = [name for name in folders if _travels(here, name)]
        yield from (here / name for name in files if _travels(here, name))


def _travels(parent: Path, name: str) -> bool:
    if parent == MODELS:
        return name == _NO_MODEL
    if parent == Path() and name in _HIDDEN:
        return True
    return not any(fnmatch(name, pattern) for pattern in _LEFT_OUT)


def _raise(error: OSError) -> None:
    raise error
