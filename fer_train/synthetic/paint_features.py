"""Paint what moves: eyes, brows, nose, mouth, and the folds an expression makes."""

from __future__ import annotations

import numpy as np

from fer_train.synthetic.action_units import Expression
from fer_train.synthetic.canvas import Canvas, blend, tone
from fer_train.synthetic.creases import bulges, creases
from fer_train.synthetic.curves import between, ellipse, ribbon, smooth
from fer_train.synthetic.geometry import SIDES, Eye, FaceShape, lips
from fer_train.synthetic.identity import Colour, Identity

_SCLERA: Colour = (236, 232, 228)
_PUPIL: Colour = (14, 12, 14)
_GLINT: Colour = (250, 250, 252)
_LASHES: Colour = (30, 22, 22)
_LIP: Colour = (186, 74, 78)
_MOUTH_INSIDE: Colour = (58, 18, 22)
_TONGUE: Colour = (176, 84, 88)
_TEETH: Colour = (238, 232, 222)
_PARTED = 0.016  # head units of gap below which the lips touch


def paint_folds(canvas: Canvas, who: Identity, face: Expression, shape: FaceShape) -> None:
    """Paint the relief that the muscles raise and the folds between."""
    for bulge in bulges(who, face, shape):
        canvas.shade(bulge.region, bulge.light)
    for crease in creases(who, face, shape):
        canvas.fold(crease.line, 0.75 * crease.depth, crease.width)


def paint_nose(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Paint bridge, tip, wings and nostrils; the tip stands out of the face when the head turns."""
    tip_y, half = shape.nose_tip[1], shape.nose_half_width
    bridge = smooth(
        [(-0.025, -0.25), (0.025, -0.25), (0.045, tip_y - 0.04), (-0.045, tip_y - 0.04)],
        closed=True,
    )
    canvas.shade(bridge, 0.55, lift=0.08)
    canvas.shade(ellipse(0.0, tip_y - 0.02, 0.06, 0.05), 0.75, lift=0.12)
    canvas.shade(ellipse(0.0, tip_y + 0.1, half, 0.03), -0.5)
    for side in SIDES:
        y = shape.nostril_y[0 if side < 0 else 1]
        flank = smooth([(side * 0.07, -0.12), (side * 0.085, 0.03), (side * 0.11, y - 0.08)],
                       closed=False)  # fmt: skip
        canvas.shade(ribbon(flank, 0.05), -0.45, lift=0.04)
        wing = smooth(
            [
                (side * (half - 0.02), y - 0.085),
                (side * (half + 0.012), y - 0.03),
                (side * (half - 0.015), y + 0.018),
                (side * (half - 0.06), y + 0.012),
            ],
            closed=False,
        )
        canvas.fold(wing, 0.62, 0.028, lift=0.05)
        nostril = ellipse(side * 0.47 * half, y + 0.008, 0.3 * half, 0.02)
        canvas.fill(nostril, tone(who.skin, 0.34), lift=0.08)


def paint_eye(canvas: Canvas, who: Identity, eye: Eye) -> None:
    """Paint the eyeball first and close the lids over it, so that they cut the iris."""
    canvas.fill(between(eye.upper, eye.lower), _SCLERA)
    x, y = eye.iris
    canvas.fill(ellipse(x, y, eye.iris_radius, eye.iris_radius), tone(who.iris, 0.6))
    canvas.fill(ellipse(x, y, eye.iris_radius * 0.8, eye.iris_radius * 0.8), who.iris)
    canvas.fill(ellipse(x, y, eye.iris_radius * 0.42, eye.iris_radius * 0.42), _PUPIL)
    canvas.fill(ellipse(x + 0.022, y - 0.024, 0.016, 0.016), _GLINT)
    canvas.fill(between(eye.upper - (0.0, 0.1), eye.upper), tone(who.skin, 0.9))
    canvas.fill(between(eye.lower, eye.lower - (0.0, -0.1)), tone(who.skin, 0.96))
    taper = np.linspace(0.012, 0.026, len(eye.upper))
    canvas.fill(ribbon(eye.upper, taper), blend(_LASHES, who.hair, 0.2))
    canvas.fill(ribbon(eye.lower, 0.009), tone(who.skin, 0.55))
    canvas.fold(eye.fold, 0.42, 0.02)


def paint_brows(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Paint the brows, darker than the hair as most are."""
    colour = blend(tone(who.hair, 0.8), who.skin, 0.12)
    for brow in shape.brows:
        canvas.fill(brow, colour, lift=0.02)


def paint_mouth(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Paint the inside, the teeth, then the lips."""
    mouth = shape.mouth
    upper, lower = lips(mouth)
    colour = blend(who.skin, blend(_LIP, tone(who.skin, 0.6), 0.35), who.lip_tint)
    inside = mouth.lower_inner - mouth.upper_inner
    if mouth.gap > _PARTED:
        canvas.fill(between(mouth.upper_inner, mouth.lower_inner), _MOUTH_INSIDE)
        if mouth.gap > 0.12:
            canvas.fill(between(mouth.upper_inner + 0.62 * inside, mouth.lower_inner), _TONGUE)
        reach = min(0.06 * mouth.teeth / mouth.gap, 0.9)
        canvas.fill(between(mouth.upper_inner, mouth.upper_inner + reach * inside), _TEETH)
    canvas.fill(upper, tone(colour, 0.84))
    canvas.fill(lower, colour)
    if mouth.gap <= _PARTED:
        middle = mouth.upper_inner + 0.5 * inside
        canvas.fill(ribbon(middle, 0.015), tone(colour, 0.4))
    for end in (mouth.upper_inner[0], mouth.upper_inner[-1]):
        canvas.shade(ellipse(float(end[0]), float(end[1]), 0.035, 0.035), -0.4)
