"""Who the face belongs to: proportions, skin, hair, beard, glasses. Data and its distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from numpy.random import Generator

Colour = tuple[float, float, float]  # R, G, B, 0..255
HairStyle = Literal["bald", "buzz", "short", "swept", "fringe", "long"]
Glasses = Literal["none", "round", "square"]
T = TypeVar("T")

_SKINS: tuple[Colour, ...] = (
    (247, 216, 196),
    (238, 200, 174),
    (228, 184, 152),
    (213, 166, 130),
    (184, 132, 98),
    (142, 96, 68),
    (96, 64, 48),
)
_HAIRS: tuple[Colour, ...] = (
    (26, 22, 22),
    (52, 36, 28),
    (92, 62, 42),
    (140, 100, 62),
    (196, 160, 104),
    (128, 60, 34),
)
_GREY_HAIR: Colour = (178, 176, 174)
_IRISES: tuple[Colour, ...] = ((58, 38, 26), (92, 62, 36), (86, 102, 70), (86, 120, 150))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One invented person.

    Lengths are in head units (1 is about half the height of a face; x grows to the image's right,
    y downwards); ``*_scale`` multiplies an average proportion; ``age``, ``beard`` and
    ``moustache`` run from 0 to 1.
    """

    age: float
    skin: Colour
    hair: Colour
    iris: Colour
    hair_style: HairStyle
    hair_volume: float
    hairline: float
    parting: float
    face_scale: float
    jaw_scale: float
    chin_scale: float
    chin_y: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_opening: float
    eye_tilt: float
    brow_gap: float
    brow_arch: float
    brow_tilt: float
    brow_thickness: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    corner_rest: float
    lip_tint: float
    beard: float
    moustache: float
    glasses: Glasses


def sample_identity(rng: Generator) -> Identity:
    """Draw one person; independent of any expression."""
    age = float(rng.beta(1.6, 2.4))
    skin = _between(_SKINS, rng.random(), rng, jitter=7)
    # Light hair on dark skin is rare enough to look like an artefact of the generator.
    lightness = sum(skin) / (3 * 255)
    hair = _between(_HAIRS, rng.random() * (0.25 if lightness < 0.5 else 1.0), rng, jitter=8)
    hair = _mix(hair, _GREY_HAIR, max(0.0, age - 0.55) * 2 * rng.random())
    style = _pick(get_args(HairStyle), (0.07, 0.13, 0.25, 0.2, 0.13, 0.22), rng)
    bearded = rng.random() < (0.05 if style == "long" else 0.33)
    beard = rng.uniform(0.25, 1.0) if bearded else 0.0
    return Identity(
        age=age,
        skin=skin,
        hair=hair,
        iris=_IRISES[int(rng.integers(2 if lightness < 0.55 else len(_IRISES)))],
        hair_style=style,
        hair_volume=rng.uniform(0.05, 0.2),
        hairline=-0.74 + _normal(rng, 0.045),
        parting=rng.uniform(-0.35, 0.35),
        face_scale=1 + _normal(rng, 0.05),
        jaw_scale=1 + _normal(rng, 0.075),
        chin_scale=1 + _normal(rng, 0.13),
        chin_y=1.0 + _normal(rng, 0.045),
        eye_x=0.305 + _normal(rng, 0.015),
        eye_y=-0.17 + _normal(rng, 0.02),
        eye_width=0.15 + _normal(rng, 0.01),
        eye_opening=1 + _normal(rng, 0.11),
        eye_tilt=_normal(rng, 0.014),
        brow_gap=0.215 + _normal(rng, 0.02),
        brow_arch=0.035 + _normal(rng, 0.014),
        brow_tilt=_normal(rng, 0.016),
        brow_thickness=rng.uniform(0.03, 0.058),
        nose_y=0.235 + _normal(rng, 0.022),
        nose_width=0.135 + _normal(rng, 0.016),
        mouth_y=0.525 + _normal(rng, 0.022),
        mouth_width=0.255 + _normal(rng, 0.018),
        upper_lip=0.056 + _normal(rng, 0.013),
        lower_lip=0.078 + _normal(rng, 0.014),
        corner_rest=_normal(rng, 0.012),
        lip_tint=rng.uniform(0.35, 0.9),
        beard=beard,
        moustache=beard * rng.uniform(0.6, 1.0) if bearded else 0.0,
        glasses=_pick(get_args(Glasses), (0.8, 0.1, 0.1), rng),
    )


def _normal(rng: Generator, sigma: float) -> float:
    """Draw a normal deviate cut at 2.2 sigma: a longer tail leaves the range of human faces."""
    return min(max(float(rng.standard_normal()), -2.2), 2.2) * sigma


def _pick(options: tuple[T, ...], weights: tuple[float, ...], rng: Generator) -> T:
    return options[int(rng.choice(len(options), p=weights))]


def _between(table: tuple[Colour, ...], where: float, rng: Generator, *, jitter: float) -> Colour:
    """Interpolate in a colour table at ``where`` in 0..1 and jitter each channel."""
    position = where * (len(table) - 1)
    low = min(int(position), len(table) - 2)
    r, g, b = _mix(table[low], table[low + 1], position - low)
    dr, dg, db = (float(value) for value in rng.uniform(-jitter, jitter, 3))
    return r + dr, g + dg, b + db


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    r, g, b = ((1 - share) * a + share * z for a, z in zip(first, second, strict=True))
    return r, g, b
