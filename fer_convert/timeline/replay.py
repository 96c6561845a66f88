"""A whole clip, from detections and answers to events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_convert.timeline.answer import steady_answers
from fer_convert.timeline.average import averages
from fer_convert.timeline.clip import Clip, Event, Face, Moment
from fer_convert.timeline.identity import Sighting, identities
from fer_convert.timeline.rules import Rules
from fer_convert.timeline.selection import analysed, chosen_faces
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.pixels import square_region


@dataclass(frozen=True, slots=True)
class _Judged:
    """One face at one moment."""

    smoothed: list[float]
    answer: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """One frame that is analysed."""

    time_ms: int
    chosen: list[int]
    faces: list[Face]


def replay(clip: Clip, rules: Rules) -> list[Moment | None]:
    """Return what happens at each frame; None where it is left out to keep the rate.

    Raises:
        ValueError: a face that is chosen has no answer.
    """
    asked = asked_for(clip, rules)
    taken = [
        _Taken(frame.time_ms, places, [frame.faces[place] for place in places])
        for frame, places in zip(clip.frames, asked, strict=True)
        if places is not None
    ]
    sightings = identities(
        [(frame.time_ms, [face.box for face in frame.faces]) for frame in taken], rules
    )
    judged = _judge(clip, rules, taken, sightings)
    moments = iter(
        _moment(clip, frame, sighting, [judged[number, who] for who in sighting.identities])
        for number, (frame, sighting) in enumerate(zip(taken, sightings, strict=True))
    )
    return [None if places is None else next(moments) for places in asked]


def asked_for(clip: Clip, rules: Rules) -> list[list[int] | None]:
    """Return for each frame the faces the network is asked about; None where it is left out."""
    verdicts = analysed([frame.time_ms for frame in clip.frames], rules.target_rate)
    height = clip.image_size[1]
    return [
        chosen_faces(frame, image_height=height, rules=rules) if verdict else None
        for frame, verdict in zip(clip.frames, verdicts, strict=True)
    ]


def display_order(labels: tuple[str, ...]) -> list[int]:
    """Return positions of ``labels`` as EmotionKit shows them: known emotions first, in order."""
    known = [labels.index(name) for name in EMOTIONS if name in labels]
    return known + [place for place, name in enumerate(labels) if name not in EMOTIONS]


def _judge(
    clip: Clip, rules: Rules, taken: Sequence[_Taken], sightings: Sequence[Sighting]
) -> dict[tuple[int, int], _Judged]:
    """Average and decide for each identity over its whole life: (frame, identity) -> result."""
    lives: dict[int, list[tuple[int, Face]]] = defaultdict(list)
    for number, (frame, sighting) in enumerate(zip(taken, sightings, strict=True)):
        for face, who in zip(frame.faces, sighting.identities, strict=True):
            lives[who].append((number, face))
    order = display_order(clip.labels)
    judged = {}
    for who, life in lives.items():
        times = [taken[number].time_ms for number, _ in life]
        if any(face.answer is None for _, face in life):
            raise ValueError(f"face {who} has no answer")
        answers = np.array([face.answer for _, face in life], dtype=np.float64)
        answers /= answers.sum(axis=1, keepdims=True)
        weights = np.array([1.0 if face.quality is None else face.quality for _, face in life])
        smoothed = averages(np.array(times, dtype=np.int64), weights, answers, rules)
        told = steady_answers(times, smoothed[:, order], rules)
        names = [None if place is None else clip.labels[order[place]] for place in told]
        for (number, _), row, answer, before in zip(
            life, smoothed.tolist(), names, [None, *names[:-1]], strict=True
        ):
            judged[number, who] = _Judged(row, answer, before)
    return judged


def _moment(clip: Clip, frame: _Taken, sighting: Sighting, judged: Sequence[_Judged]) -> Moment:
    changes = [
        Event("changed", who, face.before, face.answer)
        for who, face in zip(sighting.identities, judged, strict=True)
        if face.before != face.answer
    ]
    return Moment(
        chosen=frame.chosen,
        regions=[
            square_region(face.box, image_size=clip.image_size, margin=clip.crop_margin)
            for face in frame.faces
        ],
        identities=sighting.identities,
        smoothed=[face.smoothed for face in judged],
        answers=[face.answer for face in judged],
        events=[
            *(Event("lost", who) for who in sighting.lost),
            *(Event("appeared", who) for who in sighting.appeared),
            *changes,
        ],
    )
