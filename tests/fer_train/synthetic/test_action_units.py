"""Action units move the right part of the face in the right direction, and more when stronger."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from fer_train.contract.errors import LabelMismatch
from fer_train.contract.labels import EMOTIONS
from fer_train.synthetic.action_units import (
    PROTOTYPES,
    UNIT_NAMES,
    Expression,
    Sides,
    sample_expression,
)
from fer_train.synthetic.creases import creases
from fer_train.synthetic.geometry import FaceShape, shape_face
from fer_train.synthetic.identity import sample_identity

WHO = sample_identity(Generator(PCG64(5)))


LEVELS = (0.0, 0.3, 0.6, 0.9)


def symmetric(units: Mapping[int, float]) -> Expression:
    return Expression(units={unit: Sides(level, level) for unit, level in units.items()})


def shape(units: dict[int, float]) -> FaceShape:
    return shape_face(WHO, symmetric(units), gaze=(0.0, 0.0))


def corner_height(face: FaceShape) -> float:
    """Height of the right mouth corner above the middle of the mouth."""
    line = face.mouth.upper_inner
    return float(line[10, 1] - line[-1, 1])


def mouth_width(face: FaceShape) -> float:
    return float(face.mouth.upper_inner[-1, 0] - face.mouth.upper_inner[0, 0])


def mouth_gap(face: FaceShape) -> float:
    return float(face.mouth.lower_inner[10, 1] - face.mouth.upper_inner[10, 1])


def lip_thickness(face: FaceShape) -> float:
    return float(face.mouth.lower_outer[10, 1] - face.mouth.lower_inner[10, 1])


def eye_opening(face: FaceShape) -> float:
    return float((face.eyes[1].lower[:, 1] - face.eyes[1].upper[:, 1]).max())


def lower_lid_height(face: FaceShape) -> float:
    return -float(face.eyes[1].lower[7, 1])


def inner_brow_height(face: FaceShape) -> float:
    brow = face.brows[1]
    return -float(brow[brow[:, 0] < brow[:, 0].min() + 0.03, 1].mean())


def outer_brow_height(face: FaceShape) -> float:
    brow = face.brows[1]
    return -float(brow[brow[:, 0] > brow[:, 0].max() - 0.03, 1].mean())


def nostril_height(face: FaceShape) -> float:
    return -face.nostril_y[1]


def upper_lip_height(face: FaceShape) -> float:
    return -float(face.mouth.upper_outer[10, 1])


def chin(face: FaceShape) -> float:
    return float(face.outline[:, 1].max())


@pytest.mark.parametrize(
    ("unit", "measure", "direction"),
    [
        (1, inner_brow_height, +1),
        (2, outer_brow_height, +1),
        (4, inner_brow_height, -1),
        (5, eye_opening, +1),
        (6, lower_lid_height, +1),
        (7, lower_lid_height, +1),
        (9, nostril_height, +1),
        (10, upper_lip_height, +1),
        (12, corner_height, +1),
        (14, corner_height, +1),
        (15, corner_height, -1),
        (17, upper_lip_height, +1),
        (20, mouth_width, +1),
        (23, lip_thickness, -1),
        (24, lip_thickness, -1),
        (25, mouth_gap, +1),
        (26, chin, +1),
        (26, mouth_gap, +1),
        (27, mouth_gap, +1),
        (43, eye_opening, -1),
    ],
)
def test_a_unit_moves_its_landmark_monotonically(
    unit: int, measure: Callable[[FaceShape], float], direction: int
) -> None:
    steps = np.diff([measure(shape({unit: level})) for level in LEVELS])
    assert (direction * steps > 0).all(), f"AU{unit} ({UNIT_NAMES[unit]}): {steps}"


def test_au16_lowers_the_lower_lip_of_a_parted_mouth() -> None:
    lowered = [shape({25: 0.6, 16: level}).mouth.lower_outer[10, 1] for level in LEVELS]
    assert (np.diff(lowered) > 0).all()


def test_a_unilateral_dimple_lifts_one_corner_only() -> None:
    face = Expression(units={14: Sides(0.9, 0.0)})
    line = shape_face(WHO, face, gaze=(0.0, 0.0)).mouth.upper_inner
    relaxed = shape({}).mouth.upper_inner
    assert line[0, 1] < relaxed[0, 1] - 0.05
    assert line[-1, 1] == relaxed[-1, 1]


@pytest.mark.parametrize("unit", [1, 2, 4, 6, 9, 10, 12, 14, 15, 17])
def test_units_that_fold_the_skin_deepen_a_fold(unit: int) -> None:
    def depth(level: float) -> float:
        face = symmetric({unit: level})
        return sum(crease.depth for crease in creases(WHO, face, shape({unit: level})))

    assert depth(0.0) < depth(0.4) < depth(0.8)


def test_every_prototype_uses_units_the_renderer_draws() -> None:
    assert tuple(sorted(PROTOTYPES)) == tuple(sorted(EMOTIONS))
    for variants in PROTOTYPES.values():
        assert all(set(variant) <= set(UNIT_NAMES) for variant in variants)


@pytest.mark.parametrize(
    ("emotion", "unit", "rival"),
    [
        ("anger", 4, "surprise"),
        ("disgust", 9, "anger"),
        ("fear", 20, "surprise"),
        ("happiness", 12, "sadness"),
        ("sadness", 15, "happiness"),
        ("surprise", 26, "neutral"),
        ("contempt", 14, "neutral"),
    ],
)
def test_an_emotion_shows_its_signature_more_than_a_rival(
    emotion: str, unit: int, rival: str
) -> None:
    def average(name: str) -> float:
        rng = Generator(PCG64(11))
        return float(np.mean([sample_expression(name, rng).mean(unit) for _ in range(200)]))

    assert average(emotion) > average(rival) + 0.2


def test_contempt_is_one_sided_and_on_either_side() -> None:
    rng = Generator(PCG64(3))
    dimples = [sample_expression("contempt", rng).units[14] for _ in range(50)]
    assert all(min(sides) < 0.2 * max(sides) for sides in dimples)
    assert 10 < sum(sides.left > sides.right for sides in dimples) < 40


def test_an_unknown_emotion_is_refused_with_a_suggestion() -> None:
    with pytest.raises(LabelMismatch, match="Did you mean 'sadness'"):
        sample_expression("sadnes", Generator(PCG64(0)))
