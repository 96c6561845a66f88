"""A clip as a detector and a network saw it, and what follows from it. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fer_train.contract.pixels import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One detection: pixels with a top-left origin, and the network's answer for its region.

    ``answer`` are weights in the order of the clip's labels; they are divided by their sum. It is
    None where the network is not asked. ``quality`` is None where nobody measured it.
    """

    box: Box
    confidence: float
    quality: float | None
    answer: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of a camera; time may stand still or go back."""

    time_ms: int
    faces: Sequence[Face]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Frames in the order they arrive; ``image_size`` is (width, height)."""

    image_size: tuple[int, int]
    labels: tuple[str, ...]
    crop_margin: float
    frames: Sequence[Frame]


class Event(NamedTuple):
    """What a listener is told; ``before`` and ``after`` are of a change, None is uncertain."""

    kind: Literal["lost", "appeared", "changed"]
    face: int
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One analysed frame. The sequences are parallel: a place for each chosen face, largest first.

    Attributes:
        chosen: positions in `Frame.faces`.
        regions: what the network is shown.
        identities: counted from 1 in the order faces appear, never used again.
        smoothed: probabilities in the order of the clip's labels.
        answers: labels; None is uncertain.
        events: in the order they are told.
    """

    chosen: Sequence[int]
    regions: Sequence[Box]
    identities: Sequence[int]
    smoothed: Sequence[Sequence[float]]
    answers: Sequence[str | None]
    events: Sequence[Event]
