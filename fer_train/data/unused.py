"""What lies in a data folder and is not used: said, so that nothing is ignored in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from fer_train.contract.picture_files import Entry, is_archive, is_unopenable_picture, walk_files
from fer_train.data.samples import SYNTHETIC_MARKER, Listing, amount

#: Names shown of each sort.
_SHOWN = 3

#: Endings shown of other files.
_ENDINGS = 6

#: How each sort is told, of a number with the word it counts.
_TOLD: Mapping[str, Callable[[int], str]] = {
    "picture": lambda n: f"{amount(n, 'image')} on disk not used",
    "unopenable": lambda n: (
        f"{amount(n, 'picture')} not used that Pillow cannot open here (convert to JPEG or PNG; "
        "HEIC opens where pillow-heif is installed)"
    ),
    "archive": lambda n: f"{amount(n, 'archive')} not looked into (unpack what is data)",
    "other": lambda n: f"{amount(n, 'other file')} not used",
    "loop": lambda n: (
        f"{amount(n, 'linked folder')} not entered that lead{'s' if n == 1 else ''} back"
    ),
    "special": lambda n: f"{amount(n, 'special file')} not read (pipe, socket or device)",
    "clutter": lambda n: f"skipped {n:,} of a system's files and folders",
}


def describe_unused(listing: Listing) -> list[str]:
    """Return a sentence on each sort of file below a data set's root that is not part of it.

    Raises:
        DataLayoutError: a folder that cannot be read.
    """
    used = {sample.file for sample in listing.samples} | listing.sources | {SYNTHETIC_MARKER}
    places = tuple(source for source in listing.sources if source.endswith("/"))
    found: dict[str, list[str]] = {sort: [] for sort in _TOLD}
    for entry in walk_files(listing.root, root=listing.root):
        if entry.name not in used and not (places and entry.name.startswith(places)):
            found[_sort(entry)].append(entry.name)
    return [_sentence(sort, names) for sort, names in found.items() if names]


def _sort(entry: Entry) -> str:
    if entry.kind != "other":
        return entry.kind
    if is_unopenable_picture(entry.name):
        return "unopenable"
    return "archive" if is_archive(entry.name) else "other"


def _sentence(sort: str, names: Sequence[str]) -> str:
    told = _TOLD[sort](len(names))
    if sort == "other":
        endings = Counter(PurePosixPath(name).suffix.lower() or "none" for name in names)
        listed = ", ".join(f"{end} {count}" for end, count in endings.most_common(_ENDINGS))
        told = f"{told} ({listed})" if len(names) > _SHOWN else told
    shown = ", ".join(names[:_SHOWN])
    return f"{told}: {shown}" if len(names) <= _SHOWN else f"{told}, such as {shown}"
