"""One ML Program operation, or one layer, in both engines, against what an oracle computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, Program
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from tests.fer_convert.coreml_runtime.one_operation import (
    Array,
    layer_program,
    mil_program,
)


def check_mil(
    operation: str,
    inputs: Mapping[str, Any],
    wanted: Any,
    *,
    outputs: Sequence[str] = ("fp32",),
    rtol: float = 2e-5,
    atol: float = 2e-6,
    fast: bool = True,
) -> None:
    """Both engines must compute ``wanted`` (an array, or as many as there are ``outputs``); with
    ``fast`` false, the fast engine must leave it to the reference engine.

    Shapes must be equal, and integers must be exact.
    """
    program, feeds = mil_program(operation, inputs, outputs=outputs)
    arrays: Sequence[Array] = wanted if len(outputs) > 1 else [wanted]
    results = {"reference": program.run(feeds, precision="fp32")}
    if fast:
        results["fast"] = FastEngine(program.graph, threads=1).run(feeds)
    else:
        with pytest.raises(NotLowered, match=operation):
            lower(program.graph)
    for engine, result in results.items():
        for position, expected in enumerate(arrays):
            computed = result[f"out{position}"]
            assert computed.shape == np.shape(expected), f"{engine}: {operation}"
            exact = computed.dtype.kind in "iub"
            np.testing.assert_allclose(
                computed,
                expected,
                rtol=0 if exact else rtol,
                atol=0 if exact else atol,
                err_msg=f"{engine}: {operation}",
            )


def run_layer(
    fill: Callable[[Any], None], *arrays: Array, outputs: int = 1, fast: bool = True
) -> Any:
    """Run one NeuralNetwork layer; the array it computes, or a tuple of them, as `run_both`."""
    program, feeds = layer_program(fill, *arrays, outputs=outputs)
    result = run_both(program, feeds, fast=fast)
    computed = tuple(result[f"out{position}"] for position in range(outputs))
    return computed if outputs > 1 else computed[0]


def run_both(program: Program, feeds: dict[str, Any], *, fast: bool = True) -> dict[str, Array]:
    """What the reference engine computes, which the fast engine must compute as well; with ``fast``
    false it must leave it to the reference engine. What one refuses, both must."""
    try:
        expected = program.run(feeds, precision="fp32")
    except ArtefactError:
        with pytest.raises((ArtefactError, NotLowered)):
            FastEngine(program.graph, threads=1).run(feeds)
        raise
    if not fast:
        with pytest.raises(NotLowered):
            lower(program.graph)
        return expected
    computed = FastEngine(program.graph, threads=1).run(feeds)
    assert computed.keys() == expected.keys()
    for name, array in expected.items():
        assert computed[name].dtype.kind == array.dtype.kind.replace("u", "i")
        assert computed[name].shape == array.shape
        np.testing.assert_allclose(computed[name], array, rtol=2e-5, atol=2e-6)
    return expected
