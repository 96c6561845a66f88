"""Where a resized image is sampled.

A grid is a function of an interval's length and a number of points: positions from the interval's
start, none beyond its end. The input of ``size`` pixels is the interval of length ``size - 1``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fer_convert.coreml_runtime.limits import check_size
from fer_convert.coreml_runtime.reference.grids import interpolate

# float64 lengths [*] and a number of points -> float64 positions [*, points]
Grid = Callable[[Tensor, int], Tensor]


def sample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Interpolate ``x [*, H, W]`` at every pair of ``rows [R]`` and ``columns [C]``: ``[*, R, C]``.

    Positions are in pixels; those outside are taken for the nearest edge.
    """
    check_size((*x.shape[:-2], len(rows), len(columns)))
    for axis, positions in ((-2, rows), (-1, columns)):
        x = interpolate(x, axis, positions.clamp(0, x.shape[axis] - 1))
    return x


def _strict_align(length: Tensor, count: int) -> Tensor:
    return _evenly(torch.zeros_like(length), length / max(1, count - 1), count)


def _align(length: Tensor, count: int) -> Tensor:
    return (length / 2).unsqueeze(-1) if count == 1 else _strict_align(length, count)


def _upsample(length: Tensor, count: int) -> Tensor:
    size = length + 1
    spacing = (size - size / count) / max(1, count - 1)
    return _within(_evenly(torch.zeros_like(length), spacing, count), length)


def _roi_align(length: Tensor, count: int) -> Tensor:
    spacing = length.clamp(min=1) / count
    return _within(_evenly(0.5 * spacing, spacing, count), length)


def half_pixels(length: Tensor, count: int) -> Tensor:
    """ALIGN_CORNERS_FALSE of the layer upsample; the other grids are a SamplingMode."""
    spacing = (length + 1) / count
    return _within(_evenly(0.5 * spacing - 0.5, spacing, count), length)


def _evenly(start: Tensor, spacing: Tensor, count: int) -> Tensor:
    steps = torch.arange(count, dtype=torch.float64)
    return start.unsqueeze(-1) + spacing.unsqueeze(-1) * steps


def _within(positions: Tensor, length: Tensor) -> Tensor:
    end = length.unsqueeze(-1)  # below 0 for a box that runs backwards
    return torch.minimum(torch.maximum(positions, end.clamp(max=0)), end.clamp(min=0))


# By SamplingMode.Method.
GRIDS: tuple[Grid, ...] = (_strict_align, _align, _upsample, _roi_align)
