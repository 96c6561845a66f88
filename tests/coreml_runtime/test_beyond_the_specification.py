"""What the specification does not allow, although some arithmetic could be made of it: refused by
both engines. Found by benchmarks/fuzz_coreml.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.fast import NotLowered, lower
from tests.coreml_runtime.layer_filling import filling, last_pixel, nothing, triple, valid
from tests.coreml_runtime.one_operation import constant, layer_program, mil_program

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4, 7, 6)).astype(np.float32)


def refused(program: Any, feeds: Mapping[str, Any], message: str) -> None:
    """By the reference engine with ``message``, and by the fast engine before anything runs."""
    with pytest.raises(NotLowered):
        lower(program.graph)
    with pytest.raises(ArtefactError, match=message):
        program.predict(feeds)


def test_an_equation_that_is_no_text() -> None:
    computed = mil_program("einsum", {"values": [X, X], "equation": X})
    refused(*computed, "not one constant")
    refused(*mil_program("einsum", {"values": [X, X], "equation": 3}), "not one str")


@pytest.mark.parametrize("size", [9, 1 << 40])
@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize(
    "padding",
    [
        {"valid": nothing},
        {"valid": valid((1, 0), (0, 0))},
        {"includeLastPixel": nothing},
        {"includeLastPixel": last_pixel(0, 0)},
    ],
)
def test_a_window_larger_than_its_image(kind: int, size: int, padding: dict[str, Any]) -> None:
    """torch took the lower 32 bits of the size: a window of nothing."""
    fill = filling("pooling", type=kind, kernelSize=[size, 1], **padding)
    refused(*layer_program(fill, X), f"a window of {size}")


@pytest.mark.parametrize("kind", [0, 1])
def test_a_window_larger_than_its_volume(kind: int) -> None:
    fill = filling("pooling3d", type=kind, **triple("kernel", (1, 8, 1)))
    refused(*layer_program(fill, X[None]), "a window of 8 on 7")


@pytest.mark.parametrize("operation", ["max_pool", "avg_pool", "l2_pool"])
@pytest.mark.parametrize("pad_type", ["valid", "custom"])
def test_a_window_larger_than_its_image_in_a_program(operation: str, pad_type: str) -> None:
    window = {"kernel_sizes": (10, 1), "pad_type": pad_type, "pad": (1, 1, 0, 0)}
    refused(*mil_program(operation, {"x": X, **window}), "a window of 10")


CHANNELS = {
    "batch_norm": ("mean", "variance", "gamma", "beta"),
    "instance_norm": ("gamma", "beta"),
    "prelu": ("alpha",),
    "softplus_parametric": ("alpha", "beta"),
}


@pytest.mark.parametrize(
    ("operation", "odd"), [(kind, name) for kind, names in CHANNELS.items() for name in names]
)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1)])
def test_a_number_for_each_channel(operation: str, odd: str, shape: tuple[int, ...]) -> None:
    """One for all of them was broadcast by the reference engine; onnxruntime takes none."""
    vectors = {name: constant(np.full(4, 0.5, np.float32)) for name in CHANNELS[operation]}
    mil_program(operation, {"x": X, **vectors})[0].predict({"x": X}, engine="fast")
    vectors[odd] = constant(np.full(shape, 0.5, np.float32))
    refused(*mil_program(operation, {"x": X, **vectors}), "for the channels of")
