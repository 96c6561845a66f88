"""Convolution and pooling of ML Programs against loops written from Apple's documentation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

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
    """Each window by the positions that it covers: inside, padding, or over the edge."""
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
            padding = all(-pads[i][0] <= v < x.shape[2 + i] + pads[i][1] for i, v in enumerate(p))
            if inside:
                seen.append(x[(n, c, *p)])
            counted += inside if exclude else padding
        out[(n, c, *at)] = max(seen) if kind == "max" else sum(seen) / counted
    return out


CONVOLUTIONS = [
    # pad_type, pad, kernel, strides, dilations, groups
    ("valid", [0] * 4, (3, 2), (1, 1), (1, 1), 1),
    ("custom", [1, 2, 0, 3], (3, 3), (2, 1), (1, 1), 1),
    ("custom", [1, 1, 2, 2], (3, 3), (1, 2), (2, 1), 2),
    ("same", [0] * 4, (4, 3), (1, 2), (1, 1), 1),
    ("same", [0] * 4, (2, 2), (2, 3), (2, 3), 4),
    ("same_lower", [0] * 4, (4, 3), (1, 2), (1, 1), 2),
    ("same_lower", [0] * 4, (2, 4), (1, 1), (3, 1), 4),
    ("custom", [2, 0], (3,), (2,), (2,), 2),
    ("same_lower", [0] * 2, (4,), (1,), (1,), 1),
]


def test_convolutions(run_mil: Callable[..., list[Any]]) -> None:
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((1, 4, 7, 8), dtype=np.float32)
    line = rng.standard_normal((1, 4, 9), dtype=np.float32)
    cases = []
    for pad_type, pad, k, s, d, groups in CONVOLUTIONS:
        w = rng.standard_normal((8, 4 // groups, *k)).astype(np.float32)
        b = rng.standard_normal(8).astype(np.float32)
        cases.append((pad_type, pad, s, d, groups, w, b))

    def build(mb: Any, x: Any, y: Any) -> Any:
        return tuple(
            mb.conv(
                x=x if w.ndim == 4 else y, weight=w, bias=b, pad_type=pad_type, strides=list(s),
                dilations=list(d), groups=groups, **({"pad": pad} if pad_type == "custom" else {}),
            )
            for pad_type, pad, s, d, groups, w, b in cases
        )  # fmt: skip

    results = run_mil(build, plane, line)
    for (pad_type, pad, s, d, groups, w, b), result in zip(cases, results, strict=True):
        x = plane if w.ndim == 4 else line
        pads = pads_of(pad_type, pad, x, w.shape[2:], s, d)
        expected = conv_loops(x, w, b, pads, s, d, groups)
        np.testing.assert_allclose(result, expected, atol=1e-5, err_msg=f"{pad_type} {pad} {s}")


POOLS = [
    # pad_type, pad, kernel, strides, ceil_mode
    ("valid", [0] * 4, (2, 3), (2, 2), False),
    ("valid", [0] * 4, (2, 2), (2, 3), True),
    ("custom", [1, 1, 1, 1], (3, 3), (2, 2), False),
    ("custom", [1, 1, 1, 1], (3, 3), (2, 2), True),
    ("custom", [1, 1, 0, 0], (2, 3), (3, 2), True),
    ("custom", [0, 1, 2, 1], (3, 3), (1, 2), False),
    ("same", [0] * 4, (2, 4), (1, 3), False),
    ("same_lower", [0] * 4, (2, 4), (1, 3), False),
    ("custom", [1, 0], (3,), (2,), False),
]


@pytest.mark.parametrize("kind", ["max", "avg", "avg without padding"])
def test_pools(run_mil: Callable[..., list[Any]], kind: str) -> None:
    rng = np.random.default_rng(1)
    plane = rng.standard_normal((1, 2, 7, 8), dtype=np.float32) - 3  # padding zeros would win
    line = rng.standard_normal((1, 2, 8), dtype=np.float32) - 3
    exclude = kind == "avg without padding"

    def build(mb: Any, x: Any, y: Any) -> Any:
        make = mb.max_pool if kind == "max" else mb.avg_pool
        return tuple(
            make(
                x=x if len(k) == 2 else y, kernel_sizes=list(k), strides=list(s), pad_type=pad_type,
                ceil_mode=ceil, **({"pad": pad} if pad_type == "custom" else {}),
                **({"exclude_padding_from_average": True} if exclude else {}),
            )
            for pad_type, pad, k, s, ceil in POOLS
        )  # fmt: skip

    results = run_mil(build, plane, line)
    for (pad_type, pad, k, s, ceil), result in zip(POOLS, results, strict=True):
        x = plane if len(k) == 2 else line
        pads = pads_of(pad_type, pad, x, k, s, (1,) * len(k))
        expected = pool_loops(x, kind[:3], k, s, pads, ceil, exclude)
        np.testing.assert_allclose(result, expected, atol=1e-6, err_msg=f"{pad_type} {pad} {k} {s}")
