"""Small curve vocabulary: every curve is ``[N, 2]`` float64 in head units, y downwards.

Only +, -, *, / and sqrt touch arrays here: those are exact in IEEE arithmetic, so a face has the
same bytes whatever vector unit NumPy found. (NumPy's array sin and exp differ between CPUs.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

_STEPS = 24
_CIRCLE: Curve = np.array(
    [
        (math.cos(2 * math.pi * step / _STEPS), math.sin(2 * math.pi * step / _STEPS))
        for step in range(_STEPS)
    ]
)
_PER_SEGMENT = 5


def _catmull_rom_basis() -> NDArray[np.float64]:
    """Return the weights ``[_PER_SEGMENT, 4]`` of four control points along one segment."""
    t = np.arange(_PER_SEGMENT) / _PER_SEGMENT
    columns = (
        -t + 2 * t * t - t * t * t,
        2 - 5 * t * t + 3 * t * t * t,
        t + 4 * t * t - 3 * t * t * t,
        t * t * t - t * t,
    )
    return np.stack(columns, axis=1) / 2


_BASIS = _catmull_rom_basis()


def ellipse(x: float, y: float, rx: float, ry: float) -> Curve:
    """Return a closed ellipse of radii ``rx``, ``ry`` about ``(x, y)``."""
    return _CIRCLE * (rx, ry) + (x, y)


def smooth(points: Sequence[tuple[float, float]], *, closed: bool) -> Curve:
    """Return a Catmull-Rom curve through ``points``."""
    knots = np.asarray(points, dtype=np.float64)
    ends = (knots[-1:], knots[:2]) if closed else (knots[:1], knots[-1:])
    padded = np.concatenate([ends[0], knots, ends[1]])
    segments = len(padded) - 3
    curve = sum(_BASIS[None, :, k, None] * padded[k : k + segments, None, :] for k in range(4))
    flat: Curve = np.asarray(curve).reshape(-1, 2)
    return flat if closed else np.concatenate([flat, knots[-1:]])


def mirrored(half: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Close a right half, listed from top to bottom, with its mirror image on the left."""
    return [*half, *((-x, y) for x, y in reversed(half) if x != 0)]


def ribbon(line: Curve, widths: float | NDArray[np.float64]) -> Curve:
    """Return the closed outline of a stroke along ``line``; ``widths`` may vary per point."""
    along = np.gradient(line, axis=0)
    length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1]) + 1e-9
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    half = normal * (np.broadcast_to(widths, len(line))[:, None] / 2)
    return np.concatenate([line + half, (line - half)[::-1]])


def between(top: Curve, bottom: Curve) -> Curve:
    """Return the closed region between two curves that run in the same direction."""
    return np.concatenate([top, bottom[::-1]])
