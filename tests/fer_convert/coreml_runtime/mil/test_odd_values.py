"""Every operation on odd values: what the reference engine computes, the fast engine does too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_convert.coreml_runtime import Program
from fer_convert.coreml_runtime.errors import ArtefactError, ExecutionFailed, UnsupportedOperation
from fer_convert.coreml_runtime.fast import MIL as FAST
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered
from fer_convert.coreml_runtime.reference.mil import MIL
from tests.fer_convert.coreml_runtime.mil.every_operation import EXAMPLES, Values
from tests.fer_convert.coreml_runtime.one_operation import mil_program

# An internal operation is tested with the layer that it serves.
NAMES = list(MIL.public)


def test_every_operation_has_examples() -> None:
    assert sorted(EXAMPLES) == sorted(NAMES)


@pytest.mark.parametrize("operation", NAMES)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_engines_agree_on_odd_values(operation: str, seed: int) -> None:
    compared = 0
    for number, example in enumerate(EXAMPLES[operation]):
        inputs, outputs = example(Values(seed))
        program, feeds = mil_program(operation, inputs, outputs=outputs)
        expected = reference(program, feeds)
        try:
            computed = FastEngine(program.graph, threads=1).run(feeds)
        except NotLowered:
            continue  # the reference engine alone answers
        except ExecutionFailed:
            assert expected is None, f"{operation}, example {number}: only the fast engine failed"
            continue
        assert expected is not None, f"{operation}, example {number}: only the reference failed"
        compared += 1
        for name, array in expected.items():
            found = computed[name]
            assert found.shape == array.shape
            assert found.dtype.kind == array.dtype.kind.replace("u", "i")
            exact = found.dtype.kind in "ib"
            np.testing.assert_allclose(
                found,
                array,
                rtol=0 if exact else 2e-5,
                atol=0 if exact else 2e-6,
                err_msg=f"{operation}, example {number}",
            )
    assert compared > 0 or operation not in FAST, "nothing was compared"


def reference(program: Program, feeds: dict[str, Any]) -> dict[str, Any] | None:
    """What the reference engine computes; None where the values do not fit."""
    try:
        return program.run(feeds, precision="fp32")
    except (ArtefactError, UnsupportedOperation):
        return None
