"""What holds for every layer, whatever operations it becomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import (
    ArtefactError,
    ExecutionFailed,
    Program,
    UnsupportedOperation,
    load,
)
from fer_convert.coreml_runtime.errors import RefusedInput
from fer_convert.coreml_runtime.fast import MIL as FAST
from fer_convert.coreml_runtime.fast import NotLowered, lower
from fer_convert.coreml_runtime.reference.mil import MIL
from fer_convert.coreml_runtime.registry import INTERNAL
from tests.fer_convert.coreml_runtime.both_engines import run_both
from tests.fer_convert.coreml_runtime.layer_filling import filling, nothing
from tests.fer_convert.coreml_runtime.one_operation import layer_program, mil_program

RNG = np.random.default_rng(12)


X = RNG.standard_normal((2, 4, 3, 5)).astype(np.float32)


INTERNALS = sorted(name for name in MIL.functions if name.startswith(INTERNAL))


def test_both_engines_have_every_internal_operation() -> None:
    assert sorted(name for name in FAST if name.startswith(INTERNAL)) == INTERNALS != []


@pytest.mark.parametrize("name", INTERNALS)
def test_no_file_can_name_an_internal_operation(name: str) -> None:
    """They are known to the engines and unknown to the format."""
    with pytest.raises(UnsupportedOperation, match=f"lacks 1 mlprogram operation .*: {name}") as e:
        mil_program(name, {"x": X})
    assert e.value.exit_code == 51


def test_values_inside_a_layer_are_nobody_elses() -> None:
    """A dot product becomes a product and its sum; the product has no name in the file."""
    program, feeds = layer_program(filling("dot"), X[..., :1, :1], X[..., :1, :1])
    values = {output for op in program.graph.operations for output in op.outputs}
    (inner,) = (value.name for value in values if value.inner)
    with pytest.raises(RefusedInput, match=f"has no value '{inner}'"):
        program.run(feeds, capture=[inner])
    assert inner not in lower(program.graph).values


def test_a_file_may_use_the_names_of_values_inside_layers(
    save_network: Callable[..., Path],
) -> None:
    """Inner values go by names that the file leaves free, wherever it uses them."""

    def add(network: Any) -> None:
        names = ["x", "#0", "#1", "#2", "y"]
        for before, after in itertools.pairwise(names):
            layer = network.layers.add(name="#", input=[before, before], output=[after])
            layer.average.SetInParent()

    program = load(save_network(add, X.shape))
    assert isinstance(program, Program)
    assert sum(o.inner for op in program.graph.operations for o in op.outputs) == 4
    np.testing.assert_array_equal(run_both(program, {"x": X})["y"], X)
    captured = program.run({"x": X}, capture=["#0", "#1", "#2"])
    assert all(np.array_equal(value, X) for value in captured.values())


@pytest.mark.parametrize(
    ("fill", "arrays", "message"),
    [
        (filling("softmax"), [X[0, 0]], r"softmax 'layer' failed .* has rank 2, 3 or more"),
        (filling("dot"), [X[..., :1, :1], X[..., :1, :1][:, :3]], "dot 'layer' failed"),
        (filling("activation", ReLU=nothing), [X, X], r"activation.ReLU 'layer': 2 inputs"),
    ],
)  # fmt: skip
def test_errors_name_the_layer(fill: Any, arrays: list[Any], message: str) -> None:
    """Not the operations that it becomes."""
    with pytest.raises(ArtefactError, match=message):
        program, feeds = layer_program(fill, *arrays)
        program.run(feeds)


def test_what_the_fast_engine_lacks_is_named_by_its_layer() -> None:
    program, _ = layer_program(filling("tile"), X, np.array([1, 2, 1, 1]))
    with pytest.raises(NotLowered, match="lacks tile with computed counts"):
        lower(program.graph)


def test_another_number_of_results_is_refused() -> None:
    with pytest.raises(ArtefactError, match=r"'layer': it computes 2 values; the file declares 1"):
        layer_program(filling("topK", K=1), X)
    program, feeds = layer_program(filling("split", nOutputs=2), X, outputs=4)
    with pytest.raises(ExecutionFailed, match=r"split 'layer' computes 2 values; .* declares 4"):
        program.run(feeds)


def test_a_result_that_is_an_input_gets_its_own_name() -> None:
    """And a layer may write one value twice."""
    program, feeds = layer_program(filling("squeeze"), X)
    assert [op.type for op in program.graph.operations] == ["identity"]
    np.testing.assert_array_equal(run_both(program, feeds)["out0"], X)
