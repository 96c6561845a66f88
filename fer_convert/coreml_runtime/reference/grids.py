"""Where a resized axis samples its input, and how it interpolates there.

Positions count input elements from 0 and are fp64: a position that should be whole must not fall
just below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_Points = Callable[[Tensor, int], Tensor]


def sample_points(mode: str, size: Tensor, count: int) -> Tensor:
    """The ``count`` positions at which ``mode`` samples an axis of ``size`` elements.

    The formulas are those of the specification's ``resize_bilinear``; positions never leave
    ``0 .. size - 1``. ``size`` may be fractional, or below 1 for a box that runs backwards.

    Args:
        size: ``[*]``.

    Returns:
        fp64 ``[*, count]``.

    Raises:
        KeyError: no such mode.
    """
    sizes = size.double().unsqueeze(-1)
    points, end = _MODES[mode](sizes, count), sizes - 1
    return torch.minimum(torch.maximum(points, end.clamp(max=0)), end.clamp(min=0))


def nearest_points(mode: str, size: int, count: int) -> Tensor:
    """The elements that nearest-neighbour sampling takes: the nearest to each of `sample_points`,
    of two equally near the later.

    DEFAULT takes those of UNALIGN_CORNERS: Apple's own tests of ``resize`` (2 elements to 3, 2 to
    60) are only met by the centres of pixels.

    Returns:
        int64 ``[count]``.
    """
    if mode in {"DEFAULT", "UNALIGN_CORNERS"}:  # whole numbers: no rounding can go astray
        return torch.div((2 * torch.arange(count) + 1) * size, 2 * count, rounding_mode="floor")
    points = sample_points(mode, torch.tensor(size), count)
    return (points + 0.5).floor().long().clamp(max=size - 1)


def interpolate(x: Tensor, axis: int, points: Tensor) -> Tensor:
    """Sample ``x`` at ``points`` along a negative ``axis``, linearly between two elements.

    Args:
        points: fp64 ``[count]``, within the axis.
    """
    low = points.floor().long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    share = (points - low).to(x.dtype).reshape(-1, *(1,) * (-1 - axis))
    return torch.lerp(x.index_select(axis, low), x.index_select(axis, high), share)


def _steps(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64)


def _strict_align(size: Tensor, count: int) -> Tensor:
    return _steps(count) * (size - 1) / max(1, count - 1)


def _align(size: Tensor, count: int) -> Tensor:
    return (size - 1) / 2 if count == 1 else _strict_align(size, count)


def _default(size: Tensor, count: int) -> Tensor:
    return _steps(count) * size / count


def _offset(size: Tensor, count: int) -> Tensor:
    return (_steps(count) + 0.5) * (size - 1).clamp(min=1) / count


def _unalign(size: Tensor, count: int) -> Tensor:
    return (_steps(count) + 0.5) * size / count - 0.5


_MODES: Mapping[str, _Points] = {
    "STRICT_ALIGN_CORNERS": _strict_align,
    "ALIGN_CORNERS": _align,
    "DEFAULT": _default,
    "OFFSET_CORNERS": _offset,
    "UNALIGN_CORNERS": _unalign,
}


SAMPLING_MODES = tuple(_MODES)
