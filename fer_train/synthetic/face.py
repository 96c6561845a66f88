"""One face from three independent streams of random numbers: person, expression, photograph."""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from fer_train.contract.labels import EMOTIONS, canonical_name
from fer_train.synthetic.action_units import Expression, sample_expression
from fer_train.synthetic.camera import expose
from fer_train.synthetic.canvas import Canvas, backdrop
from fer_train.synthetic.geometry import shape_face
from fer_train.synthetic.identity import Identity, sample_identity
from fer_train.synthetic.paint_features import (
    paint_brows,
    paint_eye,
    paint_folds,
    paint_mouth,
    paint_nose,
)
from fer_train.synthetic.paint_head import (
    paint_beard,
    paint_behind,
    paint_glasses,
    paint_hair,
    paint_skin,
)
from fer_train.synthetic.scene import Scene, sample_scene

#: Raised whenever any face changes by a single byte.
GENERATOR_VERSION = 1


def draw_face(emotion: str, *, seed: int, index: int, size: int) -> NDArray[np.uint8]:
    """Draw one synthetic face showing ``emotion``.

    The same arguments give the same bytes with the pinned NumPy and Pillow. ``seed`` and ``index``
    alone choose the person and the photograph, so the eight emotions of one index are one person
    in one pose.

    Args:
        emotion: one of the eight, or an alias.
        seed, index: not negative.
        size: side in pixels.

    Returns:
        uint8 RGB ``[size, size, 3]``.

    Raises:
        LabelMismatch: not one of the eight emotions.
    """
    name = canonical_name(emotion)
    who = sample_identity(stream(seed, index, 0))
    photograph = stream(seed, index, 1)
    scene = sample_scene(photograph)
    face = sample_expression(name, stream(seed, index, 2 + EMOTIONS.index(name)))
    return expose(paint(who, face, scene, size=size), scene, photograph)


def paint(who: Identity, face: Expression, scene: Scene, *, size: int) -> Canvas:
    """Paint every layer of a face, back to front."""
    shape = shape_face(who, face, gaze=scene.gaze)
    canvas = Canvas(scene, backdrop(scene, size=size), size=size)
    paint_behind(canvas, who, scene)
    paint_skin(canvas, who, shape)
    paint_folds(canvas, who, face, shape)
    for eye in shape.eyes:
        paint_eye(canvas, who, eye)
    paint_beard(canvas, who, shape)
    paint_nose(canvas, who, shape)
    paint_mouth(canvas, who, shape)
    paint_hair(canvas, who)
    # Brows over a low fringe, as illustrators do: the expression stays visible.
    paint_brows(canvas, who, shape)
    paint_glasses(canvas, who)
    return canvas


def stream(seed: int, index: int, purpose: int) -> Generator:
    """Return random numbers of their own for one purpose of one face."""
    return Generator(PCG64(SeedSequence([seed, index, purpose])))
