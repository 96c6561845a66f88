"""Figures of one network: how far half precision moves it, and what the limits make of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from half_limits_parts.answers import Answers
from half_limits_parts.limits import Asked, asked, ratio, refused_before, refused_now

from fer_convert.parity.result import ImageMeasure

#: How many faces a user may bring, and how often each is drawn to see who is refused.
SIZES = (10, 45, 300)
DRAWS = 200
#: A damaged copy whose answers move by no more than this from the unharmed file's is no mistake:
#: a grey picture has no colours to swap.
INVISIBLE = 2e-3

#: The limits in force and those before: each returns the names of those that refuse.
RULES: Mapping[str, Callable[[Asked], set[str]]] = {
    "before": refused_before,
    "now": refused_now,
}


def figures(answers: Answers) -> dict[str, Any]:
    """Everything the page says about a network that answered more faces than any of `SIZES`."""
    file, half = asked(answers, "fp16"), asked(answers, "half")
    right = [
        [p.top1 == label for p, label in zip(answers.predictions(way), answers.truth, strict=True)]
        for way in ("fp32", "fp16", "half")
    ]
    return {
        "faces": len(answers.faces),
        "fp16": _distance(file),
        "half": _distance(half),
        "ratio": ratio(file),
        "accuracy": [float(np.mean(one)) for one in right],
        "refused": {when: sorted(rule(file)) for when, rule in RULES.items()},
        "alarms": {n: _alarms(file, n) for n in SIZES},
        "mistakes": _mistakes(answers),
    }


def _distance(one: Asked) -> dict[str, Any]:
    errors = np.array([m.max_abs_dp for m in one.measures])
    flips: list[ImageMeasure] = [m for m in one.measures if not m.top1_agrees]
    return {
        "max": float(errors.max()),
        "q99": float(np.quantile(errors, 0.99)),
        "median": float(np.median(errors)),
        "psnr_min": min(m.psnr_db for m in one.measures),
        "flips": len(flips),
        "widest_flip": max((m.margin for m in flips), default=0.0),
    }


def _alarms(one: Asked, count: int) -> dict[str, list[set[str]]]:
    """For every draw of ``count`` faces, the limits that refuse the honest file."""
    generator = np.random.default_rng(0)
    draws = [
        one.some(generator.choice(len(one.measures), count, replace=False).tolist())
        for _ in range(DRAWS)
    ]
    return {when: [rule(draw) for draw in draws] for when, rule in RULES.items()}


def _mistakes(answers: Answers) -> dict[str, dict[str, set[str]]]:
    """For every known mistake that can be seen at all, the limits that catch it."""
    honest = answers.predictions("fp16")
    visible = [
        way
        for way in answers.ways
        if way.startswith("damaged: ")
        and max(
            float(np.abs(damaged.probabilities - own.probabilities).max())
            for damaged, own in zip(answers.predictions(way), honest, strict=False)
        )
        > INVISIBLE
    ]
    return {
        when: {way.removeprefix("damaged: "): rule(asked(answers, way)) for way in visible}
        for when, rule in RULES.items()
    }
