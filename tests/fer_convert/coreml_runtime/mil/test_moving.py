"""Indexing, reshaping, resizing, normalising and multiplying operations against NumPy and loops."""

# ruff: noqa: E501 - one case per line reads better

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fer_convert.coreml_runtime import ArtefactError
from tests.fer_convert.coreml_runtime.one_operation import constant, run_mil

RNG = np.random.default_rng(13)


X = RNG.standard_normal((2, 4, 3, 5)).astype(np.float32)


T = torch.from_numpy(X)


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("operation", "inputs", "wanted"),
    [
        ("transpose", {"x": X, "perm": (3, 0, 2, 1)}, X.transpose(3, 0, 2, 1)),
        ("expand_dims", {"x": X, "axes": (0, -1)}, X[None, ..., None]),
        ("squeeze", {"x": X[:1, ..., :1], "axes": (-1,)}, X[:1, ..., 0]),
        ("squeeze", {"x": X[:1, ..., :1]}, X[0, ..., 0]),
        ("reverse", {"x": X, "axes": (1, -1)}, X[:, ::-1, :, ::-1]),
        ("reverse", {"x": X}, X[::-1, ::-1, ::-1, ::-1]),
        ("reshape", {"x": X, "shape": ints(0, -1, 0, 5)}, X),
        ("reshape", {"x": X, "shape": ints(0, -1)}, X.reshape(3, 40)),
        ("reshape", {"x": X[0, 0], "shape": (1, 0, -1, 0)}, X[None, None, 0, 0]),
        ("reshape", {"x": X, "shape": (4, 30)}, X.reshape(4, 30)),
        ("slice_by_index", {"x": X, "begin": (0, 1, -2, 0), "end": (2, 3, 3, 5), "stride": (1, 1, 1, 2)}, X[:, 1:3, -2:, ::2]),
        ("slice_by_index", {"x": X, "begin": ints(0, 3, 0, 4), "end": ints(2, 0, 0, 0), "stride": (1, -2, 1, -1), "end_mask": (False, False, True, True)}, X[:, 3:0:-2, :, ::-1]),
        ("slice_by_index", {"x": X, "begin": (1, 0, -1, 0), "end": (0, 0, 0, 0), "begin_mask": (False, True, False, True), "end_mask": (False, True, False, True), "squeeze_mask": (True, False, True, False)}, X[1, :, -1]),
        ("slice_by_index", {"x": X, "begin": (1, 1, 1, 1), "end": (2, 2, 2, 2), "squeeze_mask": (True,) * 4}, X[1, 1, 1, 1]),
        ("slice_by_size", {"x": X, "begin": (0, 1, -2, 2), "size": (-1, 2, 1, 3)}, X[:, 1:3, -2:-1, 2:]),
        ("gather", {"x": X, "indices": ints(3, -1), "axis": 1}, X[:, [3, -1]]),
        ("gather", {"x": X, "indices": constant(np.int32(2)), "axis": -1}, X[..., 2]),
        ("gather_along_axis", {"x": X, "indices": X.argsort(2).astype(np.int32), "axis": 2}, np.sort(X, 2)),
        ("gather_nd", {"x": X, "indices": ints(1, 0, -1, 3).reshape(2, 2)}, X[[1, -1], [0, 3]]),
        ("pad", {"x": X, "pad": (1, 2, 0, 3), "constant_val": 7.0}, np.pad(X, [(0, 0), (0, 0), (1, 2), (0, 3)], constant_values=7)),
        ("pad", {"x": X, "pad": (0, 0, 1, 0, 2, 1, 3, 0), "mode": "constant"}, np.pad(X, [(0, 0), (1, 0), (2, 1), (3, 0)])),
        ("pad", {"x": X, "pad": (2, 1, 0, 4), "mode": "reflect"}, np.pad(X, [(0, 0), (0, 0), (2, 1), (0, 4)], mode="reflect")),
        ("pad", {"x": X, "pad": (0, 0, 0, 0, 4, 0, 3, 3), "mode": "replicate"}, np.pad(X, [(0, 0), (0, 0), (4, 0), (3, 3)], mode="edge")),
        ("crop", {"x": X, "crop_height": (1, 0), "crop_width": (1, 2)}, X[:, :, 1:, 1:-2]),
        ("upsample_nearest_neighbor", {"x": X, "scale_factor_height": 2.0, "scale_factor_width": 3.0}, np.kron(X, np.ones((1, 1, 2, 3), np.float32))),
        ("sliding_windows", {"x": X, "axis": 1, "size": 3, "stride": 1}, np.moveaxis(np.lib.stride_tricks.sliding_window_view(X, 3, 1), -1, 2)),
        ("pixel_shuffle", {"x": X[:, :, :, :4], "upscale_factor": 2}, X[:, :, :, :4].reshape(2, 1, 2, 2, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(2, 1, 6, 8)),
        ("depth_to_space", {"x": X, "block_size": 2}, X.reshape(2, 2, 2, 1, 3, 5).transpose(0, 3, 4, 1, 5, 2).reshape(2, 1, 6, 10)),
    ],
)  # fmt: skip
def test_moves(operation: str, inputs: dict[str, Any], wanted: Any) -> None:
    np.testing.assert_array_equal(run_mil(operation, inputs), wanted)


@pytest.mark.parametrize(
    ("there", "back", "forward", "backward"),
    [
        ("space_to_depth", "depth_to_space", "block_size", "block_size"),
        ("pixel_unshuffle", "pixel_shuffle", "downscale_factor", "upscale_factor"),
    ],
)
def test_blocks_go_there_and_back(there: str, back: str, forward: str, backward: str) -> None:
    x = RNG.standard_normal((2, 3, 4, 6)).astype(np.float32)
    packed = run_mil(there, {"x": x, forward: 2})
    assert packed.shape == (2, 12, 2, 3)
    np.testing.assert_array_equal(run_mil(back, {"x": packed, backward: 2}), x)


def test_matrices() -> None:
    a, b = X, RNG.standard_normal((4, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(run_mil("matmul", {"x": a, "y": b}), a @ b, rtol=1e-5, atol=1e-5)
    turned = {
        "x": a.swapaxes(-1, -2),
        "y": constant(b.swapaxes(-1, -2)),
        "transpose_x": True,
        "transpose_y": True,
    }
    np.testing.assert_allclose(run_mil("matmul", turned), a @ b, rtol=1e-5, atol=1e-5)
    vector = {"x": a, "y": b[0, :, 0].copy(), "transpose_y": True}
    np.testing.assert_allclose(run_mil("matmul", vector), a @ b[0, :, 0], rtol=1e-5, atol=1e-5)
    product = run_mil("einsum", {"values": [a, b], "equation": "nchw,cwk->nhk"})
    np.testing.assert_allclose(product, np.einsum("nchw,cwk->nhk", a, b), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("masked", ["no", "float", "bool"])
def test_attention(masked: str) -> None:
    q, k, v = (RNG.standard_normal((2, n, 4)).astype(np.float32) for n in (3, 5, 5))
    mask = RNG.standard_normal((3, 5)).astype(np.float32)
    scores = q @ k.swapaxes(1, 2) / 2
    inputs: dict[str, Any] = {"query": q, "key": k, "value": v}
    if masked == "float":
        inputs["attn_mask"], scores = mask, scores + mask
    if masked == "bool":
        mask[:, 0] = 1
        inputs["attn_mask"], scores = mask > 0, np.where(mask > 0, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = weights / weights.sum(-1, keepdims=True) @ v
    result = run_mil("scaled_dot_product_attention", inputs)
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", [(-1,), (2, 3), (1, 3), ()])
def test_layer_norm(axes: tuple[int, ...]) -> None:
    over = axes or (0, 1, 2, 3)
    shape = [X.shape[axis] for axis in sorted(a % 4 for a in over)]
    gamma, beta = RNG.random(shape).astype(np.float32), RNG.random(shape).astype(np.float32)
    inputs = {"x": X, "gamma": constant(gamma), "beta": constant(beta), "epsilon": 1e-3}
    result = run_mil("layer_norm", inputs | ({"axes": axes} if axes else {}))
    wide = [X.shape[axis] if axis in {a % 4 for a in over} else 1 for axis in range(4)]
    normal = (X - X.mean(over, keepdims=True)) / np.sqrt(X.var(over, keepdims=True) + 1e-3)
    wanted = normal * gamma.reshape(wide) + beta.reshape(wide)
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_other_norms() -> None:
    gamma, beta = RNG.random(4).astype(np.float32), RNG.random(4).astype(np.float32)
    result = run_mil(
        "instance_norm", {"x": X, "gamma": constant(gamma), "beta": constant(beta), "epsilon": 1e-4}
    )
    normal = (X - X.mean((2, 3), keepdims=True)) / np.sqrt(X.var((2, 3), keepdims=True) + 1e-4)
    np.testing.assert_allclose(
        result, normal * gamma[:, None, None] + beta[:, None, None], rtol=1e-4, atol=1e-5
    )
    norm = np.sqrt((X**2).sum((1, 2, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(run_mil("l2_norm", {"x": X, "epsilon": 1e-3}), X / norm, rtol=1e-5)
    squares = np.pad(X**2, [(0, 0), (1, 1), (0, 0), (0, 0)])
    around = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]
    result = run_mil(
        "local_response_norm", {"x": X, "size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}
    )
    np.testing.assert_allclose(result, X / (2 + 0.5 / 3 * around) ** 0.6, rtol=1e-5)


UFUNCS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


@pytest.mark.parametrize("mode", ["update", *UFUNCS])
def test_scatters(mode: str) -> None:
    x = RNG.uniform(1, 2, (3, 4)).astype(np.float32)
    updates = RNG.uniform(1, 2, (2, 4)).astype(np.float32)

    def expected(index: Any, values: Any) -> Any:
        wanted = x.copy()
        if mode == "update":
            wanted[index] = values
        else:
            UFUNCS[mode].at(wanted, index, values)
        return wanted

    rows = ints(2, 0) if mode == "update" else ints(-1, -1)
    result = run_mil(
        "scatter", {"data": x, "indices": rows, "updates": updates, "axis": 0, "mode": mode}
    )
    np.testing.assert_allclose(result, expected(rows, updates), rtol=1e-6)
    vectors = ints(0, 1, 2, -1).reshape(2, 2)
    result = run_mil(
        "scatter_nd", {"data": x, "indices": vectors, "updates": updates[:, 0].copy(), "mode": mode}
    )
    np.testing.assert_allclose(result, expected(([0, 2], [1, -1]), updates[:, 0]), rtol=1e-6)
    places = ints(1, 0, 2, 1)[None]
    result = run_mil(
        "scatter_along_axis",
        {"data": x, "indices": places, "updates": updates[:1].copy(), "axis": 0, "mode": mode},
    )
    np.testing.assert_allclose(result, expected((places, np.arange(4)), updates[:1]), rtol=1e-6)


def test_slice_update() -> None:
    wanted = X.copy()
    wanted[:, 1:3, ::2] = 9
    inputs = {
        "x": X,
        "update": np.full((2, 2, 2, 5), 9, np.float32),
        "begin": (0, 1, 0, 0),
        "end": (2, 3, 3, 5),
        "stride": (1, 1, 2, 1),
    }
    np.testing.assert_array_equal(run_mil("slice_update", inputs), wanted)


@pytest.mark.parametrize("aligned", [True, False])
def test_bilinear(aligned: bool) -> None:
    def interpolate(row: Any, size: int) -> Any:
        if aligned:
            at = np.linspace(0, len(row) - 1, size)
        else:
            at = np.clip((np.arange(size) + 0.5) * len(row) / size - 0.5, 0, len(row) - 1)
        return np.interp(at, np.arange(len(row)), row)

    wide = np.apply_along_axis(interpolate, -1, X.astype(np.float64), 10)
    wanted = np.apply_along_axis(interpolate, -2, wide, 6)
    factors = {"scale_factor_height": 2.0, "scale_factor_width": 2.0, "align_corners": aligned}
    np.testing.assert_allclose(run_mil("upsample_bilinear", {"x": X, **factors}), wanted, atol=1e-5)
    mode = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS"
    sizes = {"target_size_height": 6, "target_size_width": 10, "sampling_mode": mode}
    np.testing.assert_allclose(run_mil("resize_bilinear", {"x": X, **sizes}), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("operation", "inputs", "error"),
    [
        ("tile", {"x": X, "reps": (1, 1, 1, 1 << 30)}, ArtefactError),
        ("fill", {"shape": ints(1 << 20, 1 << 20), "value": 1.0}, ArtefactError),
        ("range_1d", {"start": ints(0)[0:1].reshape(()), "end": np.int32(2**31 - 1), "step": np.int32(1)}, ArtefactError),
        ("one_hot", {"indices": ints(0), "one_hot_vector_size": np.int32(2**31 - 1)}, ArtefactError),
        ("conv", {"x": X, "weight": constant(np.ones((1, 4, 1, 1), np.float32)), "pad_type": "custom", "pad": (0, 1 << 30, 0, 0)}, ArtefactError),
        ("crop", {"x": X, "crop_height": (-1, 0), "crop_width": (0, 0)}, ArtefactError),
        ("crop", {"x": X, "crop_height": (2, 2), "crop_width": (0, 0)}, ArtefactError),
        ("slice_by_index", {"x": X, "begin": (0, 0, 5, 0), "end": (2, 4, 3, 5), "squeeze_mask": (False, False, True, False)}, ArtefactError),
        ("slice_by_size", {"x": X, "begin": (0, 0, -7, 0), "size": (1, 1, 1, 1)}, ArtefactError),
        ("scatter", {"data": ints(4, 6), "indices": ints(0), "updates": ints(2), "mode": "div"}, ArtefactError),
        ("pad", {"x": X, "pad": (0, 1 << 30)}, ArtefactError),
        ("pad", {"x": X, "pad": (0, -1)}, ArtefactError),
        ("upsample_bilinear", {"x": X, "scale_factor_height": 1e6, "scale_factor_width": 1e6}, ArtefactError),
        ("resize_bilinear", {"x": X, "sampling_mode": "CORNERS"}, ArtefactError),
        ("gather", {"x": X, "indices": ints(0), "batch_dims": 1}, ArtefactError),
        ("gather", {"x": X, "indices": ints(9)}, ArtefactError),
        ("squeeze", {"x": X, "axes": (1,)}, ArtefactError),
        ("scatter", {"data": X, "indices": ints(0), "updates": X, "mode": "swap"}, ArtefactError),
    ],
)  # fmt: skip
def test_impossible_and_unsupported_options(operation: str, inputs: Any, error: Any) -> None:
    with pytest.raises(error, match=operation):
        run_mil(operation, inputs)


def test_a_padded_constant_is_rounded() -> None:
    padded = run_mil("pad", {"x": X, "pad": (1, 0), "constant_val": 0.1}, precision="fp16")
    assert padded[0, 0, 0, 0] == np.float16(0.1).astype(np.float32)
