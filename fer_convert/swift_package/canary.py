"""canary.json: few faces and the checkpoint's answers, by which a phone checks itself.

The faces are drawn ones that come with ferconv, whatever a build compares on: no picture of a
person goes into an app.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.parity.canary import (
    CanaryLimits,
    canary_limits,
    choose_faces,
    enlarge,
    passes,
    small_side,
)
from fer_convert.parity.compare import measure_all
from fer_convert.parity.fixtures import load_fixtures
from fer_convert.parity.result import Runner
from fer_convert.parity.thresholds import Thresholds
from fer_convert.source import Source

SCHEMA = "emotionkit.canary"
VERSION = 1
CANARY = "canary.json"


def canary_record(
    folder: Path,
    source: Source,
    *,
    checkpoint: Runner,
    published: Runner,
    thresholds: Thresholds,
) -> dict[str, Any] | None:
    """Return canary.json's content, or None where the published file itself is too far off.

    Args:
        folder: the drawn faces and their manifest.
        published: runs the file that is published.
        thresholds: of its form.
    """
    size = source.preprocess.input_size
    side, repeat = small_side(size)
    kept = [
        face
        for face in load_fixtures(folder, spec=replace(source.preprocess, input_size=side))
        if face.kind == "face"
    ]
    shown = np.stack([enlarge(face.image, repeat=repeat, size=size) for face in kept])
    references, answers = checkpoint.run_many(shown), published.run_many(shown)
    measures = measure_all([face.name for face in kept], reference=references, candidate=answers)
    chosen = choose_faces(references, measures, limits=canary_limits(thresholds, faces=len(kept)))
    limits = canary_limits(thresholds, faces=len(chosen))
    if not chosen or any(not np.isfinite(references[i].probabilities).all() for i in chosen):
        return None
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "checkpoint_sha256": source.sha256,
        "labels": list(source.labels),
        "input_size": size,
        "side": side,
        "repeat": repeat,
        "limits": asdict(limits),
        "faces": [
            {
                "name": kept[i].name,
                "probabilities": [float(p) for p in references[i].probabilities],
                "pixels": base64.b64encode(kept[i].image.tobytes()).decode("ascii"),
            }
            for i in chosen
        ],
    }


def canary_cases() -> list[dict[str, Any]]:
    """Return cases of the rule for golden.json: limits, wanted and given answers, verdict."""
    half = CanaryLimits(max_abs_dp=0.2, usual_abs_dp=0.05, beyond_usual=1, near_tie=0.05)
    full = CanaryLimits(max_abs_dp=1e-4, usual_abs_dp=1e-4, beyond_usual=0, near_tie=None)
    wanted = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.35, 0.33, 0.32], [0.05, 0.05, 0.9]]
    swapped = [[row[1], row[0], row[2]] for row in wanted]
    by = _moved
    given: Sequence[tuple[CanaryLimits, Sequence[Sequence[float | None]]]] = [
        (half, wanted),
        (full, wanted),
        (half, by(wanted, 0, 0.04)),  # a little
        (full, by(wanted, 0, 0.04)),
        (half, by(wanted, 0, 0.06)),  # more than usual, on one face
        (half, by(by(wanted, 0, 0.06), 1, -0.06)),  # on two
        (half, by(wanted, 3, 0.21)),  # by much
        (half, by(wanted, 2, -0.03)),  # a near tie changes its label
        (full, by(wanted, 2, -0.00005)),
        (full, by(wanted, 1, 0.0002)),
        (half, swapped),
        (half, [[1.4, 0.4, 0.2], *wanted[1:]]),  # renormalised first
        (half, [[None, 0.2, 0.1], *wanted[1:]]),  # NaN
        (half, [[-0.1, 0.6, 0.5], *wanted[1:]]),
        (half, [[0.0, 0.0, 0.0], *wanted[1:]]),
    ]
    return [
        {
            "limits": asdict(limits),
            "expected": wanted,
            "answers": answers,
            "passes": passes(
                limits,
                expected=[np.array(row) for row in wanted],
                answers=[np.array(row, dtype=np.float64) for row in answers],
            ),
        }
        for limits, answers in given
    ]


def _moved(rows: list[list[float]], face: int, by: float) -> list[list[float]]:
    """Return the answers with some probability moved from the first label to the second."""
    first, second, *others = rows[face]
    changed = [round(first - by, 12), round(second + by, 12), *others]
    return [changed if i == face else row for i, row in enumerate(rows)]
