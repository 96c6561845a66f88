"""One drawn person over time: one face in all expressions, between them, and in motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fer_train.contract.labels import EMOTIONS
from fer_train.synthetic.action_units import RELAXED, Expression, Sides, sample_expression
from fer_train.synthetic.camera import expose
from fer_train.synthetic.face import paint, stream
from fer_train.synthetic.identity import Identity, sample_identity
from fer_train.synthetic.scene import Scene, sample_scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in front of a camera; ``looks`` is how they show each of the eight emotions."""

    who: Identity
    scene: Scene
    looks: Mapping[str, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What differs from the person's own scene: degrees, shares of the exposure, a blur sigma in
    thousandths of the image's side."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    exposure: float = 0.0
    blur: float = 0.0


STILL = Motion()


def draw_person(*, seed: int, index: int) -> Person:
    """Return the person whom ``draw_face`` draws for the same numbers."""
    return Person(
        who=sample_identity(stream(seed, index, 0)),
        scene=sample_scene(stream(seed, index, 1)),
        looks={
            name: sample_expression(name, stream(seed, index, 2 + place))
            for place, name in enumerate(EMOTIONS)
        },
    )


def between_looks(first: Expression, second: Expression, share: float) -> Expression:
    """Return the face on its way: every muscle ``share`` of the way between the two."""
    units = {}
    for unit in sorted(first.units.keys() | second.units.keys()):
        a, b = first.units.get(unit, RELAXED), second.units.get(unit, RELAXED)
        units[unit] = Sides(
            (1 - share) * a.left + share * b.left, (1 - share) * a.right + share * b.right
        )
    return Expression(units=units)


def photograph(
    person: Person, look: Expression, *, size: int, rng: Generator, motion: Motion = STILL
) -> NDArray[np.uint8]:
    """Draw one frame, uint8 RGB ``[size, size, 3]``; ``rng`` is the camera's noise."""
    scene = replace(
        person.scene,
        yaw=person.scene.yaw + motion.yaw,
        pitch=person.scene.pitch + motion.pitch,
        roll=person.scene.roll + motion.roll,
        exposure=person.scene.exposure + motion.exposure,
        blur=person.scene.blur + motion.blur,
    )
    return expose(paint(person.who, look, scene, size=size), scene, rng)
