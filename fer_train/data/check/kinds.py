"""The kinds of findings of ``fertrain data check``, explained to a person, and what one holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fer_train.contract.preprocess import MIN_INPUT_SIZE

#: A problem makes training fail or its figures wrong; a notice is worth knowing.
Severity = Literal["problem", "notice"]


@dataclass(frozen=True, slots=True)
class Group:
    """Images that belong together in a finding; ``note`` says what is special about them."""

    members: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding, explained to a person; ``unit`` is what is counted."""

    name: str
    severity: Severity
    title: str
    meaning: str
    unit: str = "images"


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything found of one kind.

    Attributes:
        groups: never empty.
        count: how many images (or whatever the kind counts) are concerned.
    """

    kind: Kind
    groups: list[Group]
    count: int

    def amount(self) -> str:
        """Return ``"110 images in 38 groups"``."""
        unit = self.kind.unit if self.count != 1 else self.kind.unit.removesuffix("s")
        if len(self.groups) == self.count:
            return f"{self.count:,} {unit}"
        groups = "1 group" if len(self.groups) == 1 else f"{len(self.groups):,} groups"
        return f"{self.count:,} {unit} in {groups}"


KINDS: tuple[Kind, ...] = (
    Kind(
        "unreadable",
        "problem",
        "Images that cannot be decoded",
        "Training stops at them. --exclude leaves them out.",
    ),
    Kind(
        "missing",
        "problem",
        "Rows that name files which are not here",
        "They are left out. Is the download complete?",
        "rows",
    ),
    Kind(
        "disagreement",
        "problem",
        "Folder and CSV disagree on the label",
        "Training asks which counts: --labels-from folder, csv or drop.",
    ),
    Kind(
        "class-missing",
        "problem",
        "Classes without images in a split",
        "A class that is never seen cannot be learned or measured.",
        "splits",
    ),
    Kind(
        "leak",
        "problem",
        "The same picture in two splits",
        "Figures on the later split are too good. --exclude takes the copies out of the earlier "
        "one, train before val before test.",
    ),
    Kind(
        "near-leak",
        "problem",
        "Nearly the same picture in two splits",
        "Recompressed, resized, mirrored or slightly cropped copies. --exclude treats them as "
        "leaks.",
    ),
    Kind(
        "conflict",
        "problem",
        "The same picture with different labels",
        "At most one of the labels is right. --exclude takes all copies out of train.",
    ),
    Kind(
        "blank",
        "problem",
        "Images of one colour",
        "There is no face in them. --exclude takes them out of train.",
    ),
    Kind(
        "near-conflict",
        "notice",
        "Nearly the same picture with different labels",
        "A hint at how reliable the labels are.",
    ),
    Kind(
        "duplicate",
        "notice",
        "The same picture more than once in a split",
        "It counts more than others. --exclude keeps one copy in train.",
    ),
    Kind(
        "near-duplicate",
        "notice",
        "Nearly the same picture more than once in a split",
        "Splits made by --val-fraction keep them together. --exclude keeps them.",
    ),
    Kind(
        "odd-shape",
        "notice",
        "Images that are far from square",
        "Only the largest centred square of an image is used: is the face in it?",
    ),
    Kind(
        "tiny",
        "notice",
        f"Images smaller than {MIN_INPUT_SIZE} pixels",
        "They are enlarged, and look blurred to the network.",
    ),
    Kind(
        "grey-mix",
        "notice",
        "Grey and colour are spread unevenly",
        "A network that sees colour can tell splits or classes apart by it. --color gray hides it.",
        "differences",
    ),
)
