"""Facial action units, and the combinations of them that signal each emotion.

Numbers are those of FACS (Ekman, Friesen & Hager, *Facial Action Coding System*, 2002); the
combinations follow EMFACS (Friesen & Ekman, 1983). AU20 is the lip stretcher, AU23 the lip
tightener, and so on: `UNIT_NAMES` lists every unit the renderer knows how to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from numpy.random import Generator

from fer_train.contract.labels import canonical_name

UNIT_NAMES: Mapping[int, str] = MappingProxyType(
    {
        1: "inner brow raiser",
        2: "outer brow raiser",
        4: "brow lowerer",
        5: "upper lid raiser",
        6: "cheek raiser",
        7: "lid tightener",
        9: "nose wrinkler",
        10: "upper lip raiser",
        12: "lip corner puller",
        14: "dimpler",
        15: "lip corner depressor",
        16: "lower lip depressor",
        17: "chin raiser",
        20: "lip stretcher",
        23: "lip tightener",
        24: "lip pressor",
        25: "lips part",
        26: "jaw drop",
        27: "mouth stretch",
        43: "eye closure",
    }
)

#: Per emotion, the alternative combinations; a unit's value is its share of the face's intensity.
PROTOTYPES: Mapping[str, tuple[Mapping[int, float], ...]] = MappingProxyType(
    {
        "anger": (
            {4: 1.0, 5: 0.5, 7: 0.8, 23: 0.8},
            {4: 1.0, 7: 0.9, 24: 0.9, 17: 0.4},
            {4: 1.0, 5: 0.5, 7: 0.7, 10: 0.5, 25: 0.6, 23: 0.3},
        ),
        "disgust": (
            {9: 1.0, 10: 0.6, 17: 0.4, 4: 0.3},
            {9: 0.9, 15: 0.6, 16: 0.6, 25: 0.4, 7: 0.4},
            {10: 1.0, 9: 0.5, 25: 0.5, 7: 0.3},
        ),
        "fear": (
            {1: 0.9, 2: 0.6, 4: 0.6, 5: 1.0, 20: 0.9, 25: 0.7},
            {1: 1.0, 2: 0.5, 4: 0.7, 5: 0.9, 20: 0.8, 26: 0.5, 25: 0.5},
            {1: 0.8, 2: 0.6, 4: 0.5, 5: 1.0, 20: 0.7, 7: 0.3},
        ),
        "happiness": (
            {6: 0.9, 12: 1.0, 25: 0.8},
            {6: 0.7, 12: 0.9},
            {6: 1.0, 12: 1.0, 25: 0.9, 26: 0.4},
        ),
        "sadness": (
            {1: 1.0, 4: 0.7, 15: 1.0, 17: 0.4},
            {1: 0.9, 4: 0.5, 15: 0.9, 43: 0.35},
            {1: 0.8, 15: 1.0, 17: 0.7, 43: 0.25},
        ),
        "surprise": (
            {1: 1.0, 2: 1.0, 5: 0.8, 25: 0.6, 26: 1.0},
            {1: 0.9, 2: 1.0, 5: 0.9, 25: 0.5, 27: 0.9},
            {1: 1.0, 2: 0.9, 5: 0.6, 25: 0.7, 26: 0.6},
        ),
        "neutral": ({},),
        "contempt": (
            {14: 1.0},
            {14: 0.8, 12: 0.6},
            {14: 0.9, 12: 0.4, 17: 0.2, 2: 0.3},
        ),
    }
)

#: Shown on one side of the face only; the other side keeps a trace.
UNILATERAL: frozenset[str] = frozenset({"contempt"})

_SUBTLE_SHARE = 0.2  # of the faces: the hard minority
_SUBTLE_RANGE = (0.25, 0.6)  # intensity; 1 is the strongest a relaxed actor shows
_CLEAR_RANGE = (0.8, 1.15)
_STRAY_PROBABILITY = 0.05  # per unit and face: units that signal nothing
_STRAY_MAX = 0.35
_LIMIT = 1.2


class Sides(NamedTuple):
    """An activation, 0 (relaxed) to about 1, on the image's left and right half of the face."""

    left: float
    right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """The action units of one face; units that are absent are relaxed."""

    units: Mapping[int, Sides]

    def at(self, unit: int, side: int) -> float:
        """Return a unit's activation on one side: -1 is the image's left, +1 its right."""
        sides = self.units.get(unit, RELAXED)
        return sides.left if side < 0 else sides.right

    def mean(self, unit: int) -> float:
        """Return the mean over both sides; what moves the middle of the face."""
        sides = self.units.get(unit, RELAXED)
        return (sides.left + sides.right) / 2


RELAXED = Sides(0.0, 0.0)


def sample_expression(emotion: str, rng: Generator) -> Expression:
    """Draw one person's way of showing ``emotion``: variant, intensity, asymmetry, stray units.

    Raises:
        LabelMismatch: not one of the eight emotions.
    """
    name = canonical_name(emotion)
    variants = PROTOTYPES[name]
    prototype = variants[int(rng.integers(len(variants)))]
    subtle = rng.random() < _SUBTLE_SHARE
    intensity = rng.uniform(*(_SUBTLE_RANGE if subtle else _CLEAR_RANGE))
    strong_side = -1 if rng.random() < 0.5 else 1
    units: dict[int, Sides] = {}
    for unit in UNIT_NAMES:
        # Every unit consumes the same draws, so that a change to one prototype leaves the other
        # emotions' faces as they were.
        spread, tilt, chance, stray = rng.uniform(0.8, 1.2), rng.normal(0, 0.1), *rng.random(2)
        level = prototype.get(unit, 0.0) * intensity * spread
        if chance < _STRAY_PROBABILITY and unit not in prototype:
            level = stray * _STRAY_MAX
        left, right = level * (1 + tilt), level * (1 - tilt)
        if name in UNILATERAL:
            trace = 0.15 * stray
            left, right = (left, right * trace) if strong_side < 0 else (left * trace, right)
        if level > 0:
            units[unit] = Sides(_clamp(left), _clamp(right))
    return Expression(units=units)


def _clamp(level: float) -> float:
    return min(max(level, 0.0), _LIMIT)
