"""Pooling of ML Programs against loops over every window."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, run_mil
from tests.fer_convert.coreml_runtime.window_loops import pads_of, pool_loops

RNG = np.random.default_rng(9)


# All negative: a zero of the padding would win.
IMAGES = {
    1: RNG.uniform(-3, -1, (2, 3, 8)).astype(np.float32),
    2: RNG.uniform(-3, -1, (2, 3, 6, 7)).astype(np.float32),
    3: RNG.uniform(-3, -1, (1, 2, 5, 4, 6)).astype(np.float32),
}


POOLS: list[tuple[tuple[int, ...], tuple[int, ...], str, tuple[int, ...], bool]] = [
    # window, strides, pad_type, pad, ceil_mode
    ((3,), (2,), "valid", (), True),
    ((3,), (2,), "custom", (2, 0), False),
    ((2,), (3,), "same_lower", (), False),
    ((4,), (3,), "custom", (1, 1), True),
    ((2, 3), (2, 2), "valid", (), False),
    ((2, 3), (3, 2), "valid", (), True),
    ((3, 3), (2, 2), "custom", (1, 1, 1, 1), True),
    ((3, 2), (1, 3), "custom", (0, 2, 1, 0), False),
    ((3, 4), (2, 3), "same", (), False),
    ((3, 4), (2, 3), "same_lower", (), False),
    ((1, 1), (2, 2), "same", (), False),
    ((2, 2, 3), (2, 1, 2), "custom", (1, 0, 0, 1, 1, 1), False),
    ((2, 3, 2), (2, 2, 3), "same_lower", (), False),
]


def l2_loops(x: Array, window: Any, strides: Any, pads: Any, ceil: bool) -> Array:
    """The length of the values in each window, which the mean of their squares counts."""
    like = pool_loops(x, "max", window, strides, pads, ceil, True)
    out = np.zeros_like(like)
    for n, c, *at in itertools.product(*(range(size) for size in out.shape)):
        for offsets in itertools.product(*(range(size) for size in window)):
            place = [
                a * s + o - p[0] for a, s, o, p in zip(at, strides, offsets, pads, strict=True)
            ]
            if all(0 <= p < x.shape[2 + i] for i, p in enumerate(place)):
                out[(n, c, *at)] += float(x[(n, c, *place)]) ** 2
    return np.sqrt(out)


@pytest.mark.parametrize(
    ("window", "strides", "pad_type", "pad", "ceil", "kind"),
    [
        (*case, kind)
        for case in POOLS
        for kind in ("max", "avg", "avg without padding", "l2")
        if not (kind == "l2" and len(case[0]) == 3)
    ],
)
def test_pool(window: Any, strides: Any, pad_type: str, pad: Any, ceil: bool, kind: str) -> None:
    rank = len(window)
    x = IMAGES[rank]
    pads = pads_of(pad_type, pad, x, window, strides, (1,) * rank)
    inputs: dict[str, Any] = {"x": x, "kernel_sizes": window, "strides": strides}
    inputs |= {"pad_type": pad_type, "ceil_mode": ceil}
    if pad:
        inputs["pad"] = pad
    if kind == "l2":
        check_mil("l2_pool", inputs, l2_loops(x, window, strides, pads, ceil), atol=1e-5)
        return
    exclude = kind == "avg without padding"
    if exclude:
        inputs["exclude_padding_from_average"] = True
    name = "max_pool" if kind == "max" else "avg_pool"
    check_mil(name, inputs, pool_loops(x, kind[:3], window, strides, pads, ceil, exclude))


def test_apples_own_case_of_l2() -> None:
    """From coremltools' tests, which Core ML passes."""
    x = np.arange(1, 8, dtype=np.float32).reshape(1, 1, 7)
    inputs = {"x": x, "kernel_sizes": (3,), "strides": (3,), "pad_type": "same"}
    wanted = np.array([[[2.236068, 7.071068, 9.219544]]])
    check_mil("l2_pool", inputs, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("operation", "options", "message"),
    [
        ("max_pool", {"kernel_sizes": (0, 1)}, "kernel_sizes"),
        ("max_pool", {"kernel_sizes": (1, 1, 1, 1)}, "kernel_sizes"),
        ("avg_pool", {"kernel_sizes": (1, 1), "strides": (1, 0)}, "strides"),
        ("l2_pool", {"kernel_sizes": (1, 1, 1)}, "more than 2"),
    ],
)
def test_refused(operation: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil(operation, {"x": IMAGES[2], **options})


def test_an_empty_batch_and_half_precision() -> None:
    empty = np.zeros((0, 3, 6, 7), np.float32)
    for name in ("max_pool", "avg_pool", "l2_pool"):
        assert run_mil(name, {"x": empty, "kernel_sizes": (2, 2)}).shape == (0, 3, 5, 6)
    x = np.full((1, 1, 2, 2), 60000, np.float16)
    assert np.isposinf(
        run_mil("l2_pool", {"x": x, "kernel_sizes": (2, 2)}, outputs=("fp16",))
    ).all()
    average = run_mil("avg_pool", {"x": x, "kernel_sizes": (2, 2)}, outputs=("fp16",))
    assert average.item() == np.float16(60000)
