"""Paint what frames a face: hair, neck, ears, skin, beard, glasses."""

from __future__ import annotations

from collections.abc import Callable

from fer_train.synthetic.canvas import Canvas, blend, tone
from fer_train.synthetic.curves import Curve, between, ellipse, mirrored, ribbon, smooth
from fer_train.synthetic.geometry import SIDES, FaceShape
from fer_train.synthetic.identity import Colour, Identity
from fer_train.synthetic.scene import Scene

_FRAME: Colour = (34, 30, 32)


def paint_behind(canvas: Canvas, who: Identity, scene: Scene) -> None:
    """Paint long hair, shoulders and neck."""
    if who.hair_style == "long":
        reach = 0.86 + who.hair_volume
        half = [(0.0, -1.2 - who.hair_volume), (0.7, -1.0), (reach, -0.2), (reach * 1.04, 0.9)]
        canvas.fill(
            smooth(mirrored([*half, (reach * 0.8, 1.4)]), closed=True), tone(who.hair, 0.85)
        )
    shoulders = [(0.0, 1.2), (0.45, 1.22), (1.1, 1.42), (1.7, 1.75), (1.7, 2.6), (0.0, 2.6)]
    canvas.fill(smooth(mirrored(shoulders), closed=True), scene.clothes)
    half_neck = 0.4 * who.jaw_scale
    neck = [(0.0, 0.5), (half_neck, 0.5), (half_neck * 1.05, 1.2), (0.25, 1.42), (0.0, 1.46)]
    canvas.fill(smooth(mirrored(neck), closed=True), tone(who.skin, 0.72))


def paint_skin(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Paint ears and the face, with the broad relief every face has."""
    for side in SIDES:
        x = side * 0.73 * who.face_scale
        canvas.fill(ellipse(x, 0.0, 0.085, 0.19), tone(who.skin, 0.9))
        canvas.fold(ellipse(x, 0.0, 0.045, 0.12)[4:20], 0.35, 0.03)
    canvas.fill(shape.outline, who.skin)
    flush = blend(who.skin, (205, 92, 84), 0.45)
    canvas.stain(
        [(ellipse(side * 0.38, 0.22, 0.17, 0.13), 0.3) for side in SIDES], flush, blur=0.07
    )
    canvas.shade(ellipse(0.0, -0.66, 0.34, 0.16), 0.3)
    for side in SIDES:
        canvas.shade(ellipse(side * 0.62, 0.4, 0.09, 0.4), -0.3)
        canvas.shade(ellipse(side * 0.2, -0.2, 0.1, 0.1), -0.4)
        canvas.shade(ellipse(side * who.eye_x, who.eye_y - 0.09, 0.17, 0.06), -0.28)
    under_lip = float(shape.mouth.lower_outer[10, 1]) + 0.045
    canvas.shade(ellipse(0.0, under_lip, 0.14, 0.03), -0.5)


def paint_beard(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Blend the beard over the jaw and the moustache over the lip; the lips stay free."""
    if who.beard == 0:
        return
    f, chin = who.face_scale, shape.chin_y
    jaw = [(0.0, 0.72), (0.34, 0.62), (0.5 * f, 0.4), (0.64 * f, 0.0), (0.7 * f, 0.1)]
    jaw += [(0.62 * f * who.jaw_scale, 0.6), (0.3 * f * who.chin_scale, chin - 0.06), (0.0, chin)]
    left, right = shape.mouth.upper_outer[0], shape.mouth.upper_outer[-1]
    top = shape.nose_tip[1] + 0.09
    moustache = smooth(
        [
            (0.0, top),
            (0.16, top + 0.03),
            (float(right[0]) + 0.05, float(right[1]) + 0.06),
            (0.0, float(shape.mouth.upper_inner[10, 1])),
            (float(left[0]) - 0.05, float(left[1]) + 0.06),
            (-0.16, top + 0.03),
        ],
        closed=True,
    )
    clear = between(shape.mouth.upper_outer, shape.mouth.lower_outer)
    regions = [
        (smooth(mirrored(jaw), closed=True), 0.85 * who.beard),
        (moustache, 0.85 * who.moustache),
        (clear, 0.0),
    ]
    canvas.stain(regions, who.hair, blur=0.035)


def paint_hair(canvas: Canvas, who: Identity) -> None:
    """Paint the hair in front of the skull, with strands."""
    if who.hair_style == "bald":
        return
    hairline, crown = _HAIR[who.hair_style](who)
    if who.hair_style == "buzz":
        canvas.stain([(between(hairline, crown), 0.75)], who.hair, blur=0.03)
        return
    canvas.cover(between(hairline, crown), who.hair)
    steps = min(len(hairline), len(crown))
    for k in range(steps):
        strand = smooth(
            [
                tuple(crown[k * len(crown) // steps]),
                tuple(hairline[k * len(hairline) // steps]),
            ],
            closed=False,
        )
        shade = 0.72 if k % 3 == 0 else 1.22 if k % 3 == 1 else 1.0
        canvas.fill(ribbon(strand, 0.018), tone(who.hair, shade))


def paint_glasses(canvas: Canvas, who: Identity) -> None:
    """Paint the frame; the lenses stay clear except for a faint tint."""
    if who.glasses == "none":
        return
    lift, y = 0.1, who.eye_y + 0.025
    for side in SIDES:
        x = side * (who.eye_x + 0.01)
        if who.glasses == "round":
            rim = ellipse(x, y, 0.2, 0.18)
        else:
            rim = smooth(
                [(x - 0.21, y - 0.1), (x, y - 0.15), (x + 0.21, y - 0.1), (x + 0.19, y + 0.12),
                 (x, y + 0.15), (x - 0.19, y + 0.12)],
                closed=True,
            )  # fmt: skip
        canvas.outline(rim, _FRAME, width=0.022, lift=lift)
        temple = smooth([(x + side * 0.2, y - 0.04), (side * 0.74, y - 0.06)], closed=False)
        canvas.fill(ribbon(temple, 0.025), _FRAME)
    bridge = smooth([(-0.11, y - 0.01), (0.0, y - 0.04), (0.11, y - 0.01)], closed=False)
    canvas.fill(ribbon(bridge, 0.024), _FRAME, lift=lift)


def _cap(who: Identity, *, volume: float, front: list[tuple[float, float]]) -> tuple[Curve, Curve]:
    """Return the hairline through ``front`` and the crown above it, both left to right."""
    f, reach = who.face_scale, 0.73 + volume
    crown = [(-reach * f, -0.18), (-reach * 0.96 * f, -0.66), (-0.46, -1.06 - volume),
             (0.0, -1.12 - volume), (0.46, -1.06 - volume), (reach * 0.96 * f, -0.66),
             (reach * f, -0.18)]  # fmt: skip
    ends = [(-0.69 * f, -0.12), (-0.64 * f, -0.46)], [(0.64 * f, -0.46), (0.69 * f, -0.12)]
    return smooth([*ends[0], *front, *ends[1]], closed=False), smooth(crown, closed=False)


def _straight(who: Identity) -> tuple[Curve, Curve]:
    y = who.hairline
    front = [(-0.42, y - 0.04), (0.0, y - 0.06), (0.42, y - 0.04)]
    return _cap(who, volume=who.hair_volume * 0.7, front=front)


def _buzz(who: Identity) -> tuple[Curve, Curve]:
    y = who.hairline - 0.02
    return _cap(who, volume=-0.07, front=[(-0.44, y), (0.0, y - 0.05), (0.44, y)])


def _swept(who: Identity) -> tuple[Curve, Curve]:
    y, part = who.hairline, who.parting
    front = [(part - 0.32, y + 0.1), (part, y - 0.12), (part + 0.3, y + 0.08)]
    return _cap(who, volume=who.hair_volume, front=front)


def _fringe(who: Identity) -> tuple[Curve, Curve]:
    y = who.hairline + 0.15
    front = [(-0.45, y), (-0.15, y + 0.03), (0.15, y), (0.45, y + 0.02)]
    return _cap(who, volume=who.hair_volume, front=front)


_HAIR: dict[str, Callable[[Identity], tuple[Curve, Curve]]] = {
    "buzz": _buzz,
    "short": _straight,
    "swept": _swept,
    "fringe": _fringe,
    "long": _swept,
}
