"""``--exclude FINDINGS.json``: what to leave out because of findings, written and read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_train.contract.errors import DataLayoutError, NotFound, UnreadableImage
from fer_train.data.check.kinds import Finding
from fer_train.data.images import content_digest, read_content
from fer_train.data.samples import Sample, amount

#: Identifies the JSON that ``fertrain data check`` writes.
SCHEMA, VERSION = "fertrain.data-check", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """The ``exclude`` list of a findings file.

    Attributes:
        path: of the file.
        root: name of the folder that was checked; None if the file does not say.
        reasons: sample name -> reason.
        digests: sample name -> SHA-256 of its content; fewer than reasons for unreadable images
            and files of earlier versions.
    """

    path: Path
    root: str | None
    reasons: Mapping[str, str]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What exclusions leave of a data set.

    Attributes:
        samples: those that remain.
        left_out: reason -> how many were taken out.
        notes: sentences for people on what was taken out.
        warnings: and on what may be another image than the one that was found wanting.
    """

    samples: list[Sample]
    left_out: dict[str, int]
    notes: list[str]
    warnings: list[str]


def read_exclusions(path: Path) -> Exclusions:
    """Read the ``exclude`` list of a findings file.

    Raises:
        NotFound: no such file.
        DataLayoutError: it is something else, or of another version.
    """
    hint = "Write one with: fertrain data check DIR"
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"There is no findings file {path}.", hint=hint) from None
    except IsADirectoryError:
        raise NotFound(
            f"{path} is a folder.", hint=f"Give the file: --exclude {path / 'findings.json'}"
        ) from None
    except ValueError as error:
        raise DataLayoutError(f"{path} is not JSON: {error}.", hint=hint) from error
    seen = (document.get("schema"), document.get("version")) if isinstance(document, dict) else None
    if seen != (SCHEMA, VERSION):
        raise DataLayoutError(
            f"{path} is not a findings file: schema and version are {seen}.",
            hint=f"Expected {SCHEMA!r}, version {VERSION}. {hint}",
        )
    try:
        root = document.get("data", {}).get("root")
        entries = document["exclude"]
        return Exclusions(
            path=path,
            root=None if root is None else str(root),
            reasons={str(entry["name"]): str(entry["reason"]) for entry in entries},
            digests={str(e["name"]): str(e["sha256"]) for e in entries if e.get("sha256")},
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise DataLayoutError(
            f"The exclude list of {path} is damaged: {error!r}.",
            hint='Expected entries like {"name": "train/3/a.jpg", "reason": "leak"}.',
        ) from error


def without_excluded(root: Path, samples: Sequence[Sample], exclusions: Exclusions) -> Remaining:
    """Leave out the images that a findings file excludes, by name and content.

    An image of such a name but other content is another image, and stays. Where the file says
    nothing of contents, names alone count, and a folder of another name is warned of: data sets
    are moved and renamed, but numbered files have the same names everywhere.

    Raises:
        DataLayoutError: none of its images is in the data.
    """
    named = [sample for sample in samples if sample.name in exclusions.reasons]
    others = {
        sample.name
        for sample in named
        if (known := exclusions.digests.get(sample.name)) is not None
        and _digest(root, sample) not in (known, None)
    }
    excluded = {sample.name for sample in named} - others
    written_for = "" if exclusions.root is None else f" (it was written for {exclusions.root})"
    if exclusions.reasons and not excluded:
        count = amount(len(exclusions.reasons), "image")
        seen = (
            f"{len(others)} with such a name hold other content"
            if others
            else f"for example {next(iter(exclusions.reasons))} is not there"
        )
        raise DataLayoutError(
            f"{exclusions.path} excludes {count}, none of which is in {root}: {seen}{written_for}.",
            hint="Was it written for another folder? Names are relative to the folder checked; "
            "run fertrain data check on this one.",
        )
    warnings = []
    if others:
        warnings.append(
            f"{amount(len(others), 'image')} such as {min(others)} that {exclusions.path} names "
            f"have other content than what was checked and stay{written_for}: run fertrain data "
            "check again"
        )
    here = root.resolve().name
    if excluded - set(exclusions.digests) and exclusions.root not in (None, here):
        warnings.append(
            f"{exclusions.path} was written for a folder {exclusions.root}, this one is {here}: "
            "images of the same names are left out, whatever they show"
        )
    counts = Counter(exclusions.reasons[s.name] for s in named if s.name in excluded)
    return Remaining(
        samples=[sample for sample in samples if sample.name not in excluded],
        left_out={f"excluded as {reason}": n for reason, n in sorted(counts.items())},
        notes=[
            f"{amount(n, 'image')} excluded as {reason}" for reason, n in sorted(counts.items())
        ],
        warnings=warnings,
    )


def record_exclusions(
    root: Path, samples: Sequence[Sample], findings: Sequence[Finding]
) -> list[dict[str, str]]:
    """Return the ``exclude`` list for a findings file, with the content of what can be read."""
    by_name = {sample.name: sample for sample in samples}
    entries = []
    for name, reason in exclusions(samples, findings).items():
        entry = {"name": name, "reason": reason}
        digest = _digest(root, by_name[name])
        entries.append(entry if digest is None else {**entry, "sha256": digest})
    return entries


def _digest(root: Path, sample: Sample) -> str | None:
    """Return the SHA-256 of a sample's content; None if it cannot be read."""
    try:
        return content_digest(read_content(root, sample))
    except (NotFound, UnreadableImage):
        return None


def exclusions(samples: Sequence[Sample], findings: Sequence[Finding]) -> dict[str, str]:
    """Return sample name -> reason for what ``--exclude`` leaves out.

    Unreadable images everywhere; of a picture in two splits the copies in the earlier one; from
    train also conflicting and blank images and all but the first copy of a duplicate. Otherwise
    val and test stay as they were published, so that figures compare.
    """
    groups = {finding.kind.name: finding.groups for finding in findings}
    reasons: dict[str, str] = {}

    def leave_out(index: int, reason: str) -> None:
        reasons.setdefault(samples[index].name, reason)

    for group in groups.get("unreadable", []):
        leave_out(group.members[0], "unreadable")
    for kind in ("leak", "near-leak"):
        for group in groups.get(kind, []):
            last = max(samples[index].rank for index in group.members)
            for index in group.members:
                if samples[index].rank < last:
                    leave_out(index, kind)
    for group in groups.get("conflict", []):
        train = [index for index in group.members if samples[index].rank == 0]
        if len({samples[index].label for index in train}) > 1:
            for index in train:
                leave_out(index, "conflict")
    for group in groups.get("blank", []):
        if samples[group.members[0]].rank == 0:
            leave_out(group.members[0], "blank")
    for group in groups.get("duplicate", []):
        train = [index for index in group.members if samples[index].rank == 0]
        remaining = [index for index in train if samples[index].name not in reasons]
        for index in remaining[1:]:
            leave_out(index, "duplicate")
    return reasons
