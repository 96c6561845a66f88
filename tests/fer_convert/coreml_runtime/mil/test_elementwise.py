"""Arithmetic, comparisons, functions of one operand and casts against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError
from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import constant, mil_program, run_mil

RNG = np.random.default_rng(5)


X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


ROW = RNG.standard_normal((3, 1)).astype(np.float32)


WHOLE = np.array([-7, 7, -8, 9, -(2**31)], np.int32)


DIVISORS = np.array([2, -2, -3, 4, -1], np.int32)


BINARY: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide,
    "floor_div": np.floor_divide, "mod": np.mod, "maximum": np.maximum, "minimum": np.minimum,
}  # fmt: skip


# WHOLE by 2.
BINARY_OF_TWO: dict[str, Any] = {
    "floor_div": [-4, 3, -4, 4, -(2**30)], "mod": [1, 1, 0, 1, 0],
    "real_div": [-4, 3, -4, 4, -(2**30)],
}  # fmt: skip


COMPARE: dict[str, Any] = {
    "equal": np.equal, "not_equal": np.not_equal, "greater": np.greater, "less": np.less,
    "greater_equal": np.greater_equal, "less_equal": np.less_equal,
}  # fmt: skip


UNARY: dict[str, Any] = {
    "abs": np.abs, "atan": np.arctan, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh,
    "exp": np.exp, "exp2": np.exp2, "floor": np.floor, "round": np.round, "sign": np.sign,
    "acos": np.arccos, "asin": np.arcsin, "atanh": np.arctanh, "sqrt": np.sqrt,
    "sin": np.sin, "sinh": np.sinh, "square": np.square, "tan": np.tan, "tanh": np.tanh,
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    check_mil(name, {"x": X, "y": ROW}, BINARY[name](X, ROW))
    check_mil(name, {"x": constant(ROW), "y": X}, BINARY[name](ROW, X))
    check_mil(name, {"x": X, "y": np.float32(-1.5)}, BINARY[name](X, np.float32(-1.5)))
    empty = np.zeros((3, 0), np.float32)
    check_mil(name, {"x": empty, "y": ROW}, empty)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "maximum", "minimum", "floor_div", "mod"])
def test_integers_wrap_and_round_down(name: str) -> None:
    with np.errstate(all="ignore"):
        wanted = BINARY[name](WHOLE.astype(np.int64), DIVISORS).astype(np.int32)
    got = run_mil(name, {"x": WHOLE, "y": DIVISORS}, outputs=("int32",))
    assert got.tolist() == wanted.tolist()


@pytest.mark.parametrize("name", ["floor_div", "mod"])
def test_the_exact_quotient_is_rounded_down(name: str) -> None:
    """1 / 0.1 and 2 / 0.2 are 10 when rounded to fp32, and less than 10 before."""
    x = np.float32([1, 2, -1, 1, 7, -7, 0.5, 1e30, -0.0, 3, np.inf, np.nan, 1, 1])
    y = np.float32([0.1, 0.2, 0.1, -0.1, 0.7, 0.7, 1e-40, 0.3, 3, 0, 2, 1, np.inf, -np.inf])
    with np.errstate(all="ignore"):
        wanted = BINARY[name](x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    if name == "floor_div":
        assert wanted[:4].tolist() == [9, 9, -10, -10]
    check_mil(name, {"x": x, "y": y}, wanted)
    check_mil(name, {"x": x, "y": constant(y)}, wanted)


@pytest.mark.parametrize(
    ("name", "x", "wanted"),
    [
        ("cosh", [88.8, -88.8, 89.4], [1.8378977e38, 1.8378977e38, 3.3488e38]),
        ("sinh", [88.8, -88.8, 89.4], [1.8378977e38, -1.8378977e38, 3.3488e38]),
        ("gelu", [3.4e38, np.inf, 2e38], [3.4e38, np.inf, 2e38]),
    ],
)
def test_what_fits_does_not_overflow(name: str, x: list[float], wanted: list[float]) -> None:
    check_mil(name, {"x": np.float32(x)}, wanted, rtol=1e-4)
    if name == "gelu":
        check_mil(name, {"x": np.float32(x), "mode": "TANH_APPROXIMATION"}, wanted)


@pytest.mark.parametrize("name", ["floor_div", "mod", "real_div"])
@pytest.mark.parametrize("divisor", [3, -3, 7])
def test_integers_by_a_constant_in_both_engines(name: str, divisor: int) -> None:
    """A division of integers rounds down, and a remainder has the divisor's sign."""
    if name == "real_div":
        wanted, fast = np.floor(WHOLE / divisor).astype(np.int32), False
    else:
        wanted, fast = BINARY[name](WHOLE, divisor), True
    check_mil(name, {"x": WHOLE, "y": divisor}, wanted, outputs=("int32",), fast=fast)
    check_mil(name, {"x": WHOLE, "y": DIVISORS[:1]}, BINARY_OF_TWO[name], outputs=("int32",),
              fast=False)  # fmt: skip


@pytest.mark.parametrize("name", ["add", "sub", "mul", "matmul"])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
def test_narrow_integers_wrap_in_the_reference_engine(name: str, kind: str) -> None:
    x, y = (np.array(values, kind) for values in ([100, 5, 3], [100, 7, 250 % 128]))
    with np.errstate(all="ignore"):
        wanted = np.matmul(x, y) if name == "matmul" else BINARY[name](x, y).astype(kind)
    program, feeds = mil_program(name, {"x": x, "y": y}, outputs=(kind,))
    with pytest.raises(NotLowered, match=f"{kind} arithmetic"):
        lower(program.graph)
    assert (
        program.run(feeds)["out0"].astype(np.int64) % 256 == wanted.astype(np.int64) % 256
    ).all()


def test_a_declared_result_narrower_than_its_operand_wraps() -> None:
    x = np.array([200, -200, 5], np.int32)
    check_mil("identity", {"x": x}, x.astype(np.int8), outputs=("int8",), fast=False)


def test_a_cast_that_declares_another_type_is_left_to_the_reference_engine() -> None:
    program, feeds = mil_program(
        "cast", {"x": np.array([200.0, 5.0], np.float32), "dtype": "int16"}, outputs=("int8",)
    )
    assert program.run(feeds)["out0"].tolist() == [-56, 5]
    with pytest.raises(NotLowered, match="int8 for int16"):
        lower(program.graph)


def test_a_feed_too_large_for_its_declared_type_wraps_in_both_engines() -> None:
    x = np.array([100, -100, 5], np.int8)
    program, _ = mil_program("tile", {"x": x, "reps": (1,)}, outputs=("int8",))
    large, wanted = {"x": np.array([200, -200, 5], np.int32)}, np.array([-56, 56, 5])
    for computed in (program.run(large), FastEngine(program.graph, threads=1).run(large)):
        assert (computed["out0"] == wanted).all()


@pytest.mark.parametrize("name", ["floor_div", "mod"])
def test_an_integer_by_zero_is_an_error(name: str) -> None:
    with pytest.raises(ExecutionFailed, match="ZeroDivision"):
        run_mil(name, {"x": WHOLE, "y": np.zeros(5, np.int32)}, outputs=("int32",))


@pytest.mark.parametrize("name", COMPARE)
def test_comparison(name: str) -> None:
    x = np.array([1, 2, np.nan, np.inf], np.float32)
    y = np.array([1, 3, np.nan, -np.inf], np.float32)
    check_mil(name, {"x": x, "y": y}, COMPARE[name](x, y), outputs=("bool",))
    check_mil(name, {"x": X, "y": ROW}, COMPARE[name](X, ROW), outputs=("bool",))
    check_mil(name, {"x": WHOLE, "y": -7}, COMPARE[name](WHOLE, -7), outputs=("bool",))


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    x = np.concatenate([X.reshape(-1), [0, 0.5, 1.5, -0.5, np.nan, np.inf]]).astype(np.float32)
    with np.errstate(all="ignore"):
        wanted = UNARY[name](x.astype(np.float64))
    np.testing.assert_allclose(run_mil(name, {"x": x}), wanted, rtol=1e-4, atol=1e-6)
    known = np.isfinite(wanted)
    check_mil(name, {"x": x[known]}, wanted[known], rtol=1e-4)
    check_mil(name, {"x": x[:0]}, wanted[:0])


@pytest.mark.parametrize("name", ["square", "exp2"])
def test_functions_of_integers(name: str) -> None:
    x = np.array([0, 1, 5, 30], np.int32)
    with np.errstate(all="ignore"):
        wanted = x * x if name == "square" else 2**x
    check_mil(name, {"x": x}, wanted, outputs=("int32",), fast=name == "square")


def test_powers_of_integers() -> None:
    x, y = np.array([2, -3, 7], np.int32), np.array([10, 3, 0], np.int32)
    check_mil("pow", {"x": x, "y": y}, x**y, outputs=("int32",), fast=False)


def test_epsilons_and_bounds() -> None:
    x = np.array([0.0, 1.0, 4.0], np.float32)
    np.testing.assert_allclose(run_mil("inverse", {"x": x}), 1 / (x + 1e-4), rtol=1e-5)
    np.testing.assert_allclose(run_mil("rsqrt", {"x": x, "epsilon": 0.5}), (x + 0.5) ** -0.5, 1e-5)
    np.testing.assert_allclose(run_mil("log", {"x": x})[0], -103.28, rtol=1e-3)
    assert run_mil("clip", {"x": x, "alpha": 0.5, "beta": 2.0}).tolist() == [0.5, 1, 2]
    assert run_mil("threshold", {"x": x, "alpha": 0.5}).tolist() == [0.5, 1, 4]


def test_fp16_saturates() -> None:
    x = np.array([65504.0], np.float16)
    assert np.isinf(run_mil("mul", {"x": x, "y": constant(np.float16(2))}, outputs=("fp16",)))
    assert np.isinf(run_mil("add", {"x": x.astype(np.float32), "y": 65504.0}, precision="fp16"))


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("int8", [0, 127, -128, 127, -1]), ("uint8", [0, 255, 0, 255, 0]),
        ("int16", [0, 32767, -32768, 300, -1]), ("uint16", [0, 65535, 0, 300, 0]),
        ("int32", [0, 2**31 - 1, -(2**31), 300, -1]), ("bool", [True] * 5),
    ],
)  # fmt: skip
def test_cast(dtype: str, wanted: list[int]) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 300.7, -1.9], np.float32)
    check_mil("cast", {"x": x, "dtype": dtype}, np.array(wanted), outputs=(dtype,))


@pytest.mark.parametrize("source", ["int8", "uint8", "int16", "uint16", "int32"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "fp32", "bool"])
def test_cast_of_integers(source: str, dtype: str) -> None:
    limits = np.iinfo(source)
    x = np.array([limits.min, limits.max, 0, 1, 77, limits.max - 3], source)
    wanted = x.astype({"fp32": "float32"}.get(dtype, dtype))
    check_mil("cast", {"x": x, "dtype": dtype}, wanted, outputs=(dtype,))


def test_cast_to_no_type_of_the_specification() -> None:
    with pytest.raises(ArtefactError, match="int64"):
        run_mil("cast", {"x": X, "dtype": "int64"}, outputs=("int32",))
