"""The tracked clip: what is in it, that the twin still says so, and that a change is noticed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fer_convert.swift_package.events import clip_of, events_record, events_text, judged_again
from fer_convert.timeline import Clip, Moment, Rules, replay
from fer_train.contract.pixels import Box
from tests.paths import REPOSITORY

TRACKED = REPOSITORY / "fixtures/events/events.json"
SWIFT_COPY = REPOSITORY / "swift/EmotionKit/Tests/EmotionKitCoreTests/Golden/events.json"

Told = list[tuple[int, str, int, str | None, str | None]]


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TRACKED.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def told(record: dict[str, Any]) -> Told:
    return [
        (frame["time_ms"], event["kind"], event["face"], event.get("from"), event.get("to"))
        for frame in record["frames"]
        for event in (frame["moment"] or {"events": []})["events"]
    ]


def test_the_tracked_events_are_what_follows_from_the_tracked_answers(
    record: dict[str, Any],
) -> None:
    """Regenerate: python -m fixtures.judge"""
    assert TRACKED.read_text(encoding="utf-8") == events_text(judged_again(record))
    assert SWIFT_COPY.read_bytes() == TRACKED.read_bytes()


def test_the_detections_are_the_drawn_clips(record: dict[str, Any]) -> None:
    drawn = json.loads((REPOSITORY / "fixtures/events/clip.json").read_text(encoding="utf-8"))
    assert drawn["image"] == record["image"]
    assert len(drawn["frames"]) == len(record["frames"])
    for theirs, ours in zip(drawn["frames"], record["frames"], strict=True):
        seen = [{k: v for k, v in face.items() if k != "answer"} for face in ours["faces"]]
        assert (theirs["time_ms"], theirs["faces"]) == (ours["time_ms"], seen)


def test_what_the_clip_is_for_happens_in_it(record: dict[str, Any], told: Told) -> None:
    def changes(face: int, start: int, end: int) -> list[tuple[str | None, str | None]]:
        return [
            event[3:]
            for event in told
            if event[1] == "changed" and event[2] == face and start <= event[0] < end
        ]

    appeared = [event[2] for event in told if event[1] == "appeared"]
    assert appeared == [1, 2, 3, 4, 5, 6, 7]
    # A smile is told, and ends; for two frames inside it the network sees surprise, and nothing is.
    assert changes(1, 2600, 6500) == [(None, "happiness"), ("happiness", None)]
    flicker = [frame for frame in record["frames"] if 4190 <= frame["time_ms"] <= 4300]
    surprise = record["labels"].index("surprise")
    assert all(np.argmax(frame["faces"][-1]["answer"]) == surprise for frame in flicker)
    assert len(flicker) == 2
    # Both keep their identities while they cross, and the first behind a hand.
    places = {1: 0.0, 2: 0.0}
    for frame in record["frames"]:
        if (moment := frame["moment"]) and 8500 <= frame["time_ms"] < 10_800:
            for place, who in zip(moment["chosen"], moment["identities"], strict=True):
                places[who] = frame["faces"][place]["box"][0]
    assert places[1] > 200 and places[2] < 100
    # Doubt is told as such.
    assert changes(1, 8500, 11_000) == [(None, "surprise"), ("surprise", None)]
    # Who was away too long is somebody else, and so is everybody after a jump back. One sure
    # answer takes over from another without doubt in between.
    third = [event[1:] for event in told if event[2] == 3]
    assert third == [
        ("appeared", 3, None, None),
        ("changed", 3, None, "anger"),
        ("changed", 3, "anger", "sadness"),
        ("lost", 3, None, None),
    ]
    assert told[-2][:3] == (0, "lost", 3)
    assert told[-1][:3] == (0, "appeared", 7)


def test_the_files_stay_small() -> None:
    folder = REPOSITORY / "fixtures/events"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 250_000


def _other_rules() -> Iterator[Rules]:
    changes: dict[str, Callable[[Any], Any]] = {
        "target_rate": lambda v: v * 0.9,
        "maximum_faces": lambda v: v - 1,
        "minimum_face_height": lambda v: v * 3,
        "minimum_confidence": lambda v: v * 0.5,
        "minimum_overlap": lambda v: v * 2.9,
        "lost_timeout_ms": lambda v: v // 2,
        "reset_gap_ms": lambda v: v // 2,
        "smoothing_ms": lambda v: v + 10,
        "enter": lambda v: v + 0.05,
        "leave": lambda v: v - 0.1,
        "minimum_dwell_ms": lambda v: v * 2,
    }
    assert changes.keys() == Rules().to_dict().keys()
    for name, change in changes.items():
        yield dataclasses.replace(Rules(), **{name: change(getattr(Rules(), name))})


@pytest.mark.parametrize("rules", list(_other_rules()), ids=list(Rules().to_dict()))
def test_another_value_of_any_rule_is_noticed(record: dict[str, Any], rules: Rules) -> None:
    """Else the clip would prove nothing about that rule."""
    clip = _every_face_answered(clip_of(record))
    ours, others = (
        events_record(clip, origin={}, rules=wanted)["frames"] for wanted in (Rules(), rules)
    )
    assert ours != others
    if _without_numbers(replay(clip, rules)) == _without_numbers(replay(clip, Rules())):
        # Then the averages alone tell, by far more than their tolerance.
        pairs = zip(_averages(ours), _averages(others), strict=True)
        assert max(abs(a - b) for a, b in pairs) > 1e-3


def test_the_last_digits_decide_nothing(record: dict[str, Any]) -> None:
    """Swift reaches the same numbers by other additions, so no decision may hang on them."""
    clip = clip_of(record)
    expected = _without_numbers(replay(clip, Rules()))
    generator = np.random.default_rng(4)

    def shaken(face: Any) -> Any:
        box = Box(*(value + float(generator.uniform(-1e-5, 1e-5)) for value in face.box))
        answer = face.answer and [
            max(value + float(generator.uniform(-1e-6, 1e-6)), 0.0) for value in face.answer
        ]
        return dataclasses.replace(face, box=box, answer=answer)

    for _ in range(5):
        frames = [
            dataclasses.replace(frame, faces=[shaken(face) for face in frame.faces])
            for frame in clip.frames
        ]
        assert (
            _without_numbers(replay(dataclasses.replace(clip, frames=frames), Rules())) == expected
        )


def _every_face_answered(clip: Clip) -> Clip:
    """Other rules ask about other faces: those get an answer that decides nothing."""
    undecided = [1.0] * len(clip.labels)
    return dataclasses.replace(
        clip,
        frames=[
            dataclasses.replace(
                frame,
                faces=[dataclasses.replace(f, answer=f.answer or undecided) for f in frame.faces],
            )
            for frame in clip.frames
        ],
    )


def _without_numbers(moments: list[Moment | None]) -> list[Any]:
    """What is the same or not, without tolerance."""
    return [
        moment and (moment.chosen, moment.identities, moment.answers, moment.events)
        for moment in moments
    ]


def _averages(frames: list[dict[str, Any]]) -> list[float]:
    moments = [frame["moment"] for frame in frames if frame["moment"]]
    return [share for moment in moments for row in moment["smoothed"] for share in row]
