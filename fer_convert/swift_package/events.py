"""events.json: a clip and what follows from it, which EmotionKit must arrive at, too.

Format, rules and tolerances: ``docs/design/015-event-parity.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.parity.result import Runner
from fer_convert.source import Source
from fer_convert.timeline import Clip, Event, Face, Frame, Moment, Rules, replay
from fer_convert.timeline.pictures import answered, load_drawn_clip
from fer_train.contract.pixels import Box

SCHEMA = "emotionkit.events"
VERSION = 1

#: How far Swift's numbers may be from these. Identities, answers and events must be the same.
TOLERANCES: Mapping[str, float] = {"region_px": 1e-6, "probability": 1e-9}

#: One more than the tolerances need.
_REGION_DECIMALS, _PROBABILITY_DECIMALS = 7, 10


def model_events(clip: Path, source: Source, runner: Runner) -> dict[str, Any]:
    """Return events.json's content for a network: its own answers to the drawn clip.

    Args:
        clip: the folder that the clip is drawn into.
        runner: the checkpoint's.

    Raises:
        ValueError: an answer is not finite.
    """
    seen = answered(
        load_drawn_clip(clip),
        spec=source.preprocess,
        labels=source.labels,
        rules=Rules(),
        ask=lambda images: np.stack([said.probabilities for said in runner.run_many(images)]),
    )
    origin = {"architecture": source.architecture, "checkpoint_sha256": source.sha256}
    return events_record(seen, origin=origin)


def events_record(
    clip: Clip, *, origin: Mapping[str, str], rules: Rules | None = None
) -> dict[str, Any]:
    """Return events.json's content.

    Args:
        origin: whose answers these are.
        rules: the defaults where None.
    """
    rules = rules or Rules()
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "answers_of": dict(origin),
        "labels": list(clip.labels),
        "crop_margin": clip.crop_margin,
        "image": list(clip.image_size),
        "rules": rules.to_dict(),
        "tolerances": dict(TOLERANCES),
        "frames": [
            _frame(frame, moment)
            for frame, moment in zip(clip.frames, replay(clip, rules), strict=True)
        ],
    }


def judged_again(record: Mapping[str, Any], rules: Rules | None = None) -> dict[str, Any]:
    """Return the record with everything worked out anew from its detections and answers."""
    return events_record(clip_of(record), origin=record["answers_of"], rules=rules)


def clip_of(record: Mapping[str, Any]) -> Clip:
    """Return the clip of an events.json."""
    width, height = record["image"]
    frames = [
        Frame(
            time_ms=frame["time_ms"],
            faces=[
                Face(
                    box=Box(*face["box"]),
                    confidence=face["confidence"],
                    quality=face["quality"],
                    answer=face["answer"],
                )
                for face in frame["faces"]
            ],
        )
        for frame in record["frames"]
    ]
    return Clip(
        image_size=(width, height),
        labels=tuple(record["labels"]),
        crop_margin=record["crop_margin"],
        frames=frames,
    )


def events_text(record: Mapping[str, Any]) -> str:
    """Return the record as JSON, one frame to a line, as a person would want to see a change of it.

    Raises:
        ValueError: a number is not finite.
    """
    head = {name: value for name, value in record.items() if name != "frames"}
    opening = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    frames = ",\n".join(
        f"  {json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(',', ':'))}"
        for frame in record["frames"]
    )
    return f'{opening},\n "frames": [\n{frames}\n ]\n}}\n'


def _frame(frame: Frame, moment: Moment | None) -> dict[str, Any]:
    return {
        "time_ms": frame.time_ms,
        "faces": [
            {
                "box": list(face.box),
                "confidence": face.confidence,
                "quality": face.quality,
                "answer": None if face.answer is None else list(face.answer),
            }
            for face in frame.faces
        ],
        "moment": None if moment is None else _moment(moment),
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "chosen": list(moment.chosen),
        "regions": [_rounded(region, _REGION_DECIMALS) for region in moment.regions],
        "identities": list(moment.identities),
        "smoothed": [_rounded(row, _PROBABILITY_DECIMALS) for row in moment.smoothed],
        "answers": list(moment.answers),
        "events": [_event(event) for event in moment.events],
    }


def _event(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": event.kind, "face": event.face}
    if event.kind == "changed":
        record |= {"from": event.before, "to": event.after}
    return record


def _rounded(values: Sequence[float], decimals: int) -> list[float]:
    return [round(float(value), decimals) + 0.0 for value in values]  # no -0.0
