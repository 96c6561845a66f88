"""``--exclude FINDINGS.json``: what to leave out because of findings, written and read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_train.contract.errors import DataLayoutError, NotFound
from fer_train.data.finding_kinds import Finding
from fer_train.data.samples import Sample

#: Identifies the JSON that ``fertrain data check`` writes.
SCHEMA, VERSION = "fertrain.data-check", 1


def read_exclusions(path: Path) -> dict[str, str]:
    """Return sample name -> reason, from the ``exclude`` list of a findings file.

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
        return {str(entry["name"]): str(entry["reason"]) for entry in document["exclude"]}
    except (KeyError, TypeError) as error:
        raise DataLayoutError(
            f"The exclude list of {path} is damaged: {error!r}.",
            hint='Expected entries like {"name": "train/3/a.jpg", "reason": "leak"}.',
        ) from error


def without_excluded(
    samples: Sequence[Sample], exclusions: Mapping[str, str], *, path: Path
) -> tuple[list[Sample], dict[str, int]]:
    """Return the samples that remain, and reason -> how many were taken out.

    Raises:
        DataLayoutError: no name of the file occurs in the data.
    """
    kept = [sample for sample in samples if sample.name not in exclusions]
    if exclusions and len(kept) == len(samples):
        raise DataLayoutError(
            f"None of the {len(exclusions)} images that {path} excludes is in this data, for "
            f"example {next(iter(exclusions))}.",
            hint="Was it written for another folder? Names are relative to the folder checked; "
            "run fertrain data check on this one.",
        )
    reasons = Counter(exclusions[s.name] for s in samples if s.name in exclusions)
    return kept, {f"excluded as {reason}": count for reason, count in sorted(reasons.items())}


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
