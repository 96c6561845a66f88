"""draw_face: the same bytes for the same arguments, another face for any other."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from fer_train.contract.errors import LabelMismatch
from fer_train.contract.labels import EMOTIONS
from fer_train.synthetic import draw_face

DIGEST = """
import hashlib
from fer_train.synthetic import draw_face
print(hashlib.sha256(draw_face("fear", seed=3, index=9, size=48).tobytes()).hexdigest())
"""


def test_the_same_arguments_give_the_same_bytes_in_another_process() -> None:
    here = hashlib.sha256(draw_face("fear", seed=3, index=9, size=48).tobytes()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True
    )
    assert there.stdout.strip() == here


@pytest.mark.parametrize("size", [7, 48, 97])
def test_a_face_is_a_square_of_bytes(size: int) -> None:
    face = draw_face("neutral", seed=0, index=0, size=size)
    assert face.shape == (size, size, 3)
    assert face.dtype == np.uint8
    assert face.std() > 10


def test_the_eight_emotions_of_one_person_are_eight_pictures() -> None:
    faces = [draw_face(name, seed=0, index=4, size=64) for name in EMOTIONS]
    assert len({face.tobytes() for face in faces}) == len(EMOTIONS)


def test_an_emotion_changes_the_face_and_not_the_photograph() -> None:
    neutral, surprise = (
        draw_face(name, seed=0, index=4, size=64).astype(int) for name in ("neutral", "surprise")
    )
    changed = np.abs(neutral - surprise).max(axis=2)
    border = np.concatenate([changed[0], changed[:40, 0], changed[:40, -1]])
    assert border.max() <= 1
    assert changed[16:60, 16:48].max() > 60


@pytest.mark.parametrize("other", [{"seed": 1}, {"index": 1}])
def test_seed_and_index_choose_another_person(other: dict[str, int]) -> None:
    arguments = {"seed": 0, "index": 0, "size": 48, **other}
    first = draw_face("anger", seed=0, index=0, size=48).astype(int)
    second = draw_face("anger", **arguments).astype(int)
    assert np.abs(first - second).mean() > 5


def test_aliases_are_understood_and_other_names_refused() -> None:
    happy = draw_face("happy", seed=0, index=0, size=32)
    assert np.array_equal(happy, draw_face("happiness", seed=0, index=0, size=32))
    with pytest.raises(LabelMismatch):
        draw_face("bored", seed=0, index=0, size=32)
