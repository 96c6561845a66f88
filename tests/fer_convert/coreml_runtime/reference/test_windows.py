"""Convolution and pooling of ML Programs against loops written from Apple's documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.fer_convert.coreml_runtime.window_loops import conv_loops, pads_of, pool_loops

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
