"""What is wrong with a data set: look for every kind of `kinds.KINDS`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fer_train.contract.errors import harmless
from fer_train.contract.preprocess import MIN_INPUT_SIZE
from fer_train.data.check.kinds import KINDS, Finding, Group
from fer_train.data.perceptual import connected
from fer_train.data.samples import SPLITS, Listing, Sample
from fer_train.data.scan import BLANK_CONTRAST, Scan, equal_pixels, near_duplicates

#: Longer side / shorter side above which the centred square loses a third of the picture.
ODD_RATIO = 1.5

#: Difference between shares of grey images above which colour gives something away.
_GREY_DIFFERENCE = 0.2


def find_all(listing: Listing, scan: Scan, *, distance: int) -> list[Finding]:
    """Return what is wrong with a data set, in the order of `KINDS`; nothing of an empty kind.

    Args:
        scan: of the listing's samples, in their order.
        distance: of near duplicates, in bits.
    """
    found = _about_files(listing, scan) | _about_copies(listing.samples, scan, distance=distance)
    return [
        Finding(kind, groups, sum(max(len(group.members), 1) for group in groups))
        for kind in KINDS
        if (groups := found[kind.name])
    ]


def class_counts(listing: Listing) -> dict[str, Counter[str]]:
    """Return split (``all`` where there are none) -> label -> images."""
    counts: dict[str, Counter[str]] = {}
    for sample in listing.samples:
        counts.setdefault(sample.split or "all", Counter())[sample.label] += 1
    order = [*SPLITS, "all"]
    return dict(sorted(counts.items(), key=lambda item: order.index(item[0])))


def _about_files(listing: Listing, scan: Scan) -> dict[str, list[Group]]:
    """Return kind -> groups of everything that one image or row shows by itself."""
    blank = np.flatnonzero(scan.contrast < BLANK_CONTRAST).tolist()
    return {
        "unreadable": [
            Group((i,), error.removeprefix(harmless(f"{listing.root / listing.samples[i].name} ")))
            for i, error in enumerate(scan.errors)
            if error
        ],
        "missing": [Group(note=name) for name in listing.missing],
        "disagreement": _disagreements(listing),
        "class-missing": list(_missing_classes(listing)),
        "blank": [
            Group((i,), f"contrast {scan.contrast[i]:.1f} of 255")
            for i in blank
            if not scan.errors[i]
        ],
        "odd-shape": list(_odd_shapes(listing.samples, scan)),
        "tiny": [
            Group((i,), f"{width} x {height} px")
            for i, (width, height) in enumerate(scan.sizes.tolist())
            if 0 < min(width, height) < MIN_INPUT_SIZE
        ],
        "grey-mix": list(_grey_mix(listing.samples, scan)),
    }


def _about_copies(
    samples: Sequence[Sample], scan: Scan, *, distance: int
) -> dict[str, list[Group]]:
    """Return kind -> groups of images that show the same, or nearly the same."""
    equal, alike = equal_pixels(scan), near_duplicates(scan, distance=distance)
    exact = _components(samples, connected(len(samples), equal))
    root = connected(len(samples), np.concatenate([equal, alike]))
    near = [g for g in _components(samples, root) if len({scan.digests[index] for index in g}) > 1]
    widest: defaultdict[int, int] = defaultdict(int)
    for first, _, apart in alike.tolist():
        widest[int(root[first])] = max(widest[int(root[first])], apart)

    def up_to(group: Sequence[int]) -> str:
        bits = widest[int(root[group[0]])]
        return f"up to {bits} bits apart" if bits else "equal hashes"

    def different(group: Sequence[int], what: str) -> bool:
        return len({getattr(samples[index], what) for index in group}) > 1

    return {
        "leak": [Group(g, _where(g, samples)) for g in exact if different(g, "split")],
        "near-leak": [
            Group(g, f"{_where(g, samples)}, {up_to(g)}")
            for g in near
            if _leaks_nearly(g, samples, scan)
        ],
        "conflict": [Group(g, _votes(g, samples)) for g in exact if different(g, "label")],
        "near-conflict": [
            Group(g, f"{_votes(g, samples)}, {up_to(g)}") for g in near if different(g, "label")
        ],
        "duplicate": [
            Group(part, f"{len(part)} copies") for g in exact for part in _within(g, samples)
        ],
        "near-duplicate": [
            Group(part, up_to(part))
            for g in near
            for part in _within(g, samples)
            if len({scan.digests[index] for index in part}) > 1
        ],
    }


def _components(samples: Sequence[Sample], root: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Return groups of more than one image, each in the order train, val, test."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index, first in enumerate(root.tolist()):
        members[first].append(index)
    groups = [group for group in members.values() if len(group) > 1]
    return [tuple(sorted(group, key=lambda index: samples[index].rank)) for group in groups]


def _within(group: Sequence[int], samples: Sequence[Sample]) -> Iterator[tuple[int, ...]]:
    """Yield the parts of a group that lie in one split, if they are more than one image."""
    parts: defaultdict[str | None, list[int]] = defaultdict(list)
    for index in group:
        parts[samples[index].split].append(index)
    yield from (tuple(part) for part in parts.values() if len(part) > 1)


def _leaks_nearly(group: Sequence[int], samples: Sequence[Sample], scan: Scan) -> bool:
    """Whether different pictures of a group lie in different splits."""
    places = {(samples[index].split, scan.digests[index]) for index in group}
    return any(a[0] != b[0] and a[1] != b[1] for a in places for b in places)


def _where(group: Sequence[int], samples: Sequence[Sample]) -> str:
    return _listed(Counter(samples[index].split or "all" for index in group))


def _votes(group: Sequence[int], samples: Sequence[Sample]) -> str:
    return _listed(Counter(sorted(samples[index].label for index in group)))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _disagreements(listing: Listing) -> list[Group]:
    position = {sample.name: index for index, sample in enumerate(listing.samples)}
    return [
        Group(
            (position[entry.name],) if entry.name in position else (),
            f"{entry.name}: folder {entry.folder}, CSV {entry.csv}",
        )
        for entry in listing.disagreements
    ]


def _missing_classes(listing: Listing) -> Iterator[Group]:
    counts = class_counts(listing)
    present = {label for of_split in counts.values() for label in of_split} | listing.declared
    for split, of_split in counts.items():
        absent = sorted(present - set(of_split))
        if absent:
            yield Group(note=f"{split}: no {', '.join(absent)}")


def _odd_shapes(samples: Sequence[Sample], scan: Scan) -> Iterator[Group]:
    for index, (width, height) in enumerate(scan.sizes.tolist()):
        if samples[index].box is None and max(width, height) > ODD_RATIO * min(width, height) > 0:
            yield Group((index,), f"{width} x {height} px")


def _grey_mix(samples: Sequence[Sample], scan: Scan) -> Iterator[Group]:
    readable = [index for index, error in enumerate(scan.errors) if not error]
    for what in ("split", "label"):
        of_value: defaultdict[str, list[bool]] = defaultdict(list)
        for index in readable:
            of_value[str(getattr(samples[index], what) or "all")].append(bool(scan.grey[index]))
        shares = {value: sum(grey) / len(grey) for value, grey in of_value.items()}
        if shares and max(shares.values()) - min(shares.values()) > _GREY_DIFFERENCE:
            listed = ", ".join(f"{value} {share:.0%}" for value, share in sorted(shares.items()))
            yield Group(note=f"grey images by {what}: {listed}")
