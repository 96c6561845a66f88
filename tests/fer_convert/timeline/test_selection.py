"""Which frames and faces are analysed."""

from __future__ import annotations

import pytest

from fer_convert.timeline.clip import Face, Frame
from fer_convert.timeline.rules import Rules
from fer_convert.timeline.selection import analysed, chosen_faces
from fer_train.contract.pixels import Box


@pytest.mark.parametrize(("camera", "rate", "taken"), [(30, 12, 120), (24, 12, 120), (10, 12, 100)])
def test_ten_seconds_of_a_camera_give_the_rate_or_what_there_is(
    camera: int, rate: float, taken: int
) -> None:
    times = [round(1000 * number / camera) for number in range(10 * camera)]
    # Stamps are whole milliseconds, so an appointment can be missed by one.
    assert sum(analysed(times, rate)) == pytest.approx(taken, abs=1)


def test_missed_appointments_are_not_made_up_for() -> None:
    assert analysed([0, 500, 510, 590], 12.0) == [True, True, False, True]


def test_time_that_goes_back_is_a_new_start() -> None:
    assert analysed([1000, 990, 1000, 1080], 12.0) == [True, True, False, True]


def test_no_rate_takes_nothing() -> None:
    assert analysed([0, 1000], 0.0) == [False, False]


def _face(height: float, *, width: float = 20, confidence: float = 0.9) -> Face:
    return Face(box=Box(0, 0, width, height), confidence=confidence, quality=None)


def test_the_largest_faces_are_chosen_and_poor_ones_left_out() -> None:
    faces = [
        _face(20),
        _face(9.99),  # below a tenth of the image
        _face(40),
        _face(50, confidence=0.49),
        _face(30),
        _face(30, width=0),
        _face(10),
    ]
    rules = Rules(maximum_faces=3, minimum_face_height=0.1, minimum_confidence=0.5)
    frame = Frame(time_ms=0, faces=faces)
    assert chosen_faces(frame, image_height=100, rules=rules) == [2, 4, 0]
