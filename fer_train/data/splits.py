"""Splits made by the tool: seeded, stratified, never through a group of duplicates.

Which images are held out depends on their pixels and the seed, not on file names, their order or
the machine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fer_train.contract.errors import DataLayoutError, EmptyClass
from fer_train.data.cache import unreadable
from fer_train.data.perceptual import NEAR_DISTANCE
from fer_train.data.samples import Sample
from fer_train.data.scan import Scan, duplicate_groups

#: Looks at images (`scan.scan_images` with everything but the samples filled in).
Scanner = Callable[[Path, Sequence[Sample]], Scan]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """Which shares of the training images to hold out; None where the data has the split itself."""

    val: float | None = None
    test: float | None = None
    seed: int = 0

    def wanted(self) -> dict[str, float]:
        """Return split -> share, those to be made."""
        shares = {"val": self.val, "test": self.test}
        return {split: share for split, share in shares.items() if share is not None}


def make_splits(
    root: Path, samples: Sequence[Sample], plan: SplitPlan, scanner: Scanner
) -> tuple[list[Sample], dict[str, Any]]:
    """Move images of train (or of data without splits) into new splits.

    Returns:
        The samples, and a record of the plan with a fingerprint of who went where.

    Raises:
        DataLayoutError: the data has the split already, or nothing to make it from.
        EmptyClass: a class with too few different images to share.
        UnreadableImage: images that cannot be compared.
    """
    for split in plan.wanted():
        count = sum(sample.split == split for sample in samples)
        if count:
            raise DataLayoutError(
                f"{root} has a {split} split of its own ({count} images).",
                hint=f"Leave out --{split}-fraction.",
            )
    pool = [index for index, s in enumerate(samples) if s.split in (None, "train")]
    if not pool:
        has = ", ".join(sorted({sample.split or "" for sample in samples})) or "no images at all"
        raise DataLayoutError(
            f"{root} has no train split to hold images out of; it has: {has}.",
            hint=f"Leave out {' and '.join(f'--{split}-fraction' for split in plan.wanted())}.",
        )
    scan = scanner(root, [samples[index] for index in pool])
    failures = [error for error in scan.errors if error]
    if failures:
        raise unreadable(root, failures, len(pool))
    first = duplicate_groups(scan, distance=NEAR_DISTANCE)
    smallest: dict[int, str] = {}
    for index, digest in zip(first.tolist(), scan.digests, strict=True):
        smallest[index] = min(smallest.get(index, digest), digest)
    groups = [smallest[index] for index in first.tolist()]
    assigned = ["train"] * len(pool)
    rest = list(range(len(pool)))
    # val before test: asking for a test split, too, leaves the val split as it was.
    for split, share in plan.wanted().items():
        chosen = held_out(
            [samples[pool[i]].label for i in rest],
            [groups[i] for i in rest],
            # A share of all images, also when some have gone to val already.
            fraction=share * len(pool) / max(len(rest), 1),
            seed=plan.seed,
            split=split,
        )
        for position in chosen:
            assigned[rest[position]] = split
        rest = [i for i in rest if assigned[i] == "train"]
    result = list(samples)
    for index, split in zip(pool, assigned, strict=True):
        result[index] = replace(samples[index], split=split)
    lines = sorted(f"{split} {d}\n" for split, d in zip(assigned, scan.digests, strict=True))
    return result, {
        "fractions": plan.wanted(),
        "seed": plan.seed,
        "near_distance": NEAR_DISTANCE,
        "duplicate_groups": len(pool) - len(set(groups)),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }


def held_out(
    labels: Sequence[str], groups: Sequence[str], *, fraction: float, seed: int, split: str
) -> list[int]:
    """Return the indices to hold out, sorted: ``round(fraction * n)`` of the n images of a class.

    Whole groups go, in an order drawn from the seed and their key, as long as they fit; a class
    whose single images suffice gets its number exactly. A group whose images bear different
    labels stays: nobody should be judged by it.

    Args:
        groups: for each image the key of its group of duplicates.

    Raises:
        EmptyClass: a class cannot have an image on either side.
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    groups_of: defaultdict[str, list[str]] = defaultdict(list)
    for group, indices in members.items():
        emotions = {labels[index] for index in indices}
        if len(emotions) == 1:
            groups_of[emotions.pop()].append(group)
    chosen: list[int] = []
    for label in sorted(set(labels)):
        total = labels.count(label)
        target = min(max(round(fraction * total), 1), total - 1)
        drawn = sorted(groups_of[label], key=lambda group: _draw(seed, split, group))
        taken: list[int] = []
        for group in drawn:
            if len(taken) + len(members[group]) <= target:
                taken += members[group]
        if not taken and drawn:
            smallest = min(drawn, key=lambda group: len(members[group]))
            if len(members[smallest]) < total:
                taken = members[smallest]
        if not taken:
            raise EmptyClass(
                f"{label} has {total} image(s) in {len(groups_of[label])} group(s) of one label "
                f"without duplicates: too few for train and {split}.",
                hint="Add images of this class, or bring a split of your own.",
            )
        chosen += taken
    return sorted(chosen)


def _draw(seed: int, split: str, group: str) -> str:
    return hashlib.sha256(f"{seed} {split} {group}".encode()).hexdigest()
