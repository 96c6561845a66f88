"""FER+: ten crowd votes for each FER2013 image.

::

    ROOT/fer2013new.csv + ROOT/fer2013.csv           votes and pixels, row by row
    ROOT/FER2013Train/label.csv + fer0000000.png …   FER2013Valid, FER2013Test

The rule of FER+'s authors: a single vote is an outlier; the label is the emotion with more than
half of the remaining votes, and an image without one, or whose majority is "unknown" or "not a
face", is left out. With ``--soft-labels`` a training image keeps the shares of its votes among
the eight emotions, and is left out only if "unknown" and "not a face" have half or more; val and
test always use the majority, so that figures compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.pixels import Box
from fer_train.data.layouts import tables
from fer_train.data.layouts.pixel_csv import (
    only_pixel_file,
    pixel_files,
    pixel_rows,
    usage_split,
)
from fer_train.data.samples import Listing, ReadOptions, Sample

#: FER+'s columns; the last two are not emotions.
_VOTES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "nf",
)
_FILE = "fer2013new.csv"
_FOLDERS = {"fer2013train": "train", "fer2013valid": "val", "fer2013test": "test"}
_WHOLE = Box(0, 0, 48, 48)


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which form of FER+ there is, or None."""
    if not root.is_dir():
        return None
    if set(_VOTES) <= set(tables.header(root / _FILE)) and pixel_files(root):
        return f"FER+ votes {_FILE} beside a CSV of pixels"
    folders = _folders(root)
    return f"FER+ folders {', '.join(f.name for f in folders)}" if folders else None


def read(root: Path, options: ReadOptions) -> Listing:
    """Read votes, decide labels, count what is left out.

    Raises:
        DataLayoutError: files that do not belong together, or votes that are not numbers.
    """
    if options.order is not None:
        raise DataLayoutError(
            "--label-order does not apply to FER+: its votes are columns with names.",
            hint="Leave the option out.",
        )
    folders = _folders(root)
    missing: list[str] = []
    saying = tables.OneSaying()
    found = _from_folders(root, folders, missing, saying) if folders else _from_rows(root)
    samples: list[Sample] = []
    dropped: Counter[str] = Counter()
    for sample, votes in found:
        soft = options.soft_labels and sample.split == "train"
        shares = _shares(votes) if soft else _majority(votes)
        if shares is None:
            dropped["images without a majority emotion" if not soft else "images of no face"] += 1
            continue
        label = EMOTIONS[max(range(len(EMOTIONS)), key=shares.__getitem__)]
        samples.append(
            Sample(
                sample.name,
                label,
                sample.split,
                offset=sample.offset,
                box=sample.box,
                shares=shares if soft else None,
            )
        )
    kind = "distribution of the votes" if options.soft_labels else "majority of the votes"
    return Listing(
        root=root if folders else only_pixel_file(root).parent,
        samples=samples,
        title=f"FER+, {kind}",
        id_table={name: name for name in EMOTIONS},
        dropped=dropped,
        missing=missing,
        sources=frozenset([_FILE, *(f"{f.name}/label.csv" for f in folders)]),
        notes=saying.notes(),
    )


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    entries = sorted(root.iterdir())
    return [e for e in entries if e.name.lower() in _FOLDERS and (e / "label.csv").is_file()]


def _from_rows(root: Path) -> Iterator[tuple[Sample, list[float]]]:
    pixels, votes = only_pixel_file(root), root / _FILE
    pairs = _paired(pixel_rows(pixels), tables.rows(votes), pixels=pixels, votes=votes)
    for pixel_row, (line, row) in pairs:
        pixel_line, offset, fields = pixel_row
        split = usage_split(fields, path=pixels, line=pixel_line)
        if split != usage_split(row, path=votes, line=line):
            raise DataLayoutError(
                f"{pixels}, line {pixel_line} and {votes}, line {line} name different splits: "
                "the files do not belong together.",
            )
        counts = _counts([row[name] for name in _VOTES], path=votes, line=line)
        yield Sample(f"{pixels.name}:{pixel_line}", "", split, offset=offset), counts


def _paired(
    pixel_rows: Iterator[tuple[int, int, dict[str, str]]],
    vote_rows: Iterator[tuple[int, dict[str, str]]],
    *,
    pixels: Path,
    votes: Path,
) -> Iterator[tuple[tuple[int, int, dict[str, str]], tuple[int, dict[str, str]]]]:
    """Pair the files row by row; FER+'s file has a row for every image of FER2013."""
    try:
        yield from zip(pixel_rows, vote_rows, strict=True)
    except ValueError as error:
        raise DataLayoutError(
            f"{votes} and {pixels} differ in their number of rows, so votes cannot be assigned.",
            hint="FER+ belongs to the original fer2013.csv with all 35,887 rows.",
        ) from error


def _from_folders(
    root: Path, folders: Sequence[Path], missing: list[str], saying: tables.OneSaying
) -> Iterator[tuple[Sample, list[float]]]:
    for folder in folders:
        path = folder / "label.csv"
        for line, row in tables.rows(path, names=("image", "box", *_VOTES)):
            counts = _counts([row[name] for name in _VOTES], path=path, line=line)
            name = f"{folder.name}/{row['image']}"
            if not (root / name).is_file():
                missing.append(name)
                continue
            box = _box(row["box"], path=path, line=line)
            says = "votes " + " ".join(f"{count:g}" for count in counts)
            where = f"{folder.name}/{path.name} line {line}"
            if saying.is_new((name, box), says, name=name, where=where):
                yield Sample(name, "", _FOLDERS[folder.name.lower()], box=box), counts


def _box(text: str, *, path: Path, line: int) -> Box | None:
    """Return ``"(left, top, right, bottom)"`` as a box, None if it is the whole 48 px image."""
    try:
        left, top, right, bottom = (float(part) for part in text.strip(" ()").split(","))
    except ValueError:
        raise DataLayoutError(
            f"{path}, line {line}: the box is {text!r}.",
            hint='Expected "(left, top, right, bottom)".',
        ) from None
    box = Box(left, top, right - left, bottom - top)
    return None if box == _WHOLE else box


def _counts(fields: Sequence[str], *, path: Path, line: int) -> list[float]:
    """Return ten vote counts with single votes removed."""
    names = zip(fields, _VOTES, strict=True)
    votes = [tables.integer(text, path=path, line=line, column=name) for text, name in names]
    return [float(count) if count > 1 else 0.0 for count in votes]


def _majority(votes: Sequence[float]) -> tuple[float, ...] | None:
    """Return 1 for the emotion with more than half of the votes, or None."""
    top = max(range(len(votes)), key=votes.__getitem__)
    if votes[top] <= sum(votes) / 2 or top >= len(EMOTIONS):
        return None
    return tuple(1.0 if name == _VOTES[top] else 0.0 for name in EMOTIONS)


def _shares(votes: Sequence[float]) -> tuple[float, ...] | None:
    """Return the shares of the eight emotions, or None if they have half of the votes or fewer."""
    emotions = dict(zip(_VOTES[: len(EMOTIONS)], votes, strict=False))
    total = sum(emotions.values())
    if total <= sum(votes) / 2:
        return None
    return tuple(emotions[name] / total for name in EMOTIONS)
