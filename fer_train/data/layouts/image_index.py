"""The images that rows of a table name, found among those that are there."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from unicodedata import normalize

from fer_train.contract.picture_files import pictures_below


class ImageIndex:
    """The images below a folder, found by the paths that a table gives them.

    A path is taken relative to the folder; if nothing is there, the one image whose path ends the
    same way is meant: folder and name, or the name where the table gives no folder.
    """

    def __init__(self, root: Path) -> None:
        files = pictures_below(root)
        self.files = frozenset(files)
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        self._by_ending: defaultdict[str, list[str]] = defaultdict(list)
        for file in files:
            folder, name = _ending(file)
            self._by_name[name].append(file)
            self._by_ending[f"{folder}/{name}"].append(file)

    def find(self, path: str, *, within: str = "") -> list[str]:
        """Return the images that ``path`` may mean: one, none, or several in their order.

        Args:
            within: folder that the path is relative to, itself relative to the index's folder.
        """
        path = path.replace("\\", "/").removeprefix("./").lstrip("/")
        for exact in (f"{within}/{path}", path):
            if exact in self.files:
                return [exact]
        folder, name = _ending(path)
        known = self._by_ending.get(f"{folder}/{name}") if folder else self._by_name.get(name)
        found = known or []
        if within:
            found = [file for file in found if file.startswith(f"{within}/")] or found
        return [file for file in found if file.endswith("/" + path)] or found


def _ending(path: str) -> tuple[str, str]:
    """Return the last folder, empty if there is none, and the name, as they are compared."""
    # A Mac writes é as e and an accent in names of files, and as one letter in tables.
    *_, folder, name = ("", *normalize("NFC", path.lower()).split("/"))
    return folder, name
