"""Elementwise, reducing, sorting and creating layers against NumPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.read.nn_lowering import RECIPES
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import fields
from tests.fer_convert.coreml_runtime.one_operation import layer_program

RNG = np.random.default_rng(7)


X = RNG.standard_normal((2, 3, 4)).astype(np.float32)


Y = (RNG.standard_normal((1, 3, 1)) + 2).astype(np.float32)


UNIT = RNG.uniform(-0.9, 0.9, (2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "name",
    [
        *("ceil", "floor", "sign", "exp2", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
        "erf",
        *("arcsin", "arccos", "arctan", "arcsinh", "arctanh"),
    ],
)
def test_functions(name: str) -> None:
    kind = name.replace("arc", "a")
    wanted = np.vectorize(math.erf)(UNIT) if name == "erf" else getattr(np, name)(UNIT)
    np.testing.assert_allclose(run_layer(fields(kind), UNIT), wanted, rtol=1e-5, atol=1e-6)


def test_round_is_half_to_even_and_acosh() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)
    np.testing.assert_array_equal(run_layer(fields("round"), x), np.round(x))
    np.testing.assert_allclose(run_layer(fields("acosh"), x[1:3]), np.arccosh(x[1:3]), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("addBroadcastable", np.add),
        ("subtractBroadcastable", np.subtract),
        ("multiplyBroadcastable", np.multiply),
        ("divideBroadcastable", np.divide),
        ("floorDivBroadcastable", np.floor_divide),
        ("modBroadcastable", np.mod),
        ("maxBroadcastable", np.maximum),
        ("minBroadcastable", np.minimum),
        ("equal", np.equal),
        ("notEqual", np.not_equal),
        ("lessThan", np.less),
        ("lessEqual", np.less_equal),
        ("greaterThan", np.greater),
        ("greaterEqual", np.greater_equal),
        ("logicalAnd", np.logical_and),
        ("logicalOr", np.logical_or),
        ("logicalXor", np.logical_xor),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_pairs_broadcast(kind: str, function: Any, sign: int) -> None:
    x, y = np.round(X * 2), np.round(Y * sign)
    if kind.startswith(("logical",)):
        y[0, 0, 0] = 0
    else:
        y[y == 0] = 1
    result = run_layer(fields(kind), x, y)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, function(x, y).astype(np.float32), rtol=1e-6, atol=1e-6)


def test_powers_and_negation() -> None:
    base = np.abs(X) + 0.1
    np.testing.assert_allclose(run_layer(fields("powBroadcastable"), base, Y), base**Y, rtol=1e-5)
    x = np.array([0, 1, -2, 0.5], np.float32)
    np.testing.assert_array_equal(run_layer(fields("logicalNot"), x), [1, 0, 0, 0])


@pytest.mark.parametrize("kind", ["floorDivBroadcastable", "divideBroadcastable"])
def test_division_by_zero(kind: str) -> None:
    x, y = np.array([[3], [0], [-2.5]], np.float32), np.array([-0.5, 0, 2], np.float32)
    with np.errstate(all="ignore"):
        quotient = x / y
    wanted = np.floor(quotient) if kind.startswith("floor") else quotient
    np.testing.assert_array_equal(run_layer(fields(kind), x, y), wanted)


def test_a_single_input_meets_alpha() -> None:
    for kind, function in {
        "equal": np.equal, "notEqual": np.not_equal, "lessThan": np.less,
        "lessEqual": np.less_equal, "greaterThan": np.greater, "greaterEqual": np.greater_equal,
    }.items():  # fmt: skip
        x = np.array([0.25, 0.5, 0.75], np.float32)
        np.testing.assert_array_equal(run_layer(fields(kind, alpha=0.5), x), function(x, 0.5))
    np.testing.assert_allclose(run_layer(fields("add", alpha=0.5), X), X + np.float32(0.5))
    np.testing.assert_allclose(run_layer(fields("multiply", alpha=0.5), X), X / 2)


@pytest.mark.parametrize(
    ("kind", "function"), [("max", np.max), ("min", np.min), ("average", np.mean), ("add", np.sum)]
)
def test_layers_of_many_inputs(kind: str, function: Any) -> None:
    arrays = [RNG.standard_normal((2, 3)).astype(np.float32) for _ in range(4)]
    wanted = function(np.stack(arrays), axis=0)
    np.testing.assert_allclose(run_layer(fields(kind), *arrays), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (0, np.sqrt),
        (1, lambda v: 1 / np.sqrt(v + 1e-3)),
        (2, lambda v: 1 / (v + 1e-3)),
        (3, lambda v: v**1.5),
        (4, np.exp),
        (5, lambda v: np.log(v + 1e-3)),
        (6, np.abs),
        (7, lambda v: np.maximum(v, 1.5)),
    ],
)
def test_unary(kind: int, function: Any) -> None:
    x = np.abs(X)
    fill = fields("unary", type=kind, alpha=1.5, epsilon=1e-3, shift=0.25, scale=0.5)
    np.testing.assert_allclose(run_layer(fill, x), function(0.5 * x + 0.25), rtol=1e-5)


def test_clip() -> None:
    np.testing.assert_array_equal(
        run_layer(fields("clip", minVal=-0.5, maxVal=0.25), X),
        np.clip(X, np.float32(-0.5), np.float32(0.25)),
    )


@pytest.mark.parametrize(
    ("kind", "x", "expected"),
    [
        (1, 0.0, 1e3),  # the root of an epsilon of 1e-6
        (2, 0.0, 1e6),
        (4, 2.0, np.exp(2)),  # a scale of 0 is 1
        (5, 0.0, -np.inf),  # no epsilon in a logarithm, unless the file has one
        (5, 1.0, 0.0),
    ],
)
def test_defaults_of_unary(kind: int, x: float, expected: float) -> None:
    result = run_layer(fields("unary", type=kind), np.array([x]))
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


REDUCTIONS = {
    "Sum": np.sum,
    "Mean": np.mean,
    "Prod": np.prod,
    "Max": np.max,
    "Min": np.min,
    "L1": lambda x, **o: np.sum(np.abs(x), **o),
    "L2": lambda x, **o: np.sqrt(np.sum(x**2, **o)),
    "SumSquare": lambda x, **o: np.sum(x**2, **o),
    "LogSum": lambda x, **o: np.log(np.sum(x, **o)),
    "LogSumExp": lambda x, **o: np.log(np.sum(np.exp(x), **o)),
}


@pytest.mark.parametrize(
    ("name", "axes", "keep"),
    list(itertools.product(REDUCTIONS, [(1,), (-1, 0), ()], [True, False])),
)
def test_reductions(name: str, axes: tuple[int, ...], keep: bool) -> None:
    x = np.abs(X) + 0.1
    wanted = np.atleast_1d(REDUCTIONS[name](x, axis=axes or None, keepdims=keep))
    result = run_layer(fields(f"reduce{name}", axes=axes, keepDims=keep), x)
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=1e-5)
    everything = run_layer(fields(f"reduce{name}", reduceAll=True, keepDims=keep), x)
    np.testing.assert_allclose(everything.reshape(-1), REDUCTIONS[name](x), rtol=1e-5)


@pytest.mark.parametrize(
    ("mode", "function"),
    [
        (0, np.sum), (1, np.mean), (2, np.prod), (3, lambda x, **o: np.sum(np.log(x + 1e-4), **o)),
        (4, REDUCTIONS["SumSquare"]), (5, REDUCTIONS["L1"]), (6, REDUCTIONS["L2"]), (7, np.max),
        (8, np.min),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("axis", "axes"), [(0, (-3, -2, -1)), (1, (-2, -1)), (2, -3), (3, -2), (4, -1)]
)
def test_the_old_reduce_layer(mode: int, function: Any, axis: int, axes: Any) -> None:
    x = RNG.uniform(0.5, 1.5, (2, 3, 4, 5)).astype(np.float32)
    wanted = function(x, axis=axes, keepdims=True)
    result = run_layer(fields("reduce", mode=mode, axis=axis, epsilon=1e-4), x)
    np.testing.assert_allclose(result, wanted, rtol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_arguments_and_order(axis: int) -> None:
    for name, function in (("argMax", np.argmax), ("argMin", np.argmin)):
        kept = run_layer(fields(name, axis=axis), X)
        np.testing.assert_array_equal(kept, function(X, axis=axis, keepdims=True))
        dropped = run_layer(fields(name, axis=axis, removeDim=True), X)
        np.testing.assert_array_equal(dropped, function(X, axis=axis))
    ascending = run_layer(fields("argSort", axis=axis), X)
    np.testing.assert_array_equal(ascending, np.argsort(X, axis, kind="stable"))
    values, indices = run_layer(fields("topK", axis=axis, K=2), X, outputs=2)
    order = np.argsort(-X, axis, kind="stable").take(range(2), axis)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(X, order, axis))
    values, _ = run_layer(fields("topK", axis=axis, useBottomK=True), X, np.array([1]), outputs=2)
    np.testing.assert_array_equal(values, X.min(axis, keepdims=True))
    for old, axis in ((2, -3), (3, -2), (4, -1)):
        np.testing.assert_array_equal(
            run_layer(fields("reduce", mode=9, axis=old), X), X.argmax(axis, keepdims=True)
        )
    turned = run_layer(fields("argSort", axis=axis, descending=True), X)
    np.testing.assert_array_equal(turned, np.argsort(-X, axis, kind="stable"))
    only = run_layer(fields("argMax", removeDim=True), X[0, 0])
    np.testing.assert_array_equal(only, [X[0, 0].argmax()])
    with pytest.raises(ArtefactError):
        run_layer(fields("reduceSum", axes=(1, -2)), X)


@pytest.mark.parametrize(
    ("exclusive", "backwards"), list(itertools.product([False, True], repeat=2))
)
def test_cumulative_sums(exclusive: bool, backwards: bool) -> None:
    source = X[:, ::-1] if backwards else X
    wanted = np.cumsum(source, 1) - (source if exclusive else 0)
    wanted = wanted[:, ::-1] if backwards else wanted
    fill = fields("cumSum", axis=1, excludeFinalSum=exclusive, reverse=backwards)
    np.testing.assert_allclose(run_layer(fill, X), wanted, atol=1e-6)
    fill = fields("cumSum", axis=0, excludeFinalSum=exclusive, reverse=backwards)
    np.testing.assert_allclose(run_layer(fill, X, np.array([1])), wanted, atol=1e-6)


def test_constants_fills_and_ranges() -> None:
    def constant(layer: Any) -> None:
        layer.loadConstantND.shape.extend((2, 3))
        layer.loadConstantND.data.floatValue.extend(range(6))

    np.testing.assert_array_equal(run_layer(constant), np.arange(6).reshape(2, 3))

    def image(layer: Any) -> None:
        layer.loadConstant.shape.extend((1, 2, 3))
        layer.loadConstant.data.floatValue.extend(range(6))

    np.testing.assert_array_equal(run_layer(image), np.arange(6).reshape(1, 1, 1, 2, 3))
    np.testing.assert_array_equal(
        run_layer(fields("fillLike", value=2.5), X), np.full(X.shape, 2.5)
    )
    fill = fields("fillStatic", value=1.5, targetShape=(2, 2))
    np.testing.assert_array_equal(run_layer(fill), np.full((2, 2), 1.5))
    np.testing.assert_array_equal(
        run_layer(fields("fillDynamic", value=1.5), np.array([3, 1])), np.full((3, 1), 1.5)
    )
    for step in (0.5, 0.3):
        fill = fields("rangeStatic", startValue=1, endValue=4, stepSizeValue=step)
        np.testing.assert_allclose(run_layer(fill), np.arange(1, 4, step), rtol=1e-6)
    fractions = (np.array([value]) for value in (0.75, 0, 0.25))
    np.testing.assert_allclose(
        run_layer(fields("rangeDynamic"), *fractions), np.float32([0, 0.25, 0.5]), rtol=1e-6
    )
    backwards = fields("rangeDynamic", stepSizeValue=-2)
    np.testing.assert_array_equal(run_layer(backwards, np.array([0]), np.array([3])), [3, 1])
    np.testing.assert_array_equal(
        run_layer(fields("rangeDynamic", startValue=2, stepSizeValue=3), np.array([9])), [2, 5, 8]
    )
    np.testing.assert_array_equal(
        run_layer(fields("rangeDynamic"), np.array([0]), np.array([3]), np.array([-1])), [3, 2, 1]
    )
    np.testing.assert_array_equal(run_layer(fields("getShape"), X), X.shape)


@pytest.mark.parametrize(
    "fill",
    [
        fields("fillStatic", value=1, targetShape=(1 << 20, 1 << 20)),
        fields("rangeStatic", endValue=1e30, stepSizeValue=1e-3),
        fields("rangeStatic", endValue=1),
        fields("reduce", mode=9, axis=0),
    ],
)
def test_impossible_results_are_refused_before_they_are_made(fill: Any) -> None:
    arrays = [] if "Static" in str(layer_kind(fill)) else [X]
    with pytest.raises(ArtefactError):
        run_layer(fill, *arrays)


def layer_kind(fill: Any) -> str:
    from fer_convert.coreml_runtime.read.proto import proto_module

    layer = proto_module("NeuralNetwork_pb2").NeuralNetworkLayer()
    fill(layer)
    return str(layer.WhichOneof("layer"))


LEFT_OUT = [(refusal.reason, name) for refusal in RECIPES.refusals for name in refusal.types]


@pytest.mark.parametrize(("reason", "name"), LEFT_OUT, ids=[name for _, name in LEFT_OUT])
def test_what_is_left_out_is_refused_with_its_reason_and_place(reason: str, name: str) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        layer_program(fields(name), X)
    assert f"{name} 'layer' ({reason})" in str(caught.value)
