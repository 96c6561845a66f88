"""Folds and bulges of the skin that an expression makes; what shading shows of a muscle.

Each is a curve with a strength from 0 to 1; age adds a little of the permanent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from fer_train.synthetic.action_units import Expression
from fer_train.synthetic.curves import Curve, ellipse, smooth
from fer_train.synthetic.geometry import SIDES, FaceShape
from fer_train.synthetic.identity import Identity

_VISIBLE = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Crease:
    """A dark fold along ``line``, at most ``width`` head units wide."""

    line: Curve
    depth: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulge:
    """A closed region that catches (positive) or loses (negative) light."""

    region: Curve
    light: float


def creases(who: Identity, face: Expression, shape: FaceShape) -> list[Crease]:
    """Return every visible fold of this person with this expression."""
    found = [*_forehead(who, face), *_between_brows(face), *_nose(face)]
    for side in SIDES:
        found += _cheek(who, face, shape, side)
    found += _chin(face, shape)
    return [crease for crease in found if crease.depth > _VISIBLE]


def bulges(who: Identity, face: Expression, shape: FaceShape) -> list[Bulge]:
    """Return the cheeks, eye bags and chin boss that an expression pushes up."""
    found = []
    for side in SIDES:
        six, twelve = face.at(6, side), face.at(12, side)
        raised = 0.6 * six + 0.4 * twelve
        x, y = side * 0.4, 0.2 - 0.05 * raised
        found.append(Bulge(region=ellipse(x, y, 0.16, 0.1), light=0.25 + 0.45 * raised))
        found.append(
            Bulge(region=ellipse(side * 0.42, 0.42, 0.1, 0.12), light=-0.15 - 0.15 * twelve)
        )
        bag = ellipse(side * who.eye_x, who.eye_y + 0.1, 0.13, 0.035)
        found.append(Bulge(region=bag, light=-0.2 - 0.3 * who.age - 0.3 * six))
    boss = ellipse(0.0, shape.chin_y - 0.17, 0.15, 0.09)
    found.append(Bulge(region=boss, light=0.3 + 0.3 * face.mean(17)))
    return found


def _forehead(who: Identity, face: Expression) -> list[Crease]:
    inner, outer = face.mean(1), face.mean(2)
    found = []
    for row in range(3):
        y = -0.53 - 0.075 * row
        reach = 0.2 + 0.22 * outer
        bend = 0.03 * outer - 0.05 * max(inner - outer, 0.0)
        line = smooth([(-reach, y + bend), (0.0, y - 0.01), (reach, y + bend)], closed=False)
        depth = 0.55 * inner + 0.5 * outer + 0.35 * max(who.age - 0.4, 0.0)
        found.append(Crease(line=line, depth=depth * (1 - 0.2 * row), width=0.02))
    return found


def _between_brows(face: Expression) -> list[Crease]:
    found = []
    for side in SIDES:
        x = side * 0.05
        line = smooth([(x * 1.3, -0.44), (x, -0.36), (x * 0.8, -0.27)], closed=False)
        found.append(Crease(line=line, depth=0.95 * face.at(4, side), width=0.028))
    return found


def _nose(face: Expression) -> list[Crease]:
    """AU9: wrinkles across the bridge and down its sides."""
    found = []
    for row in range(3):
        y = -0.2 + 0.06 * row
        line = smooth([(-0.09, y + 0.03), (0.0, y), (0.09, y + 0.03)], closed=False)
        found.append(Crease(line=line, depth=0.85 * face.mean(9), width=0.022))
    for side in SIDES:
        line = smooth([(side * 0.1, -0.1), (side * 0.13, 0.0), (side * 0.19, 0.08)], closed=False)
        found.append(Crease(line=line, depth=0.8 * face.at(9, side), width=0.026))
    return found


def _cheek(who: Identity, face: Expression, shape: FaceShape, side: int) -> list[Crease]:
    """Nasolabial fold, crow's feet, dimple, and the line under a lowered corner."""
    nine, ten, twelve = (face.at(unit, side) for unit in (9, 10, 12))
    mouth = shape.mouth.upper_inner
    corner_x, corner_y = (float(value) for value in mouth[0 if side < 0 else -1])
    wing_y = shape.nostril_y[0 if side < 0 else 1]
    wing_x = side * (shape.nose_half_width + 0.035)
    out_x = corner_x + side * (0.055 + 0.025 * twelve)
    middle = ((wing_x + out_x) / 2 + side * 0.035 * (twelve + 0.7 * ten), (wing_y + corner_y) / 2)
    fold = smooth([(wing_x, wing_y - 0.03), middle, (out_x, corner_y + 0.01)], closed=False)
    depth = 0.12 + 0.4 * who.age + 0.75 * twelve + 0.7 * ten + 0.45 * nine
    found = [Crease(line=fold, depth=min(depth, 1.0), width=0.032)]

    x, y, six = side * (who.eye_x + who.eye_width + 0.03), who.eye_y, face.at(6, side)
    for row in (-1, 0, 1):
        foot = smooth(
            [(x, y + 0.025 * row), (x + side * 0.09, y + 0.01 + 0.065 * row)], closed=False
        )
        depth = 0.7 * six + 0.3 * max(who.age - 0.5, 0.0)
        found.append(Crease(line=foot, depth=depth, width=0.016))

    dimple = smooth(
        [
            (corner_x + side * 0.02, corner_y - 0.065),
            (corner_x + side * 0.05, corner_y),
            (corner_x + side * 0.025, corner_y + 0.06),
        ],
        closed=False,
    )
    found.append(Crease(line=dimple, depth=face.at(14, side), width=0.042))
    lowered = smooth(
        [
            (corner_x, corner_y),
            (corner_x + side * 0.035, corner_y + 0.06),
            (corner_x + side * 0.03, corner_y + 0.14),
        ],
        closed=False,
    )
    lowered_depth = 0.8 * face.at(15, side) + 0.25 * max(who.age - 0.5, 0.0)
    found.append(Crease(line=lowered, depth=lowered_depth, width=0.03))
    return found


def _chin(face: Expression, shape: FaceShape) -> list[Crease]:
    """AU17: the fold between the lower lip and the chin boss bends upwards."""
    y = 0.5 * (float(shape.mouth.lower_outer[10, 1]) + shape.chin_y) - 0.05
    line = smooth([(-0.13, y + 0.04), (0.0, y - 0.01), (0.13, y + 0.04)], closed=False)
    return [Crease(line=line, depth=0.15 + 0.65 * face.mean(17), width=0.03)]
