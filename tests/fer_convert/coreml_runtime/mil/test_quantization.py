"""quantize and dequantize against PyTorch's quantised tensors and plain arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, run_mil

RNG = np.random.default_rng(29)


X = RNG.uniform(-60, 60, (2, 3, 4)).astype(np.float32)


TYPES = {"int8": (np.int8, torch.qint8, -128), "uint8": (np.uint8, torch.quint8, 0)}


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, -3])
@pytest.mark.parametrize("dtype", TYPES)
def test_quantize(dtype: str, axis: int | None, shifted: bool) -> None:
    kind, torch_kind, lowest = TYPES[dtype]
    count = () if axis is None else (X.shape[axis],)
    scale = RNG.uniform(0.2, 0.9, count).astype(np.float32)
    zero = RNG.integers(lowest, lowest + 256, count).astype(kind) * shifted
    scales, zeros = torch.tensor(scale), torch.tensor(zero, dtype=torch.int32)
    x = torch.from_numpy(X)
    if axis is None:
        made = torch.quantize_per_tensor(x, scales, zeros, torch_kind)
    else:
        made = torch.quantize_per_channel(x, scales, zeros, axis % 3, torch_kind)
    inputs: dict[str, Any] = {"input": X, "scale": constant(scale), "output_dtype": dtype}
    restored: dict[str, Any] = {"input": made.int_repr().numpy(), "scale": constant(scale)}
    for arguments in (inputs, restored):
        if shifted:
            arguments["zero_point"] = constant(zero.astype(kind))
        if axis is not None:
            arguments["axis"] = axis
    check_mil("quantize", inputs, made.int_repr().numpy(), outputs=(dtype,))
    check_mil("dequantize", restored, made.dequantize().numpy(), rtol=1e-5)


def test_halves_go_to_the_even_and_the_ends_hold() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, 300, -300, np.inf, -np.inf], np.float32)
    inputs = {"input": x, "scale": 1.0, "output_dtype": "int8"}
    check_mil("quantize", inputs, np.array([0, 2, 2, 0, 127, -128, 127, -128]), outputs=("int8",))
    inputs |= {"zero_point": constant(np.uint8(10)), "output_dtype": "uint8"}
    wanted = np.array([10, 12, 12, 10, 255, 0, 255, 0])
    check_mil("quantize", inputs, wanted, outputs=("uint8",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 1.0, "output_dtype": "int4"}, "int4"),
        ({"scale": constant(np.ones(3, np.float32)), "output_dtype": "int8"}, "axis None"),
        ({"scale": constant(np.ones(3, np.float32)), "axis": 0, "output_dtype": "int8"}, "axis 0"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_mil("quantize", {"input": X, **options}, outputs=("int8",))


def test_half_precision_saturates() -> None:
    inputs = {"input": np.array([127], np.int8), "scale": constant(np.float16(6e4))}
    assert np.isposinf(run_mil("dequantize", inputs, outputs=("fp16",)))
