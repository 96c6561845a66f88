"""Convolution and pooling as loops: what the fast forms are held against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def same(size: int, k: int, s: int, d: int, *, lower: bool) -> tuple[int, int]:
    out = math.ceil(size / s)
    total = max((out - 1) * s + (k - 1) * d + 1 - size, 0)
    return (total - total // 2, total // 2) if lower else (total // 2, total - total // 2)


def pads_of(
    pad_type: str,
    custom: Sequence[int],
    x: Array,
    k: Sequence[int],
    s: Sequence[int],
    d: Sequence[int],
) -> list[tuple[int, int]]:
    if pad_type == "valid":
        return [(0, 0)] * len(k)
    if pad_type == "custom":
        return [(custom[2 * i], custom[2 * i + 1]) for i in range(len(k))]
    lower = pad_type == "same_lower"
    return [same(x.shape[2 + i], k[i], s[i], d[i], lower=lower) for i in range(len(k))]


def conv_loops(
    x: Array, w: Array, b: Array, pads: list[tuple[int, int]], s: Any, d: Any, groups: int
) -> Array:
    """One output element at a time, in float64."""
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads])
    k = w.shape[2:]
    sizes = [(padded.shape[2 + i] - (k[i] - 1) * d[i] - 1) // s[i] + 1 for i in range(len(k))]
    out = np.zeros((x.shape[0], w.shape[0], *sizes))
    per_group = w.shape[0] // groups
    for n, o, *at in itertools.product(*(range(v) for v in out.shape)):
        first = (o // per_group) * w.shape[1]
        window = padded[n, first : first + w.shape[1]]
        for i, start in enumerate(at):
            index = [start * s[i] + j * d[i] for j in range(k[i])]
            window = np.take(window, index, axis=1 + i)
        out[(n, o, *at)] = (window * w[o]).sum() + b[o]
    return out


def pool_loops(
    x: Array, kind: str, k: Any, s: Any, pads: list[tuple[int, int]], ceil: bool, exclude: bool
) -> Array:
    """Each window by the positions that it covers: inside, or padding, also over the edge."""
    sizes = []
    for i in range(len(k)):
        span = x.shape[2 + i] + sum(pads[i]) - k[i]
        size = (math.ceil(span / s[i]) if ceil else span // s[i]) + 1
        if ceil and (size - 1) * s[i] >= x.shape[2 + i] + pads[i][0]:
            size -= 1
        sizes.append(size)
    out = np.zeros((*x.shape[:2], *sizes))
    for n, c, *at in itertools.product(*(range(v) for v in out.shape)):
        seen, counted = [], 0
        for offsets in itertools.product(*(range(v) for v in k)):
            p = [at[i] * s[i] + offsets[i] - pads[i][0] for i in range(len(k))]
            inside = all(0 <= v < x.shape[2 + i] for i, v in enumerate(p))
            if inside:
                seen.append(x[(n, c, *p)])
            counted += inside if exclude else 1
        out[(n, c, *at)] = max(seen) if kind == "max" else sum(seen) / counted
    return out
