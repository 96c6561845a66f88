"""Products of operands of two types, which iOS 17 allows where one is constant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ArtefactError, ExecutionFailed, UnsupportedOperation
from fer_convert.coreml_runtime.fast import NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, mil_program, run_mil

FLOATS = np.float32([[0.5, -1, 2], [3, 4, -5.5]])
INTEGERS = np.int32([[1, 2], [-3, 4], [5, 6]])


def test_a_constant_takes_the_type_of_what_it_multiplies() -> None:
    check_mil("matmul", {"x": FLOATS, "y": constant(INTEGERS)}, FLOATS @ INTEGERS)
    check_mil("matmul", {"x": constant(INTEGERS), "y": FLOATS}, INTEGERS @ FLOATS)
    whole = constant(np.float32([[2, -3, 4]]))
    check_mil("matmul", {"x": whole, "y": INTEGERS}, [[31, 16]], outputs=("int32",))
    weights = {"weight": constant(INTEGERS.T), "bias": constant(np.int32([7, -7]))}
    check_mil("linear", {"x": FLOATS, **weights}, FLOATS @ INTEGERS + [7, -7])
    # Where everything is an integer, and onnxruntime has no such product.
    whole = constant(np.float32([[2, -3], [4, 0]]))
    wanted = INTEGERS @ np.int32([[2, 4], [-3, 0]])
    found = run_mil("linear", {"x": INTEGERS, "weight": whole}, outputs=("int32",))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_fractions_times_integers_are_left_out(engine: Any) -> None:
    inputs = {"x": INTEGERS, "y": constant(FLOATS[:, :2])}
    program, feeds = mil_program("matmul", inputs, outputs=("int32",))
    with pytest.raises(UnsupportedOperation, match=r"matmul.* fractions times integers"):
        program.predict(feeds, engine=engine)


def test_two_computed_operands_are_of_one_type() -> None:
    with pytest.raises(ExecutionFailed, match="matmul"):
        run_mil("matmul", {"x": FLOATS, "y": INTEGERS})


@pytest.mark.parametrize("equation", ["fp16", "ij", "ij,jk,kl->il", "i1,1k->ik", ""])
def test_an_equation_that_is_none(equation: str) -> None:
    """From the first onnxruntime did not return."""
    given = {"values": [np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)]}
    program, feeds = mil_program("einsum", {**given, "equation": equation})
    with pytest.raises(ArtefactError, match="equation"):
        program.run(feeds)
    with pytest.raises(NotLowered, match="equation"):
        lower(program.graph)
