"""From a person and an expression to the curves of a face.

Head units: the origin lies between eyes and mouth, x grows to the image's right, y downwards; the
chin of an average face is at y = 1. Nothing here knows of pixels, pose or colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_train.synthetic.action_units import Expression
from fer_train.synthetic.curves import Curve, between, mirrored, ribbon, smooth
from fer_train.synthetic.identity import Identity

SIDES = (-1, 1)  # the image's left and right

_T = np.linspace(-1.0, 1.0, 21)  # along the mouth, corner to corner
_U = np.linspace(0.0, 1.0, 15)  # along an eye or brow, from the nose outwards
_EYE_ARC = 4 * _U * (1 - _U)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """One eye: lid margins from the inner to the outer corner, iris, and the fold above."""

    upper: Curve
    lower: Curve
    fold: Curve
    iris: tuple[float, float]
    iris_radius: float
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mouth:
    """Four curves from the image's left to its right corner, top to bottom."""

    upper_outer: Curve
    upper_inner: Curve
    lower_inner: Curve
    lower_outer: Curve
    gap: float
    teeth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShape:
    """The drawable face: closed outlines for skin and brows, curves for the rest."""

    outline: Curve
    brows: tuple[Curve, Curve]
    eyes: tuple[Eye, Eye]
    mouth: Mouth
    nose_tip: tuple[float, float]
    nostril_y: tuple[float, float]
    nose_half_width: float
    chin_y: float


def shape_face(who: Identity, face: Expression, *, gaze: tuple[float, float]) -> FaceShape:
    """Place every curve; ``gaze`` is -1..1 across and down."""
    drop = 0.13 * face.mean(26) + 0.24 * face.mean(27)
    wrinkle = face.mean(9)
    nose_y = who.nose_y - 0.035 * wrinkle - 0.012 * face.mean(10)
    left, right = (nose_y - 0.03 * face.at(9, s) - 0.015 * face.at(10, s) for s in SIDES)
    return FaceShape(
        outline=_outline(who, drop),
        brows=(_brow(who, face, -1), _brow(who, face, 1)),
        eyes=(_eye(who, face, -1, gaze), _eye(who, face, 1, gaze)),
        mouth=_mouth(who, face, drop),
        nose_tip=(0.0, nose_y - 0.03),
        nostril_y=(left, right),
        nose_half_width=who.nose_width * (1 + 0.14 * wrinkle + 0.06 * face.mean(12)),
        chin_y=who.chin_y + 0.8 * drop,
    )


def _outline(who: Identity, drop: float) -> Curve:
    f, j, c = who.face_scale, who.jaw_scale, who.chin_scale
    chin = who.chin_y + 0.8 * drop
    half = [
        (0.0, -1.04),
        (0.38 * f, -0.98),
        (0.63 * f, -0.68),
        (0.71 * f, -0.2),
        (0.685 * f, 0.2),
        (0.57 * f * j, 0.58 + 0.4 * drop),
        (0.28 * f * c, chin - 0.09),
        (0.0, chin),
    ]
    return smooth(mirrored(half), closed=True)


def _brow(who: Identity, face: Expression, side: int) -> Curve:
    """AU1 lifts the inner end, AU2 the outer half, AU4 lowers all and knits, AU9 pulls down."""
    one, two, four, nine = (face.at(unit, side) for unit in (1, 2, 4, 9))
    lid = 0.03 * face.at(5, side) - 0.02 * face.at(6, side)
    base = who.eye_y - who.brow_gap - lid
    knit = 0.045 * four + 0.015 * nine
    # Together with AU1, AU4 can no longer pull the inner end down: it only knits.
    pull = 0.145 * four * (1 - 0.75 * min(one, 1.0))
    inner = base - 0.15 * one - 0.03 * two + pull + 0.06 * nine - 0.5 * who.brow_tilt
    middle = base - who.brow_arch - 0.055 * one - 0.12 * two + 0.09 * four + 0.03 * nine
    outer = base + 0.03 + who.brow_tilt - 0.125 * two + 0.03 * four + 0.01 * nine
    if one > two:
        outer += 0.025 * (one - two)  # the oblique brow of grief
    line = smooth(
        [
            (side * (0.125 - knit), inner),
            (side * (0.25 - 0.6 * knit), 0.5 * (inner + middle) - 0.012),
            (side * 0.39, middle),
            (side * 0.52, outer),
        ],
        closed=False,
    )
    share = np.linspace(0.0, 1.0, len(line))
    return ribbon(line, who.brow_thickness * (1.0 + 0.9 * share - 1.65 * share * share))


def _eye(who: Identity, face: Expression, side: int, gaze: tuple[float, float]) -> Eye:
    """AU5 lifts the upper lid, AU43 drops it, AU7 and AU6 raise the lower, AU9 narrows."""
    five, six, seven, nine, shut = (face.at(unit, side) for unit in (5, 6, 7, 9, 43))
    top = 0.064 * who.eye_opening
    top += 0.048 * five - 0.014 * seven - 0.012 * six - 0.016 * nine - 0.01 * face.at(12, side)
    bottom = 0.046 * who.eye_opening
    bottom += 0.012 * five - 0.026 * seven - 0.03 * six - 0.02 * nine
    top, bottom = max(top, 0.016), max(bottom, 0.004)
    shut = min(shut, 1.0)
    top = (1 - shut) * top - shut * (bottom - 0.01)

    x = side * (who.eye_x + (2 * _U - 1) * who.eye_width)
    tilt = who.eye_tilt + (0.018 * face.at(1, side) if face.at(4, side) > 0 else 0.0)
    corner = who.eye_y + 0.012 * (1 - 2 * _U) + (2 * _U - 1) * tilt
    skew = 1 + 0.25 * (1 - 2 * _U)  # the upper lid peaks towards the nose
    upper = np.stack([x, corner - top * _EYE_ARC * skew], axis=1)
    lower = np.stack([x, corner + bottom * _EYE_ARC / skew], axis=1)
    lift = 0.032 + 0.012 * max(top, 0.0) / 0.064 - 0.014 * five
    fold = upper - np.stack([0 * _U, lift * (0.45 + 0.55 * _EYE_ARC)], axis=1)
    iris = (side * who.eye_x + 0.05 * gaze[0], who.eye_y - 0.01 + 0.03 * gaze[1])
    return Eye(upper=upper, lower=lower, fold=fold, iris=iris, iris_radius=0.066, side=side)


def _mouth(who: Identity, face: Expression, drop: float) -> Mouth:
    """Corners by AU12, 14, 15, 20, 23, 24; lips by AU10, 16, 17, 25; the jaw by AU26, 27."""
    chin_raise, tight = face.mean(17), min(face.mean(23) + face.mean(24), 1.2)
    part, stretch = face.mean(25), face.mean(20)
    centre = who.mouth_y - 0.028 * chin_raise - 0.018 * face.mean(10) + 0.012 * face.mean(12)
    corners = [_corner(who, face, side, centre, drop) for side in SIDES]
    (xl, yl), (xr, yr) = corners
    x = (xl + xr) / 2 + (xr - xl) / 2 * _T
    dome = 1 - _T * _T
    share = (1 + _T) / 2
    rest = (yl * (1 - share) + yr * share) * (1 - dome) + centre * dome

    up = 0.025 * part + 0.05 * face.mean(10) * min(part * 2, 1.0) + 0.1 * drop
    down = 0.045 * part + 0.045 * face.mean(16) * min(part * 2, 1.0) + 0.9 * drop
    down += 0.025 * part * face.mean(12)
    # A stretched or smiling opening is a band, a dropped jaw an oval.
    band = np.sqrt(dome) if drop < 0.03 else dome * (1.3 - 0.3 * dome)
    upper_inner = rest - up * band
    lower_inner = rest + down * band

    thin = 1 - 0.5 * tight - 0.22 * stretch - 0.2 * face.mean(12) + 0.2 * face.mean(16)
    upper = max(who.upper_lip * (thin - 0.25 * face.mean(10)), 0.012)
    lower = max(who.lower_lip * (thin - 0.1 * chin_raise), 0.016)
    bow = np.maximum(0.0, 1 - (_T / 0.28) * (_T / 0.28))
    upper_outer = upper_inner - upper * np.sqrt(dome) * (1 - 0.3 * bow)
    upper_outer = upper_outer - 0.035 * face.mean(10) * dome * (1 - 0.3 * bow)
    lower_outer = lower_inner + lower * dome * (1.35 - 0.35 * dome)
    curves = (
        np.stack([x, y], axis=1) for y in (upper_outer, upper_inner, lower_inner, lower_outer)
    )
    top, inner_top, inner_bottom, bottom = curves
    return Mouth(
        upper_outer=top,
        upper_inner=inner_top,
        lower_inner=inner_bottom,
        lower_outer=bottom,
        gap=up + down,
        teeth=max(0.0, 0.35 + 0.6 * face.mean(12) + 0.5 * face.mean(10) + 0.2 * stretch),
    )


def _corner(
    who: Identity, face: Expression, side: int, centre: float, drop: float
) -> tuple[float, float]:
    twelve, fourteen, fifteen = (face.at(unit, side) for unit in (12, 14, 15))
    width = who.mouth_width + 0.07 * twelve + 0.035 * fourteen + 0.075 * face.at(20, side)
    width -= 0.04 * face.at(23, side) + 0.012 * face.at(24, side) + 0.22 * drop
    rise = who.corner_rest + 0.12 * twelve + 0.1 * fourteen
    rise -= 0.115 * fifteen + 0.028 * face.at(20, side) + 0.035 * face.at(17, side)
    return side * width, centre - rise + 0.35 * drop


def lips(mouth: Mouth) -> tuple[Curve, Curve]:
    """Return the closed upper and lower lip."""
    upper = between(mouth.upper_outer, mouth.upper_inner)
    return upper, between(mouth.lower_inner, mouth.lower_outer)
