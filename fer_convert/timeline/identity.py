"""Who is who from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_convert.timeline.rules import Rules
from fer_train.contract.pixels import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one frame changed: an identity for each box, and who is given up and new."""

    identities: Sequence[int]
    lost: Sequence[int]
    appeared: Sequence[int]


def identities(frames: Sequence[tuple[int, Sequence[Box]]], rules: Rules) -> list[Sighting]:
    """Tell the boxes of a clip apart.

    Args:
        frames: time in ms and boxes in pixels, one pair for each analysed frame.
    """
    #: Identity -> the box and the time it was last seen; older identities come first.
    known: dict[int, tuple[Box, int]] = {}
    newest = 0
    before: int | None = None
    sightings = []
    for time, boxes in frames:
        restarted = before is not None and time < before - rules.reset_gap_ms
        before = time
        lost = [
            who
            for who, (_, seen) in known.items()
            if restarted or time - seen > rules.lost_timeout_ms
        ]
        for who in lost:
            del known[who]
        found = _matches({who: box for who, (box, _) in known.items()}, boxes, rules)
        appeared = []
        for position in range(len(boxes)):
            if position not in found:
                newest += 1
                found[position] = newest
                appeared.append(newest)
        for position, box in enumerate(boxes):
            known[found[position]] = (box, time)
        named = [found[position] for position in range(len(boxes))]
        sightings.append(Sighting(identities=named, lost=lost, appeared=appeared))
    return sightings


def overlap(a: Box, b: Box) -> float:
    """Return intersection over union, 0..1."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (a.width * a.height + b.width * b.height - shared)


def _matches(known: dict[int, Box], boxes: Sequence[Box], rules: Rules) -> dict[int, int]:
    """Return position -> identity: of all pairs left, always the one that overlaps most.

    Equal pairs go to the older face, then to the earlier box.
    """
    pairs = {
        (who, position): overlap(remembered, box)
        for who, remembered in known.items()
        for position, box in enumerate(boxes)
    }
    pairs = {
        pair: share for pair, share in pairs.items() if share > 0 and share >= rules.minimum_overlap
    }
    found: dict[int, int] = {}
    while pairs:
        who, position = min(pairs, key=lambda pair: (-pairs[pair], *pair))
        found[position] = who
        pairs = {pair: s for pair, s in pairs.items() if pair[0] != who and pair[1] != position}
    return found
