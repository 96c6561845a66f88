"""``fertrain data check``: look at a data set, say what is wrong, write it down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.labels import EMOTIONS
from fer_train.data.check.exclude import (
    SCHEMA,
    VERSION,
    read_exclusions,
    record_exclusions,
    without_excluded,
)
from fer_train.data.check.findings import class_counts, find_all
from fer_train.data.check.kinds import Finding
from fer_train.data.dataset import DataRequest, describe_losses, read_listing
from fer_train.data.perceptual import BITS, NEAR_CORRELATION
from fer_train.data.samples import SYNTHETIC_MARKER, Listing
from fer_train.data.scan import Scan
from fer_train.data.splits import Scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A data set, what its images show, and what is wrong with it."""

    listing: Listing
    scan: Scan
    findings: list[Finding]
    notes: list[str]
    distance: int


def check(path: Path, request: DataRequest, *, distance: int, scanner: Scanner) -> Checked:
    """Look at every image of a data set as it is, before any split is made.

    Args:
        distance: of near duplicates, in bits of the perceptual hash.

    Raises:
        NotFound, DataLayoutError, LabelMismatch: the data cannot be read at all.
    """
    listing, notes = read_listing(path, request)
    notes += describe_losses(listing)
    if request.exclude is not None:
        exclusions = read_exclusions(request.exclude)
        rest = without_excluded(listing.root, listing.samples, exclusions)
        listing = replace(listing, samples=rest.samples)
        notes += [*rest.notes, *(f"warning: {text}" for text in rest.warnings)]
    if not listing.samples:
        raise DataLayoutError(f"{listing.root} ({listing.title}) has no images to check.")
    scan = scanner(listing.root, listing.samples)
    findings = find_all(listing, scan, distance=distance)
    return Checked(listing=listing, scan=scan, findings=findings, notes=notes, distance=distance)


def to_document(checked: Checked) -> dict[str, Any]:
    """Return the JSON of a check; ``exclude`` is what ``fertrain train --exclude`` reads."""
    listing, scan = checked.listing, checked.scan
    counts = class_counts(listing)
    present = dict.fromkeys(name for of_split in counts.values() for name in of_split)
    labels = [name for name in EMOTIONS if name in present]
    labels += [name for name in present if name not in labels]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "root": listing.root.resolve().name,
            "layout": listing.title,
            "id_table": dict(listing.id_table),
            "synthetic": (listing.root / SYNTHETIC_MARKER).is_file(),
            "notes": checked.notes,
        },
        "images": len(listing.samples),
        "counts": {
            split: {label: of_split[label] for label in labels}
            for split, of_split in counts.items()
        },
        "sizes": _sizes(scan),
        "near_duplicates": {
            "hash_bits": BITS,
            "distance": checked.distance,
            "correlation": NEAR_CORRELATION,
        },
        "findings": [_finding(finding, listing) for finding in checked.findings],
        "exclude": record_exclusions(listing.root, listing.samples, checked.findings),
    }


def _sizes(scan: Scan) -> dict[str, Any]:
    readable = np.array([not error for error in scan.errors], dtype=np.bool_)
    if not readable.any():
        return {}
    sizes = scan.sizes[readable]
    smallest, largest = (sizes[pick(sizes.min(axis=1))].tolist() for pick in (np.argmin, np.argmax))
    return {
        "smallest": smallest,
        "median": [int(value) for value in np.median(sizes, axis=0)],
        "largest": largest,
        "different": len(np.unique(sizes, axis=0)),
        "grey": int(scan.grey[readable].sum()),
        "colour": int((~scan.grey[readable]).sum()),
    }


def _finding(finding: Finding, listing: Listing) -> dict[str, Any]:
    return {
        "kind": finding.kind.name,
        "severity": finding.kind.severity,
        "title": finding.kind.title,
        "count": finding.count,
        "unit": finding.kind.unit,
        "groups": [
            {
                "note": group.note,
                "images": [
                    {
                        "name": listing.samples[index].name,
                        "label": listing.samples[index].label,
                        "split": listing.samples[index].split,
                    }
                    for index in group.members
                ],
            }
            for group in finding.groups
        ],
    }
