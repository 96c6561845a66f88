"""Slices, index vectors and scatters, shared by both formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

# A mode of scattering as torch calls it; ``update`` sets, ``sub`` and ``div`` invert first.
_REDUCTIONS: Mapping[str, str] = {
    "add": "sum", "sub": "sum", "mul": "prod", "div": "prod", "max": "amax", "min": "amin",
}  # fmt: skip


SCATTER_MODES = ("update", *_REDUCTIONS)


def integers_of(values: Tensor) -> tuple[int, ...]:
    """The elements of a vector as Python integers.

    Raises:
        ValueError: it has more dimensions.
    """
    if values.dim() > 1:
        raise ValueError(f"{list(values.shape)} where a vector is needed")
    return tuple(int(value) for value in values.reshape(-1).tolist())


def single(value: Tensor) -> Tensor:
    """The number that an operand holds, as a scalar.

    Raises:
        ValueError: it holds several, or none.
    """
    if value.numel() != 1:
        raise ValueError(f"{list(value.shape)} where one number is needed")
    return value.reshape(())


def wrapped(indices: Tensor, size: int) -> Tensor:
    """Indices as int64, negative ones counted from the end of ``size`` elements."""
    whole = indices.long()
    return torch.where(whole < 0, whole + size, whole)


def index_vectors(
    x: Tensor, indices: Tensor, place: Callable[[Tensor, int], Tensor] = wrapped
) -> tuple[Tensor, ...]:
    """Split ``indices [..., k]`` into k index tensors for the first k axes of ``x``.

    Args:
        place: from indices along an axis of some size to places on it.
    """
    return tuple(place(part, x.shape[i]) for i, part in enumerate(indices.unbind(-1)))


def flat_positions(x: Tensor) -> Tensor:
    """For each element of ``x`` its place in row-major order."""
    return torch.arange(x.numel()).reshape(x.shape)


def scatter_flat(x: Tensor, positions: Tensor, updates: Tensor, mode: str) -> Tensor:
    """``x`` with ``updates`` (as many as ``positions``, which are flat) applied by ``mode``."""
    at, values, flat = positions.reshape(-1), updates.reshape(-1), x.reshape(-1)
    if at.numel() != values.numel():
        raise ValueError(f"{at.numel()} places and {values.numel()} updates")
    if mode == "update":
        return flat.scatter(0, at, values).reshape(x.shape)
    if mode == "sub":
        values = -values
    if mode == "div":
        if not x.is_floating_point():
            raise ValueError("integers cannot be scattered by division")
        values = values.reciprocal()
    return flat.scatter_reduce(0, at, values, _REDUCTIONS[mode]).reshape(x.shape)


def take(x: Tensor, axis: int, positions: range) -> Tensor:
    return x.index_select(axis, torch.tensor(list(positions), dtype=torch.long))


def strided_slice(
    x: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int] = (),
    begin_masks: Sequence[int] = (),
    end_masks: Sequence[int] = (),
    squeeze_masks: Sequence[int] = (),
) -> Tensor:
    """``x[begin:end:stride]`` per axis, as Python slices, negative strides included.

    A set mask takes the whole of that side; a squeeze mask takes the element at ``begin`` and drops
    the axis. What is missing at the end of a vector is a stride of 1, or an unset mask.
    """
    if not len(begin) == len(end) == x.dim():
        raise ValueError(f"begin {list(begin)} and end {list(end)} of {x.dim()} axes")
    dropped = []
    for axis in range(x.dim()):
        size = x.shape[axis]
        if _set(squeeze_masks, axis):
            if not -size <= begin[axis] < size:
                raise IndexError(f"element {begin[axis]} of {size} along axis {axis}")
            x = take(x, axis, range(begin[axis] % size, begin[axis] % size + 1))
            dropped.append(axis)
            continue
        start = None if _set(begin_masks, axis) else begin[axis]
        stop = None if _set(end_masks, axis) else end[axis]
        step = strides[axis] if axis < len(strides) else 1
        x = take(x, axis, range(*slice(start, stop, step).indices(size)))
    return x.squeeze(dropped) if dropped else x


def _set(masks: Sequence[int], axis: int) -> bool:
    return axis < len(masks) and bool(masks[axis])
