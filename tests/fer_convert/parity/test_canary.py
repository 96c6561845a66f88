"""Which faces a canary has, and what it lets pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_convert.parity.canary import (
    canary_limits,
    choose_faces,
    enlarge,
    passes,
    small_side,
)
from fer_convert.parity.compare import measure_all
from fer_convert.parity.result import Prediction
from fer_convert.parity.thresholds import THRESHOLDS

LABELS = ("anger", "fear", "happiness")
HALF = canary_limits(THRESHOLDS["mlpackage-fp16"], faces=8)


def predicted(*rows: list[float]) -> list[Prediction]:
    return [
        Prediction(
            labels=LABELS,
            logits=np.log(np.array(row)),
            probabilities=np.array(row),
            top1=LABELS[int(np.argmax(row))],
        )
        for row in rows
    ]


def test_the_limits_are_those_of_the_published_form() -> None:
    half, full = THRESHOLDS["mlpackage-fp16"], THRESHOLDS["mlpackage-fp32"]
    assert half.reduced is not None
    assert HALF.max_abs_dp == half.max_abs_dp
    assert HALF.usual_abs_dp == half.reduced.usual_abs_dp
    assert (HALF.beyond_usual, HALF.near_tie) == (1, half.reduced.near_tie)
    strict = canary_limits(full, faces=8)
    assert (strict.max_abs_dp, strict.beyond_usual, strict.near_tie) == (full.max_abs_dp, 0, None)


def test_the_most_sensitive_of_every_label_come_first() -> None:
    honest = [[0.8, 0.1, 0.1]] * 9 + [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.34, 0.33, 0.33]]
    moved = [[0.8 - i / 1000, 0.1 + i / 1000, 0.1] for i in range(9)]
    moved += [[0.1, 0.8, 0.1], [0.1, 0.101, 0.799], [0.38, 0.29, 0.33]]
    references = predicted(*honest)
    measures = measure_all(
        [str(i) for i in range(len(honest))], reference=references, candidate=predicted(*moved)
    )
    chosen = choose_faces(references, measures, limits=HALF)
    # One of each label, then the rest of the sensitive ones; the near tie after them.
    assert chosen == [8, 10, 9, 7, 6, 5, 4, 3]


def test_a_face_that_the_published_file_itself_gets_wrong_is_not_asked() -> None:
    references = predicted(*[[0.8, 0.1, 0.1]] * 4)
    wrong = predicted([0.1, 0.8, 0.1], *[[0.8, 0.1, 0.1]] * 3)
    measures = measure_all(list("abcd"), reference=references, candidate=wrong)
    assert choose_faces(references, measures, limits=HALF) == []
    nan = [replace(m, finite=False) for m in measures]
    assert choose_faces(references, nan, limits=HALF) == []


@pytest.mark.parametrize("size", [1, 32, 64, 65, 112, 224, 260, 1024])
def test_a_picture_fills_the_input(size: int) -> None:
    side, repeat = small_side(size)
    assert side <= 64 and (repeat - 1) * side < size <= repeat * side
    small = np.arange(side * side * 3, dtype=np.int64).astype(np.uint8).reshape(side, side, 3)
    large = enlarge(small, repeat=repeat, size=size)
    assert large.shape == (size, size, 3)
    assert (large[::repeat, ::repeat] == small[: -(-size // repeat), : -(-size // repeat)]).all()


def test_swapped_labels_are_noticed() -> None:
    wanted = [np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.8, 0.1])]
    assert passes(HALF, expected=wanted, answers=wanted)
    assert not passes(HALF, expected=wanted, answers=[row[[1, 0, 2]] for row in wanted])
