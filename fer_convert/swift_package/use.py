"""use.json: what was recorded about what a model is for, where it comes from and how good it is.

It travels beside the model, as ``manifest.json`` does. The papers of a package are written from it,
and EmotionKit's notice to people reads it. A checkpoint may be anybody's: what does not have the
form that ``fertrain`` writes counts as not recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

from fer_convert.source import Source
from fer_train.contract.terms import NOT_RECORDED, Terms, starting_point

SCHEMA = "emotionkit.use"

VERSION = 1

#: Who said a term: whoever trained the model, converted it, or packaged it.
Speaker = Literal["training", "conversion", "packaging"]

_AVERAGES = ("accuracy", "balanced_accuracy", "macro_f1")


def use_record(source: Source, given: Terms, *, demo: bool) -> dict[str, Any]:
    """Return use.json's content.

    Args:
        given: the user's words now; they replace those of the training.
        demo: nobody is to use the model for anything.
    """
    ours = source.kind in ("best", "last")
    data = source.data
    recorded = {
        "schema": SCHEMA,
        "version": VERSION,
        "demo": demo,
        "purpose": None,
        "data": {
            "name": _text(data.get("root")),
            "synthetic": source.synthetic,
            "images": _images(data.get("counts")),
            "license": None,
        },
        "weights": {
            "start": starting_point(source.config) if ours and source.config else None,
            "license": None,
        },
        "figures": list(_figures(source.metrics)),
    }
    said = restated(recorded, Terms.from_config(source.config), speaker="training")
    return restated(said, given, speaker="conversion")


def restated(record: Mapping[str, Any], given: Terms, *, speaker: Speaker) -> dict[str, Any]:
    """Return a record with the terms that were given; the others stay."""
    terms = {
        name: {"text": text, "said_at": speaker}
        for name, text in asdict(given).items()
        if isinstance(text, str) and text.strip()
    }
    changed = dict(record)
    for name, value in terms.items():
        if name == "purpose":
            changed["purpose"] = value
        else:
            part = name.removesuffix("_license")
            changed[part] = {**changed[part], "license": value}
    return changed


def not_recorded(record: Mapping[str, Any]) -> dict[str, str]:
    """Return option -> what it would say, for what a record lacks; nothing for a demonstration."""
    if record["demo"]:
        return {}
    missing = {}
    if record["purpose"] is None:
        missing["--purpose"] = "what the model is for"
    if record["data"]["license"] is None and not record["data"]["synthetic"]:
        missing["--data-license"] = "the licence of the training data"
    weights = record["weights"]
    # What a chain of trainings left open is written inside the text.
    known = NOT_RECORDED if weights["license"] is None else weights["license"]["text"]
    if NOT_RECORDED in known and weights["start"] != "random weights":
        missing["--weights-license"] = "the licence of the weights that training started from"
    return missing


def _figures(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what was measured on the checkpoint: on test, then on val."""
    candidates = [("test", metrics.get("test")), (metrics.get("split"), metrics)]
    for split, figures in candidates:
        if not isinstance(figures, Mapping) or split not in ("test", "val"):
            continue
        averages = {name: _share(figures.get(name)) for name in _AVERAGES}
        images = figures.get("images")
        if None in averages.values() or type(images) is not int or images < 1:
            continue
        yield {
            "split": split,
            "images": images,
            **averages,
            "accuracy_interval": _interval(figures.get("accuracy_interval")),
            "per_class": list(_classes(figures.get("per_class"))),
        }


def _classes(rows: Any) -> Iterator[dict[str, Any]]:
    for label, row in rows.items() if isinstance(rows, Mapping) else ():
        if not isinstance(label, str) or not isinstance(row, Mapping):
            continue
        support = row.get("support")
        if type(support) is not int or support < 0:
            continue
        # A class without images has no recall, whatever stands there.
        yield {
            "label": label,
            "images": support,
            **{name: _share(row.get(name)) if support else None for name in _SHARES},
            "recall_interval": _interval(row.get("recall_interval")) if support else None,
        }


_SHARES = ("precision", "recall", "f1")


def _share(value: Any) -> float | None:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 1:
        return None
    return float(value)


def _interval(value: Any) -> list[float] | None:
    ends = [_share(end) for end in value] if isinstance(value, (list, tuple)) else []
    known = [end for end in ends if end is not None]
    return known if len(ends) == len(known) == 2 else None


def _images(counts: Any) -> dict[str, int]:
    """Return split -> number of images."""
    splits = counts.items() if isinstance(counts, Mapping) else ()
    return {
        split: sum(number for number in classes.values() if type(number) is int)
        for split, classes in splits
        if isinstance(split, str) and isinstance(classes, Mapping)
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
