"""What every layout is turned into: images with a label by name, and what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_train.config.options import LabelsFrom
from fer_train.contract.pixels import Box
from fer_train.data.label_order import LabelTable

#: In the order in which they give way: an image in two splits is taken out of the earlier one.
SPLITS: tuple[str, ...] = ("train", "val", "test")

#: Written by ``fertrain synth``: these faces were drawn, and the model must say so for ever.
SYNTHETIC_MARKER = "synthetic.json"

#: Reason in `Listing.dropped` for what ``--labels-from drop`` leaves out.
DISAGREEING = "images on which folder and CSV disagree"


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image.

    Attributes:
        name: POSIX path relative to the data root, or ``<csv>:<line>`` for pixels in a CSV row.
        label: canonical emotion, or a custom label.
        split: ``train``, ``val``, ``test``, or None where the layout has no splits.
        offset: byte at which the CSV row begins; None for image files.
        box: face box in pixels; None where the image already is a face crop.
        shares: votes per emotion in the order of `EMOTIONS`, summing to 1; None for one label.
    """

    name: str
    label: str
    split: str | None = None
    offset: int | None = None
    box: Box | None = None
    shares: tuple[float, ...] | None = None

    @property
    def file(self) -> str:
        """The file that holds the pixels, relative to the data root."""
        return self.name if self.offset is None else self.name.rpartition(":")[0]

    @property
    def rank(self) -> int:
        """Position of the split in `SPLITS`; images without a split can only become train."""
        return SPLITS.index(self.split or "train")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An image whose folder says one emotion and whose CSV row another."""

    name: str
    folder: str
    csv: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a layout needs to know from the user.

    Attributes:
        order: meaning of numeric ids; None if the user has not said.
        labels_from: None if the user has not said; folders count until then.
        soft_labels: keep the distribution of votes, where there are votes.
        custom_labels: names beyond the eight emotions, allowed on purpose.
    """

    order: LabelTable | None = None
    labels_from: LabelsFrom | None = None
    soft_labels: bool = False
    custom_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The content of a data set, before anything is decoded or checked.

    Attributes:
        root: sample names are relative to it.
        title: a sentence for people: the layout, and the id table if there is one.
        id_table: class as written in the data -> emotion, as applied.
        declared: emotions the data set has a place for, even if the place is empty.
        dropped: reason -> number of rows or files left out.
        missing: rows that name a file which is not there.
        disagreements: images whose folder and CSV row differ.
        sources: files that labels were read from, and folders of such files ending in ``/``;
            relative to the root.
        notes: sentences for people on how files were read.
    """

    root: Path
    samples: list[Sample]
    title: str
    id_table: Mapping[str, str]
    declared: frozenset[str] = frozenset()
    dropped: Mapping[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    sources: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def amount(count: int, noun: str) -> str:
    """Return ``"1 image"``, ``"1,200 images"``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
