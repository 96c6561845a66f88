"""Which operations of a file Core ML is known to compute otherwise than PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.fer_convert.coreml_runtime.layer_filling import filling
from tests.fer_convert.coreml_runtime.one_operation import layer_program, mil_program

X = np.ones((1, 2, 5, 5), np.float32)
POOL = {"x": X, "kernel_sizes": (2, 2), "pad_type": "valid"}


@pytest.mark.parametrize(
    ("operation", "inputs", "element", "says"),
    [
        ("avg_pool", POOL | {"ceil_mode": True}, "fp32", "count_include_pad=False"),
        ("avg_pool", POOL | {"ceil_mode": True, "exclude_padding_from_average": True}, "fp32", ""),
        ("avg_pool", POOL, "fp32", ""),
        ("max_pool", POOL | {"ceil_mode": True}, "fp32", ""),
        ("inverse", {"x": X}, "fp32", "adds epsilon"),
        ("inverse", {"x": X, "epsilon": 0.0}, "fp32", ""),
        ("pow", {"x": X, "y": X}, "fp32", "the exponent is 0"),
        ("pow", {"x": X, "y": 0.0}, "fp32", "the exponent is 0"),
        ("pow", {"x": X, "y": 2.0}, "fp32", ""),
        ("softplus", {"x": X.astype(np.float16)}, "fp16", "Neural Engine"),
        ("softplus", {"x": X}, "fp32", ""),
        ("relu", {"x": X}, "fp32", ""),
    ],
)
def test_operations(operation: str, inputs: Mapping[str, Any], element: str, says: str) -> None:
    program, _ = mil_program(operation, inputs, outputs=(element,))
    if not says:
        assert program.differences == ()
        return
    (sentence,) = program.differences
    assert sentence.startswith(f"{operation} 'out0': ")
    assert says in sentence


def test_a_layer() -> None:
    program, _ = layer_program(filling("softmax"), X)
    (sentence,) = program.differences
    assert sentence.startswith("softmax 'layer': Core ML takes the last axis of three dimensions")
