"""A data set ready to train on: recognised, cleaned, split, with labels by name.

`layouts` knows how the many kinds of data sets look on disk; here they all become the same thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.config.options import LabelsFrom
from fer_train.contract.errors import DataLayoutError, EmptyClass
from fer_train.contract.labels import EMOTIONS, parse_custom_labels
from fer_train.contract.picture_files import image_suffixes
from fer_train.data.check.exclude import read_exclusions, without_excluded
from fer_train.data.label_order import read_label_order
from fer_train.data.layouts import AUTO, recognise
from fer_train.data.samples import (
    DISAGREEING,
    SPLITS,
    SYNTHETIC_MARKER,
    Listing,
    ReadOptions,
    Sample,
    amount,
)
from fer_train.data.splits import Scanner, SplitPlan, make_splits
from fer_train.data.unused import describe_unused

#: Examples shown for rows without files and for disagreements.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """What the user says about the data; everything has a default that never guesses.

    Attributes:
        layout: a name of `layouts.LAYOUTS`, or ``auto``.
        label_order: what numeric ids mean; see `label_order.read_label_order`.
        labels_from: whose word counts where folder and CSV disagree.
        soft_labels: train on the distribution of votes.
        custom_labels: names beyond the eight emotions, allowed on purpose, with commas.
        exclude: a findings file.
        splits: the splits to make.
    """

    layout: str = AUTO
    label_order: str | None = None
    labels_from: LabelsFrom | None = None
    soft_labels: bool = False
    custom_labels: str | None = None
    exclude: Path | None = None
    splits: SplitPlan = field(default_factory=SplitPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The images of one split and their class indices, in the order of the listing.

    Attributes:
        samples: where each image is.
        targets: index into the dataset's labels, one per image.
    """

    samples: tuple[Sample, ...]
    targets: tuple[int, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The names of the images, relative to the data root."""
        return tuple(sample.name for sample in self.samples)

    def counts(self, num_classes: int) -> list[int]:
        """Return the number of images per class."""
        return [self.targets.count(index) for index in range(num_classes)]

    def shares(self, labels: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the votes among ``labels``, [N, C] with rows summing to 1.

        None where every image has one label. All votes of an image for emotions that are not in
        ``labels`` are ignored; its own label is always among them.
        """
        if not any(sample.shares for sample in self.samples):
            return None
        # Votes are always about the eight emotions; no layout has both votes and other labels.
        columns = [EMOTIONS.index(label) for label in labels]
        one_hot = np.eye(len(EMOTIONS), dtype=np.float32)
        rows = [s.shares or one_hot[EMOTIONS.index(s.label)] for s in self.samples]
        votes = np.array(rows, dtype=np.float32)[:, columns]
        shares: NDArray[np.float32] = votes / votes.sum(axis=1, keepdims=True)
        return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFolder:
    """A data set found on disk.

    Attributes:
        root: sample names are relative to it; within what the user gave if that was an archive.
        labels: class names, the order of the logits: the eight emotions in canonical order, then
            custom ones in the order in which they were given.
        id_table: class as written in the data -> class name, as applied.
        layout: a sentence for people: which layout was recognised.
        splits: those with images, of ``train``, ``val`` and ``test``.
        unsplit: the data brought no splits and none were made: all images are in ``train``.
        synthetic: drawn by ``fertrain synth``, not photographed.
        left_out: reason -> number of images or rows.
        notes: sentences for people about everything that is not obvious.
        warnings: and about what is probably a mistake.
        made_splits: record of the splits the tool made; empty if the data brought its own.
    """

    root: Path
    labels: tuple[str, ...]
    id_table: Mapping[str, str]
    layout: str
    splits: Mapping[str, Split]
    unsplit: bool
    synthetic: bool
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    made_splits: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return split -> class name -> number of images."""
        return {
            name: dict(zip(self.labels, split.counts(len(self.labels)), strict=True))
            for name, split in self.splits.items()
        }

    def record(self) -> dict[str, Any]:
        """Return what checkpoints and data.json say about the data, but for its fingerprint."""
        return {
            "root": self.root.resolve().name,
            "layout": self.layout,
            "id_table": dict(self.id_table),
            "counts": self.counts(),
            "left_out": dict(self.left_out),
            "made_splits": dict(self.made_splits),
            "synthetic": self.synthetic,
        }


def read_listing(path: Path, request: DataRequest) -> tuple[Listing, list[str]]:
    """Recognise and read a data set; also return notes on where it was found
    and what lies there unused.

    Raises:
        NotFound, DataLayoutError, LabelMismatch: nothing there, nothing known, or nothing certain.
    """
    custom = parse_custom_labels(request.custom_labels)
    options = ReadOptions(
        order=None
        if request.label_order is None
        else read_label_order(request.label_order, custom=custom),
        labels_from=request.labels_from,
        soft_labels=request.soft_labels,
        custom_labels=custom,
    )
    layout, place = recognise(path, options, name=request.layout)
    listing = layout.read(place, options)
    if request.soft_labels and not any(sample.shares for sample in listing.samples):
        raise DataLayoutError(
            f"{place} has one label per image, no votes: --soft-labels does not apply.",
            hint="It is for FER+: fer2013new.csv beside fer2013.csv.",
        )
    if request.labels_from is not None and layout.name not in ("labels-csv", "rafdb-folders"):
        raise DataLayoutError(
            f"--labels-from {request.labels_from} does not apply: {place} has the layout "
            f"{layout.name}, which keeps its labels in one place.",
            hint="Leave the option out.",
        )
    notes = [] if place == path else [f"the data begins in {place}"]
    # Around a single file lies whatever its owner keeps there.
    if path.is_dir():
        notes += describe_unused(listing)
    return listing, notes


def find_faces(
    path: Path, request: DataRequest | None = None, *, scanner: Scanner | None = None
) -> FaceFolder:
    """Return a data set to train on: `list_faces`, with every class in train, val and test.

    Raises:
        FerError: as `list_faces`.
        DataLayoutError: no train or val, or only one class.
        EmptyClass: a class without images in train, val or an existing test split.
    """
    found = list_faces(path, request, scanner=scanner)
    _require_images(found)
    return found


def list_faces(
    path: Path, request: DataRequest | None = None, *, scanner: Scanner | None = None
) -> FaceFolder:
    """Recognise a data set and list its images, cleaned and split as requested.

    It may lack splits and classes: enough to measure an existing model on what there is.

    Args:
        path: a folder, or a CSV file of pixels or labels.
        scanner: looks at the images when splits are to be made.

    Raises:
        NotFound: no such folder.
        DataLayoutError: no layout we know, or labels that contradict each other.
        EmptyClass: a class too small for the splits to be made.
        LabelMismatch: a class that is neither one of the eight emotions nor allowed on purpose.
    """
    request = request or DataRequest()
    listing, notes = read_listing(path, request)
    _require_agreement(listing, request)
    notes += describe_losses(listing)
    samples, left_out = listing.samples, dict(listing.dropped)
    warnings: list[str] = []
    if request.exclude is not None:
        rest = without_excluded(listing.root, samples, read_exclusions(request.exclude))
        samples, warnings = rest.samples, rest.warnings
        left_out |= rest.left_out
        notes += rest.notes
    made: dict[str, Any] = {}
    if request.splits.wanted():
        assert scanner is not None
        samples, made = make_splits(listing.root, samples, request.splits, scanner)
        shares = ", ".join(f"{name} {share:g}" for name, share in request.splits.wanted().items())
        notes.append(
            f"splits made from train: {shares}, seed {request.splits.seed}, stratified, duplicates "
            f"kept together; fingerprint {made['sha256'][:12]}"
        )
    unsplit = not made and all(sample.split is None for sample in samples)
    if unsplit:
        samples = [replace(sample, split="train") for sample in samples]
    found = _build(
        listing,
        samples,
        unsplit=unsplit,
        left_out=left_out,
        notes=notes,
        made=made,
        custom=parse_custom_labels(request.custom_labels),
    )
    return replace(found, warnings=tuple(warnings))


def describe_losses(listing: Listing) -> list[str]:
    """Return sentences on how a layout read its files, what it left out, and contradictions."""
    dropped = dict(listing.dropped)
    # The same images as the disagreements, which are named below.
    left_out = " left out" if dropped.pop(DISAGREEING, 0) else ""
    notes = [*listing.notes, *(f"{count} {reason} left out" for reason, count in dropped.items())]
    if listing.missing:
        shown = ", ".join(listing.missing[:_SHOWN])
        count = len(listing.missing)
        rows = "1 row names a file" if count == 1 else f"{count:,} rows name files"
        notes.append(f"{rows} not here, such as {shown}")
    if listing.disagreements:
        images = amount(len(listing.disagreements), "image")
        notes.append(f"{images} {_examples(listing)}{left_out}")
    return notes


def content_fingerprint(found: FaceFolder, digests: Mapping[str, list[str]]) -> str:
    """Return one SHA-256 of what was labelled how, the same on every machine.

    Args:
        digests: split -> SHA-256 of each image, in the split's order.
    """
    fingerprint = hashlib.sha256()
    for name in sorted(found.splits):
        split = found.splits[name]
        for path, target, digest in zip(split.paths, split.targets, digests[name], strict=True):
            line = f"{name} {found.labels[target]} {digest} {path}\n"
            # Names need not be UTF-8.
            fingerprint.update(line.encode(errors="surrogatepass"))
        shares = split.shares(found.labels)
        if shares is not None:
            fingerprint.update(shares.tobytes())
    return fingerprint.hexdigest()


def _examples(listing: Listing) -> str:
    shown = "; ".join(
        f"{entry.name}: folder {entry.folder}, CSV {entry.csv}"
        for entry in listing.disagreements[:_SHOWN]
    )
    return f"whose folder and CSV row disagree ({shown})"


def _require_agreement(listing: Listing, request: DataRequest) -> None:
    if listing.disagreements and request.labels_from is None:
        count, total = len(listing.disagreements), len(listing.samples)
        raise DataLayoutError(
            f"{listing.root} has {count} of {total} images {_examples(listing)}.",
            hint="Say which counts: --labels-from folder, --labels-from csv, or --labels-from "
            "drop to leave these images out.",
        )


def _build(
    listing: Listing,
    samples: Sequence[Sample],
    *,
    unsplit: bool,
    left_out: Mapping[str, int],
    notes: list[str],
    made: Mapping[str, Any],
    custom: Sequence[str],
) -> FaceFolder:
    present = listing.declared | {sample.label for sample in samples}
    labels = tuple(name for name in (*EMOTIONS, *custom) if name in present)
    emotions = [name for name in labels if name in EMOTIONS]
    if len(emotions) < len(EMOTIONS):
        absent = ", ".join(name for name in EMOTIONS if name not in emotions)
        notes = [*notes, f"{len(emotions)} of the eight emotions: there is no {absent}"]
    if unused := [name for name in custom if name not in present]:
        notes = [*notes, f"custom labels without images: {', '.join(unused)}"]
    position = {label: index for index, label in enumerate(labels)}
    splits = {}
    for name in SPLITS:
        members = tuple(sample for sample in samples if sample.split == name)
        if members:
            splits[name] = Split(
                samples=members,
                targets=tuple(position[sample.label] for sample in members),
            )
    return FaceFolder(
        root=listing.root,
        labels=labels,
        id_table=listing.id_table,
        layout=listing.title,
        splits=splits,
        unsplit=unsplit,
        synthetic=(listing.root / SYNTHETIC_MARKER).is_file(),
        left_out=left_out,
        notes=tuple(notes),
        made_splits=made,
    )


def _require_images(found: FaceFolder) -> None:
    for split in ("train", "val"):
        if split not in found.splits:
            has = ", ".join(found.splits) or "no images at all"
            raise DataLayoutError(
                f"{found.root} ({found.layout}) has no {split} split; it has: {has}.",
                hint="Let the tool hold some training images out: --val-fraction 0.1."
                if split == "val"
                else "Training needs train/<class>/, with val/<class>/ and perhaps test/<class>/ "
                "beside it. fertrain eval measures a model on any split there is.",
            )
    if len(found.labels) < 2:
        raise DataLayoutError(
            f"{found.root} has images of one class only: {', '.join(found.labels)}.",
            hint="A classifier needs at least two.",
        )
    written = {emotion: name for name, emotion in found.id_table.items()}
    for split, counts in found.counts().items():
        empty = [
            label if written.get(label, label) == label else f"{label} (class {written[label]})"
            for label, count in counts.items()
            if count == 0
        ]
        if empty:
            raise EmptyClass(
                f"The {split} split of {found.root} has no images for: {', '.join(empty)}.",
                hint="A class that is never seen cannot be learned or measured: add images, or "
                "take the class out of every split. Image files end in "
                + ", ".join(sorted(image_suffixes()))
                + ".",
            )
