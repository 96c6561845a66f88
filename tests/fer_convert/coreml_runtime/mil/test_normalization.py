"""Normalisation and products of ML Programs in both engines, against NumPy in fp64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.fast import NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import check_mil
from tests.fer_convert.coreml_runtime.one_operation import Array, constant, mil_program, run_mil

RNG = np.random.default_rng(41)


X = RNG.standard_normal((2, 4, 3, 5)).astype(np.float32)


WIDE = X.astype(np.float64)


def floats(*shape: int) -> Array:
    return RNG.uniform(0.5, 2, shape).astype(np.float32)


def affine(
    op: str, normal: Array, shape: tuple[int, ...], parts: tuple[bool, bool], **options: Any
) -> None:
    """Check ``op`` with and without gamma and beta, which broadcast as ``shape``."""
    inputs: dict[str, Any] = {"x": X, **options}
    flat = tuple(size for size in shape if size != 1) or (1,)
    for name, given in zip(("gamma", "beta"), parts, strict=True):
        if given:
            stored = floats(*flat)
            inputs[name] = constant(stored)
            normal = (
                normal * stored.reshape(shape)
                if name == "gamma"
                else normal + stored.reshape(shape)
            )
    check_mil(op, inputs, normal, atol=1e-5)


PARTS = [(False, False), (True, False), (False, True), (True, True)]


@pytest.mark.parametrize("parts", PARTS)
def test_batch_norm(parts: tuple[bool, bool]) -> None:
    mean, variance = floats(4), floats(4)
    wide = (1, 4, 1, 1)
    normal = (WIDE - mean.reshape(wide)) / np.sqrt(variance.reshape(wide) + 0.1)
    options = {"mean": constant(mean), "variance": constant(variance), "epsilon": 0.1}
    affine("batch_norm", normal, wide, parts, **options)


@pytest.mark.parametrize("parts", PARTS)
def test_instance_norm(parts: tuple[bool, bool]) -> None:
    centred = WIDE - WIDE.mean((2, 3), keepdims=True)
    normal = centred / np.sqrt(WIDE.var((2, 3), keepdims=True) + 0.05)
    affine("instance_norm", normal, (1, 4, 1, 1), parts, epsilon=0.05)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 3)])
def test_an_instance_norm_of_no_images(shape: tuple[int, ...]) -> None:
    program, feeds = mil_program("instance_norm", {"x": np.zeros(shape, np.float32)})
    with pytest.raises(ExecutionFailed, match="rank"):
        program.run(feeds)
    with pytest.raises(NotLowered, match="no image"):
        lower(program.graph)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("axes", [(-1,), (3, 2), (1, 2, 3), (1,), (0, -1), None])
def test_layer_norm(axes: tuple[int, ...] | None, parts: tuple[bool, bool]) -> None:
    over = tuple(sorted(axis % 4 for axis in axes)) if axes else (0, 1, 2, 3)
    shape = tuple(size if axis in over else 1 for axis, size in enumerate(X.shape))
    centred = WIDE - WIDE.mean(over, keepdims=True)
    normal = centred / np.sqrt(WIDE.var(over, keepdims=True) + 1e-5)
    affine("layer_norm", normal, shape, parts, **({"axes": axes} if axes else {}))


def test_l2_norm() -> None:
    for x in (X, X[0], X[None, :1]):
        length = np.sqrt((x.astype(np.float64) ** 2).sum((-3, -2, -1), keepdims=True) + 1e-6)
        check_mil("l2_norm", {"x": x}, x / length)
    check_mil("l2_norm", {"x": np.zeros((1, 2, 2), np.float32)}, np.zeros((1, 2, 2)))


@pytest.mark.parametrize(
    ("size", "image"), [(1, True), (3, True), (5, True), (2, True), (3, False)]
)
def test_local_response_norm(size: int, image: bool) -> None:
    x = X if image else X[:, :, 0].copy()
    # An even window reaches one channel further back.
    padded = np.pad(
        x.astype(np.float64), [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    )
    squares = sum(padded[:, i : i + 4] ** 2 for i in range(size))
    wanted = x / (1.5 + 0.3 / size * squares) ** 0.6
    inputs = {"x": x, "size": size, "alpha": 0.3, "beta": 0.6, "k": 1.5}
    check_mil("local_response_norm", inputs, wanted, fast=image and size % 2 == 1)


@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_linear(rank: int, biased: bool, computed: bool) -> None:
    x = X[(0,) * (4 - rank)].copy()
    weight, bias = floats(6, 5), floats(6)
    wanted = x.astype(np.float64) @ weight.T + (bias if biased else 0)
    keep = (lambda array: array) if computed else constant
    inputs = {"x": x, "weight": keep(weight), **({"bias": keep(bias)} if biased else {})}
    check_mil("linear", inputs, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("left", "right"),
    [((5,), (5,)), ((5,), (4, 5, 3)), ((2, 4, 5), (5,)), ((4, 5), (5, 3)),
     ((2, 1, 4, 5), (3, 5, 2)), ((0, 5), (5, 3)), ((4, 0), (0, 3))],
)  # fmt: skip
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True)])
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], turned: tuple[bool, bool]) -> None:
    x, y = floats(*left), floats(*right)
    wanted = x.astype(np.float64) @ y
    # Turning a vector has no effect.
    x = x.swapaxes(-1, -2).copy() if turned[0] and x.ndim > 1 else x
    y = y.swapaxes(-1, -2).copy() if turned[1] and y.ndim > 1 else y
    inputs = {"x": x, "transpose_x": turned[0], "transpose_y": turned[1]}
    check_mil("matmul", {**inputs, "y": y}, wanted)
    check_mil("matmul", {**inputs, "y": constant(y)}, wanted)


def test_products_of_integers() -> None:
    x, y = (RNG.integers(-9, 9, shape).astype(np.int32) for shape in ((2, 3), (3, 4)))
    assert (run_mil("matmul", {"x": x, "y": y}, outputs=("int32",)) == x @ y).all()
    weight = constant(np.ascontiguousarray(y.T))
    assert (run_mil("linear", {"x": x, "weight": weight}, outputs=("int32",)) == x @ y).all()


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [("nchw,nwhu->nchu", (2, 3, 4, 5), (2, 5, 4, 6)), ("chw,whr->chr", (3, 4, 5), (5, 4, 2)),
     ("nchw,nwhu->nchu", (2, 3, 4, 5), (1, 5, 1, 6))],
)  # fmt: skip
def test_einsum(equation: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    x, y = floats(*left), floats(*right)
    batches = np.broadcast_to(y, (x.shape[0], *y.shape[1:])) if y.ndim == 4 else y
    heights = [
        size if i != batches.ndim - 2 else x.shape[-2] for i, size in enumerate(batches.shape)
    ]
    wanted = np.einsum(equation, x.astype(np.float64), np.broadcast_to(batches, heights))
    check_mil("einsum", {"values": [x, y], "equation": equation}, wanted)


@pytest.mark.parametrize("mask", ["none", "float", "bool", "broadcast"])
@pytest.mark.parametrize("heads", [(), (3,)])
def test_attention(heads: tuple[int, ...], mask: str) -> None:
    q, k, v = (
        RNG.standard_normal((2, *heads, n, d)).astype(np.float32)
        for n, d in ((4, 8), (5, 8), (5, 3))
    )
    scores = q.astype(np.float64) @ k.swapaxes(-1, -2) / np.sqrt(8)
    inputs: dict[str, Any] = {"query": q, "key": k, "value": v}
    if mask in {"float", "broadcast"}:
        added = RNG.standard_normal((4, 5) if mask == "float" else (1, 5)).astype(np.float32)
        inputs["attn_mask"], scores = added, scores + added
    if mask == "bool":
        kept = RNG.random((4, 5)) > 0.4
        kept[:, 2] = True
        inputs["attn_mask"], scores = kept, np.where(kept, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = weights / weights.sum(-1, keepdims=True) @ v
    check_mil("scaled_dot_product_attention", inputs, wanted, atol=1e-5)


def test_statistics_that_do_not_fit() -> None:
    program, feeds = mil_program("layer_norm", {"x": X, "axes": (3,), "gamma": constant(floats(4))})
    with pytest.raises(ArtefactError, match="layer_norm"):
        program.run(feeds)
    turned = {"x": X, "axes": (2, 3), "gamma": constant(floats(5, 3))}
    with pytest.raises(ArtefactError, match=r"gamma or beta \[5, 3\] for axes of \[3, 5\]"):
        run_mil("layer_norm", turned)
    with pytest.raises(ArtefactError, match="prelu"):
        run_mil("prelu", {"x": X, "alpha": constant(floats(3))})
