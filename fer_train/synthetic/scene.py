"""Everything around the person: pose, framing, light, camera, background. Data and distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.random import Generator

from fer_train.synthetic.curves import Curve
from fer_train.synthetic.identity import Colour

#: Half-axes of the ellipsoid on which flat curves are laid before the head turns (head units).
HEAD_X, HEAD_Y, HEAD_Z = 0.78, 1.15, 0.72
_PIVOT_Z = 0.3  # the neck's axis lies behind the face
_VIEW = 2.1  # head units across the image at zoom 1
_CENTRE_Y = 0.0  # head units: the crown may leave the image, the chin may not


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One photograph.

    Angles are in degrees, shifts in image widths, light is a unit vector from the face towards the
    lamp (x right, y down, z to the camera), ``blur`` is a Gaussian sigma in thousandths of the
    image's side, ``noise`` a standard deviation in 8-bit levels.
    """

    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: tuple[float, float]
    gaze: tuple[float, float]
    light: tuple[float, float, float]
    ambient: float
    exposure: float
    warmth: float
    shine: float
    blur: float
    noise: float
    backdrop: tuple[Colour, Colour]
    clutter: tuple[tuple[float, float, float, Colour], ...]
    clothes: Colour


def sample_scene(rng: Generator) -> Scene:
    """Draw one photograph's circumstances; independent of person and expression."""
    azimuth, elevation = rng.uniform(-65, 65), rng.uniform(-12, 55)
    blurred, noisy = rng.random() < 0.2, rng.random() < 0.2
    return Scene(
        yaw=_normal(rng, 9.0),
        pitch=_normal(rng, 4.5),
        roll=_normal(rng, 5.0),
        zoom=rng.uniform(0.93, 1.07),
        shift=(_normal(rng, 0.012), _normal(rng, 0.012)),
        gaze=(_normal(rng, 0.45), _normal(rng, 0.3)),
        light=_direction(azimuth, elevation),
        ambient=rng.uniform(0.5, 0.85),
        exposure=0.08 + _normal(rng, 0.25),
        warmth=_normal(rng, 0.05),
        shine=rng.uniform(0.0, 0.35),
        blur=rng.uniform(6, 12) if blurred else rng.uniform(0, 5),
        noise=rng.uniform(7, 14) if noisy else rng.uniform(1, 5),
        backdrop=(_colour(rng), _colour(rng)),
        clutter=tuple(
            (rng.random(), rng.random(), rng.uniform(0.08, 0.35), _colour(rng))
            for _ in range(int(rng.integers(0, 7)))
        ),
        clothes=_colour(rng),
    )


class Projector:
    """Turns head units into pixels of a square canvas, with the head's pose."""

    def __init__(self, scene: Scene, *, side: int) -> None:
        self.unit = side * scene.zoom / _VIEW  # pixels per head unit
        self.centre = (side * (0.5 + scene.shift[0]), side * (0.5 + scene.shift[1]))
        angles = (math.radians(value) for value in (scene.yaw, scene.pitch, scene.roll))
        self._turns = tuple((math.cos(angle), math.sin(angle)) for angle in angles)

    def __call__(self, points: Curve, *, lift: float = 0.0) -> list[tuple[float, float]]:
        """Project ``[N, 2]`` head units, raised by ``lift`` above the head's surface."""
        (cos_yaw, sin_yaw), (cos_pitch, sin_pitch), (cos_roll, sin_roll) = self._turns
        cx, cy = self.centre
        pixels = []
        # A Python loop: curves have some 30 points, where a dozen NumPy calls cost more.
        for x, y in points.tolist():
            rim = 1 - (x / HEAD_X) ** 2 - ((y + 0.05) / HEAD_Y) ** 2
            z = (HEAD_Z * math.sqrt(rim) if rim > 0 else 0.0) + lift - _PIVOT_Z
            turned_x = x * cos_yaw + z * sin_yaw
            turned_z = z * cos_yaw - x * sin_yaw
            turned_y = (y - _CENTRE_Y) * cos_pitch - turned_z * sin_pitch
            pixels.append(
                (
                    cx + self.unit * (turned_x * cos_roll - turned_y * sin_roll),
                    cy + self.unit * (turned_x * sin_roll + turned_y * cos_roll),
                )
            )
        return pixels


def _direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    across, up = math.radians(azimuth), math.radians(elevation)
    return math.sin(across) * math.cos(up), -math.sin(up), math.cos(across) * math.cos(up)


def _normal(rng: Generator, sigma: float) -> float:
    return min(max(float(rng.standard_normal()), -2.2), 2.2) * sigma


def _colour(rng: Generator) -> Colour:
    """Draw a muted colour: a grey with a tint."""
    grey = rng.uniform(25, 225)
    r, g, b = (min(max(grey + float(tint), 0.0), 255.0) for tint in rng.uniform(-38, 38, 3))
    return r, g, b
