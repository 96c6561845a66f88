"""Options, dtypes and odd values that the grids of the other files do not reach."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import UnsupportedOperation
from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.fast import NotLowered, lower
from fer_convert.coreml_runtime.reference.mil import MIL
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, mil_program, run_mil

RNG = np.random.default_rng(11)


X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


Y = RNG.standard_normal((1, 3, 1)).astype(np.float32)


BITS = RNG.integers(0, 2, (2, 3)).astype(bool)


OTHER = RNG.integers(0, 2, (1, 3)).astype(bool)


def normal_cdf(x: Any) -> Any:
    return np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x.astype(np.float64))


def test_functions_against_the_standard_library() -> None:
    erf = np.vectorize(math.erf)
    np.testing.assert_allclose(run_mil("erf", {"x": X}), erf(X), atol=1e-6)
    np.testing.assert_allclose(
        run_mil("gelu", {"x": X, "mode": "EXACT"}), X * normal_cdf(X), atol=1e-6
    )
    np.testing.assert_allclose(run_mil("sigmoid", {"x": X}), 1 / (1 + np.exp(-X)), atol=1e-6)
    np.testing.assert_array_equal(run_mil("identity", {"x": X}), X)
    base = np.abs(X) + 0.1
    np.testing.assert_allclose(run_mil("pow", {"x": base, "y": Y}), base**Y, rtol=1e-5)


@pytest.mark.parametrize(
    ("operation", "function"),
    [
        ("logical_and", np.logical_and),
        ("logical_or", np.logical_or),
        ("logical_xor", np.logical_xor),
    ],
)
def test_logic_broadcasts(operation: str, function: Any) -> None:
    result = run_mil(operation, {"x": BITS, "y": OTHER}, outputs=("bool",))
    np.testing.assert_array_equal(result, function(BITS, OTHER))


def test_select_broadcasts_and_takes_constants() -> None:
    condition = X > 0
    result = run_mil("select", {"cond": condition, "a": X, "b": np.broadcast_to(Y, X.shape).copy()})
    np.testing.assert_array_equal(result, np.where(condition, X, Y))
    result = run_mil("select", {"cond": condition, "a": X, "b": constant(np.float32(-1))})
    np.testing.assert_array_equal(result, np.where(condition, X, -1))


@pytest.mark.parametrize("k", [2, np.array(2, np.int32)], ids=["constant", "computed"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_topk(k: Any, axis: int) -> None:
    values, indices = run_mil(
        "topk", {"x": X, "k": k, "axis": axis, "ascending": False}, outputs=("fp32", "int32")
    )
    order = np.argsort(-X, axis=axis, kind="stable").take(range(2), axis=axis)
    np.testing.assert_array_equal(values, np.take_along_axis(X, order, axis))
    np.testing.assert_array_equal(indices, order)


HALF = np.array([60000, -60000, 300], np.float16)


BIG = {"x": HALF, "y": HALF}


SATURATING: list[tuple[str, dict[str, Any], list[float]]] = [
    ("add", BIG, [np.inf, -np.inf, 600]),
    ("mul", BIG, [np.inf, np.inf, np.inf]),
    ("square", {"x": HALF}, [np.inf, np.inf, np.inf]),
    ("exp", {"x": HALF}, [np.inf, 0, np.inf]),
    ("real_div", {"x": HALF, "y": constant(np.float16(0.5))}, [np.inf, -np.inf, 600]),
    ("linear_activation", {"x": HALF, "alpha": 2.0, "beta": 0.0}, [np.inf, -np.inf, 600]),
    ("cumsum", {"x": HALF}, [60000, 0, 300]),
    ("pad", {"x": HALF, "pad": (1, 0), "constant_val": 70000.0}, [np.inf, *HALF]),
    ("cast", {"x": np.array([70000, -7], np.int32), "dtype": "fp16"}, [np.inf, -7]),
    ("reduce_sum", {"x": np.abs(HALF), "keep_dims": True}, [np.inf]),
    ("upsample_nearest_neighbor", {"x": HALF.reshape(1, 1, 3), "scale_factor_height": 2.0},
     [[[*HALF], [*HALF]]]),
    ("layer_norm", {"x": HALF, "epsilon": 1e-5}, [1.2227, -1.2268, 0.004082]),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "inputs", "wanted"), SATURATING)
def test_half_precision_saturates(
    operation: str, inputs: dict[str, Any], wanted: list[float]
) -> None:
    """Beyond 65504 a declared fp16 is infinite; within, it is the nearest fp16."""
    result = run_mil(operation, inputs, outputs=("fp16",))
    np.testing.assert_allclose(result, np.array(wanted), rtol=2e-3)
    assert (result == result.astype(np.float16)).all()


def test_findings_of_the_fuzzer() -> None:
    """Scalars, masks that are too short, and a narrow sum declared wide, in both engines."""
    scalar, zero = np.array(3, np.float32), constant(np.int32(0))
    check_mil("slice_by_size", {"x": X[0, 0], "begin": zero, "size": (2,)}, X[0, 0, :2], fast=False)
    check_mil("non_zero", {"x": scalar}, np.zeros((1, 0)), outputs=("int32",), fast=False)
    check_mil("cumsum", {"x": scalar}, scalar, fast=False)
    ends = {"begin": np.zeros(3, np.int32), "end": np.array([1, 1, 1], np.int32)}
    inputs = {"x": X, **ends, "end_mask": constant(np.bool_([True]))}
    check_mil("slice_by_index", inputs, X[:, :1, :1])
    for shape in (np.zeros(1, np.int32), np.array([0, 3], np.int32)):
        check_mil("fill", {"shape": shape, "value": True}, np.zeros(shape), outputs=("bool",))
    unknown = {"input": X[0, 0], "scale": np.float32(np.nan), "output_dtype": "uint8"}
    check_mil("quantize", unknown, np.zeros(4), outputs=("uint8",))
    x = np.array([200], np.uint8)
    check_mil("add", {"x": x, "y": x}, np.array([144]), outputs=("int32",), fast=False)


@pytest.mark.parametrize(
    ("operation", "inputs"),
    [
        ("pad", {"x": X, "pad": (0, 1 << 29)}),
        ("tile", {"x": X, "reps": (1, 1 << 12, 1 << 14)}),
        ("fill", {"shape": (1 << 14, 1 << 16)}),
        ("upsample_nearest_neighbor", {"x": X, "scale_factor_height": 1e8}),
        ("conv_transpose", {"x": X, "weight": constant(np.ones((3, 1, 2), np.float32)),
                            "strides": (1 << 29,)}),
    ],
)  # fmt: skip
def test_no_engine_allocates_what_a_few_bytes_ask_for(
    operation: str, inputs: dict[str, Any]
) -> None:
    program, feeds = mil_program(operation, inputs)
    with pytest.raises(NotLowered):
        lower(program.graph)
    with pytest.raises(ExecutionFailed, match="too large"):
        program.predict(feeds)


def test_an_empty_layer_norm() -> None:
    check_mil("layer_norm", {"x": X[:, :, :0], "axes": (2,)}, X[:, :, :0], fast=False)


def test_casts_to_and_from() -> None:
    x = np.array([-1.9, 0.0, 2.5, 300.0], np.float32)
    cases = [("int32", np.trunc(x)), ("bool", x != 0), ("fp32", x)]
    for dtype, wanted in cases:
        result = run_mil("cast", {"x": x, "dtype": dtype}, outputs=(dtype,))
        np.testing.assert_array_equal(result, wanted)
    counts = np.array([0, 1, 7], np.int32)
    np.testing.assert_array_equal(
        run_mil("cast", {"x": counts, "dtype": "fp16"}, outputs=("fp16",)), [0, 1, 7]
    )


def test_a_constant_is_rounded_when_an_operation_only_moves_it() -> None:
    result = run_mil("relu", {"x": constant(np.array([0.1, -0.1], np.float32))}, outputs=("fp16",))
    np.testing.assert_array_equal(result, np.array([0.1, 0], np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("step", "end", "wanted"),
    [(0.5, 2.0, [0, 0.5, 1, 1.5]), (0.75, 2.0, [0, 0.75, 1.5]), (-1.0, -2.5, [0, -1, -2])],
)
def test_ranges_of_floats(step: float, end: float, wanted: list[float]) -> None:
    result = run_mil(
        "range_1d",
        {"start": np.array(0, np.float32), "end": np.float32(end), "step": np.float32(step)},
    )
    np.testing.assert_allclose(result, wanted)


LEFT_OUT = [(refusal.reason, name) for refusal in MIL.refusals for name in refusal.types]


@pytest.mark.parametrize(("reason", "name"), LEFT_OUT, ids=[name for _, name in LEFT_OUT])
def test_what_is_left_out_is_refused_with_its_reason_and_place(reason: str, name: str) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        mil_program(name, {"x": X})
    assert f"{name} 'out0' ({reason})" in str(caught.value)
