"""Layers that move, choose and place values, against NumPy."""

# ruff: noqa: E501 - one case per line reads better

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.fast import FastEngine
from tests.fer_convert.coreml_runtime.both_engines import run_layer
from tests.fer_convert.coreml_runtime.layer_filling import fields
from tests.fer_convert.coreml_runtime.one_operation import layer_program

RNG = np.random.default_rng(9)


X = RNG.standard_normal((2, 4, 3, 5)).astype(np.float32)


FIVE = RNG.standard_normal((2, 3, 4, 3, 5)).astype(np.float32)  # sequence, batch, image


A = X[:, :2]


B = X[:, 2:]


COMPUTED_COUNTS = fields("tile")  # which the fast engine leaves to the reference engine


@pytest.mark.parametrize(
    ("fill", "arrays", "wanted"),
    [
        (fields("concat"), (A, X), np.concatenate([A, X], 1)),
        (fields("concatND", axis=-1), (A, B), np.concatenate([A, B], -1)),
        (
            fields("concatND", axis=1, interleave=True),
            (A, B),
            np.stack([A[:, 0], B[:, 0], A[:, 1], B[:, 1]], 1),
        ),
        (fields("stack", axis=-1), (A, B), np.stack([A, B], -1)),
        (fields("reshapeStatic", targetShape=(8, -1)), (X,), X.reshape(8, -1)),
        (fields("reshapeDynamic"), (X, np.array([0, -1])), X.reshape(2, -1)),
        (fields("reshapeLike"), (X, np.zeros((8, 15))), X.reshape(8, 15)),
        (fields("rankPreservingReshape", targetShape=(0, 2, -1, 1)), (X,), X.reshape(2, 2, 30, 1)),
        (fields("reshape", targetShape=(6, 5, 2)), (X,), X.reshape(2, 6, 5, 2)),
        (
            fields("reshape", targetShape=(6, 5, 2), mode=1),
            (X,),
            X.transpose(0, 2, 3, 1).reshape(2, 5, 2, 6).transpose(0, 3, 1, 2),
        ),
        (fields("flatten"), (X,), X.reshape(2, 60, 1, 1)),
        (fields("flatten", mode=1), (X,), X.transpose(0, 2, 3, 1).reshape(2, 60, 1, 1)),
        (fields("flattenTo2D", axis=2), (X,), X.reshape(8, 15)),
        (fields("flattenTo2D", axis=-1), (X,), X.reshape(24, 5)),
        (fields("flattenTo2D", axis=0), (X,), X.reshape(1, -1)),
        (fields("flattenTo2D", axis=4), (X,), X.reshape(-1, 1)),
        (fields("reshape", targetShape=(6, 5, 2)), (FIVE,), FIVE.reshape(2, 3, 6, 5, 2)),
        (fields("flatten"), (X[0],), X[0].reshape(60, 1, 1)),
        (fields("flatten"), (FIVE,), FIVE.reshape(2, 3, 60, 1, 1)),
        (fields("flatten", mode=1), (FIVE,), FIVE.transpose(0, 1, 3, 4, 2).reshape(2, 3, 60, 1, 1)),
        (fields("reshapeDynamic"), (X, np.array([2, 0, -1])), X.reshape(2, 4, -1)),
        (fields("squeeze", squeezeAll=True), (X[:1, :, :1],), X[0, :, 0]),
        (fields("squeeze"), (X,), X),
        (fields("expandDims"), (X,), X),
        (fields("permute", axis=(2, 1, 0, 3)), (FIVE,), FIVE.transpose(3, 1, 2, 0, 4)),
        (fields("permute", axis=(0, 3, 1, 2)), (FIVE,), FIVE.transpose(0, 1, 4, 2, 3)),
        (fields("permute"), (FIVE,), FIVE),
        (fields("transpose", axes=(3, 0, 1, 2)), (X,), X.transpose(3, 0, 1, 2)),
        (fields("squeeze", axes=(0, -1)), (X[:1, ..., :1],), X[0, ..., 0]),
        (fields("squeeze", squeezeAll=True), (X[:1, :1, :1, :1],), X[0, 0, 0, :1]),
        (fields("expandDims", axes=(0, -1)), (X,), X[None, ..., None]),
        (fields("tile", reps=(1, 2, 1, 3)), (X,), np.tile(X, (1, 2, 1, 3))),
        (COMPUTED_COUNTS, (A, np.array([2, 1, 1, 1])), np.tile(A, (2, 1, 1, 1))),
        (fields("tile", reps=(2, 3)), (X,), np.tile(X, (1, 1, 2, 3))),
        (fields("sequenceRepeat", nRepetitions=3), (FIVE,), np.tile(FIVE, (3, 1, 1, 1, 1))),
        (fields("sequenceRepeat"), (FIVE,), FIVE),
        (fields("concat", sequenceConcat=True), (FIVE, FIVE[:1]), np.concatenate([FIVE, FIVE[:1]])),
        (fields("broadcastToStatic", targetShape=(4, 3, 5)), (X[0, :1],), np.tile(X[0, :1], (4, 1, 1))),
        (fields("broadcastToLike"), (X[:1], X), np.tile(X[:1], (2, 1, 1, 1))),
        (fields("broadcastToDynamic"), (X[:1], np.array([2, 4, 3, 5])), np.tile(X[:1], (2, 1, 1, 1))),
        (fields("reverse", reverseDim=(False, True, False, True)), (X,), X[:, ::-1, :, ::-1]),
        (fields("reverse", reverseDim=(False,) * 4), (X,), X),
        (fields("slice", axis=1, startIndex=1, endIndex=3, stride=1), (X,), X[:, :, 1:3]),
        (fields("slice", axis=0, startIndex=0, endIndex=4, stride=2), (X,), X[:, ::2]),
        (fields("slice", axis=2, startIndex=-4, endIndex=-1, stride=2), (X,), X[..., -4:-1:2]),
        (fields("sliceBySize", axis=1, size=2), (X, np.array([1])), X[:, 1:3]),
        (fields("sliceBySize", axis=-1, size=2), (X, np.array([-3])), X[..., -3:-1]),
        (fields("slidingWindows", axis=-1, windowSize=2, step=3), (X,), np.stack([X[..., :2], X[..., 3:]], 3)),
        (fields("matrixBandPart", numLower=1, numUpper=-1), (X,), np.triu(X, -1)),
        (fields("matrixBandPart", numLower=-1, numUpper=0), (X,), np.tril(X, 0)),
        (fields("matrixBandPart", numLower=2, numUpper=1), (X,), np.triu(np.tril(X, 1), -2)),
        (fields("lowerTriangular", k=1), (X,), np.tril(X, 1)),
        (fields("lowerTriangular", k=-1), (X,), np.tril(X, -1)),
        (fields("upperTriangular", k=-1), (X,), np.triu(X, -1)),
        (fields("upperTriangular", k=2), (X,), np.triu(X, 2)),
        (fields("whereBroadcastable"), (X > 0, X, np.zeros((1, 1, 1, 1))), np.maximum(X, 0)),
        (fields("whereNonZero"), (np.array([[0, 2], [3, 0]]),), [[0, 1], [1, 0]]),
        (fields("gather", axis=1), (X, np.array([[3, -1], [0, 2]])), X[:, [[3, -1], [0, 2]]]),
        (fields("gatherAlongAxis", axis=1), (X, np.ones((2, 2, 3, 5))), X[:, [1, 1]]),
        (fields("gatherND"), (X, np.array([[1, 0], [-1, 3]])), X[[1, -1], [0, 3]]),
    ],
)  # fmt: skip
def test_moves(fill: Any, arrays: tuple[Any, ...], wanted: Any) -> None:
    given = (np.asarray(array) for array in arrays)
    result = run_layer(fill, *given, fast=fill is not COMPUTED_COUNTS)
    np.testing.assert_array_equal(result, np.asarray(wanted, np.float32))


def test_splits() -> None:
    for part, wanted in zip(
        run_layer(fields("split", nOutputs=2), X, outputs=2), (A, B), strict=True
    ):
        np.testing.assert_array_equal(part, wanted)
    parts = run_layer(fields("splitND", axis=-1, splitSizes=(1, 4)), X, outputs=2)
    np.testing.assert_array_equal(parts[0], X[..., :1])
    np.testing.assert_array_equal(parts[1], X[..., 1:])
    parts = run_layer(fields("splitND", axis=2, numSplits=3), X, outputs=3)
    np.testing.assert_array_equal(parts[2], X[:, :, 2:])


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(
    ("begin", "end", "strides", "begin_masks", "end_masks", "squeeze", "wanted"),
    [
        ((0, 1, 0, 1), (2, 3, 3, 5), (1, 1, 2, 2), (0,) * 4, (0,) * 4, (0,) * 4, X[:, 1:3, ::2, 1::2]),
        ((1, -2, 0, 0), (0, -1, 1, 0), (1, 1, 1, 1), (1, 0, 0, 0), (1, 0, 0, 1), (0,) * 4, X[:, -2:-1, :1]),
        ((0, 3, -1, 4), (2, 0, 0, 0), (1, -2, 1, -1), (0,) * 4, (0, 0, 1, 1), (0, 0, 1, 0), X[:, 3:0:-2, -1, ::-1]),
    ],
)  # fmt: skip
def test_strided_slices(
    dynamic: bool, begin: Any, end: Any, strides: Any, begin_masks: Any, end_masks: Any,
    squeeze: Any, wanted: Any,
) -> None:  # fmt: skip
    masks = {
        "beginMasks": [bool(m) for m in begin_masks],
        "endMasks": [bool(m) for m in end_masks],
        "squeezeMasks": [bool(m) for m in squeeze],
    }
    if dynamic:
        fill = fields("sliceDynamic", strides=strides, **masks)
        result = run_layer(fill, X, np.array(begin), np.array(end))
        with_strides = fields("sliceDynamic", **masks)
        given = (X, *(np.array(vector) for vector in (begin, end, strides)))
        again = run_layer(with_strides, *given, fast=False)
    else:
        fill = fields("sliceStatic", beginIds=begin, endIds=end, strides=strides, **masks)
        result = again = run_layer(fill, X)
    np.testing.assert_array_equal(again, wanted)
    np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis(axis: int) -> None:
    order = np.argsort(X, axis)
    result = run_layer(fields("gatherAlongAxis", axis=axis), X, order)
    np.testing.assert_array_equal(result, np.sort(X, axis))
    windows = run_layer(fields("slidingWindows", axis=axis, windowSize=2, step=1), X)
    wanted = np.lib.stride_tricks.sliding_window_view(X, 2, axis)
    np.testing.assert_array_equal(windows, np.moveaxis(wanted, -1, axis % 4 + 1))


def test_sequences_turned_round() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    result = run_layer(fields("reverseSeq", batchAxis=0, sequenceAxis=1), x, np.array([3, 6]))
    np.testing.assert_array_equal(result[0], [2, 1, 0, 3, 4, 5])
    np.testing.assert_array_equal(result[1], x[1, ::-1])
    counts = np.array([4, 1, 2, 3])
    result = run_layer(fields("reverseSeq", batchAxis=1, sequenceAxis=-1), X, counts)
    for channel, count in enumerate(counts):
        part = X[:, channel]
        wanted = np.concatenate([part[..., :count][..., ::-1], part[..., count:]], -1)
        np.testing.assert_array_equal(result[:, channel], wanted)
    result = run_layer(fields("reverseSeq", batchAxis=1, sequenceAxis=0), x.T, np.array([3, 6]))
    np.testing.assert_array_equal(result[:, 0], [2, 1, 0, 3, 4, 5])


UFUNCS = {
    1: np.add.at, 2: np.subtract.at, 3: np.multiply.at, 4: np.divide.at, 5: np.maximum.at,
    6: np.minimum.at,
}  # fmt: skip


@pytest.mark.parametrize("mode", range(7))
def test_scatters(mode: int) -> None:
    x = RNG.uniform(1, 2, (3, 4)).astype(np.float32)
    unique = np.array([2, 0])
    repeated = unique if mode == 0 else np.array([2, 2])  # what the last of two updates is, is open

    def expected(index: Any, updates: Any) -> Any:
        wanted = x.copy()
        if mode == 0:
            wanted[index] = updates
        else:
            UFUNCS[mode](wanted, index, updates)
        return wanted

    updates = RNG.uniform(1, 2, (2, 4)).astype(np.float32)
    result = run_layer(fields("scatter", axis=0, mode=mode), x, repeated, updates)
    np.testing.assert_allclose(result, expected(repeated, updates), rtol=1e-6)
    vectors = np.array([[0, 1], [2, -1]])
    result = run_layer(fields("scatterND", mode=mode), x, vectors, updates[:, 0])
    np.testing.assert_allclose(result, expected(([0, 2], [1, -1]), updates[:, 0]), rtol=1e-6)
    places = np.array([[1, 0, 2, 1]])
    result = run_layer(fields("scatterAlongAxis", axis=0, mode=mode), x, places, updates[:1])
    np.testing.assert_allclose(result, expected((places, np.arange(4)), updates[:1]), rtol=1e-6)


def test_scattered_slices_by_indices_of_two_axes() -> None:
    updates = RNG.standard_normal((2, 2, 2, 3, 5)).astype(np.float32)
    wanted = X.copy()
    np.add.at(wanted, (slice(None), np.array([[3, 1], [0, 3]])), updates)
    fill = fields("scatter", axis=-3, mode=1)
    result = run_layer(fill, X, np.array([[3, 1], [0, 3]]), updates)
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


def test_indices_that_are_broadcast_along_other_axes() -> None:
    """ONNX would read a part of the array instead."""
    indices = np.full((2, 1, 3, 1), 2)
    result = run_layer(fields("gatherAlongAxis", axis=1), X, indices, fast=False)
    np.testing.assert_array_equal(result, X[:, 2:3])


@pytest.mark.parametrize("last", [False, True])
def test_reshapes_of_sequences(last: bool) -> None:
    """Written out: each image of the batch is one list of values, then cut anew."""
    result = run_layer(fields("reshape", targetShape=(3, 5, 2, 4), mode=int(last)), FIVE)
    assert result.shape == (3, 3, 5, 2, 4)
    for b in range(3):
        image = FIVE[:, b].transpose(0, 2, 3, 1) if last else FIVE[:, b]
        flat = image.reshape(-1)
        sizes = (3, 2, 4, 5) if last else (3, 5, 2, 4)
        wanted = flat.reshape(sizes)
        np.testing.assert_array_equal(
            result[:, b], wanted.transpose(0, 3, 1, 2) if last else wanted
        )


@pytest.mark.parametrize(
    ("fill", "x", "message"),
    [
        (fields("reshape", targetShape=(1, 2)), X, "a target shape of 2 sizes"),
        (fields("reshape", targetShape=(1, 2, 3, 4)), X, "a new sequence for an input"),
        (fields("permute", axis=(0, 1)), FIVE, r"an order \[0, 1\] of four axes"),
        (fields("permute"), X, r"where \[S, B, C, H, W\] is needed"),
        (fields("sequenceRepeat", nRepetitions=2), X, "without a sequence"),
        (fields("tile", reps=(1,) * 5), X, "5 counts for the axes"),
        (fields("tile"), X, "0 counts"),
        (fields("slice", axis=1, endIndex=2), X, "a stride of 0"),
        (fields("squeeze", axes=(1,)), X, "are not all 1"),
        (fields("split", nOutputs=3), X, "3 equal parts of 4"),
        (fields("reshapeStatic", targetShape=(0, -1)), X, "a size of 0"),
        (fields("sliceStatic", beginIds=(1,), endIds=(2,)), X, "failed"),
        (fields("slidingWindows", axis=1, windowSize=9, step=1), X, "failed"),
        (fields("flattenTo2D", axis=5), X, "axis 5"),
        (fields("argSort", axis=4), X, "failed"),
        (fields("oneHot", oneHotVectorSize=2, axis=5), X, "failed"),
        (fields("oneHot", oneHotVectorSize=1 << 40), X, "too large"),
        (fields("broadcastToStatic", targetShape=(1 << 30, 4, 3, 5)), X[:1], "too large"),
        (fields("tile", reps=(1 << 30,)), X, "too large"),
    ],
)
def test_what_does_not_fit_is_refused(fill: Any, x: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        run_layer(fill, x, outputs=3 if "equal" in message else 1)


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_one_hot(axis: int) -> None:
    indices = np.array([[0, 2], [-1, 5]])
    fill = fields("oneHot", oneHotVectorSize=4, axis=axis, onValue=3, offValue=-1)
    hot = np.where(indices[..., None] == np.arange(4), 3.0, -1.0)
    np.testing.assert_array_equal(run_layer(fill, indices), np.moveaxis(hot, -1, axis))
    given = fields("oneHot", axis=axis, onValue=3, offValue=-1)
    sized = run_layer(given, indices, np.array([4]))
    np.testing.assert_array_equal(sized, np.moveaxis(hot, -1, axis))


def test_what_cannot_be_taken_is_refused() -> None:
    with pytest.raises(ArtefactError):
        run_layer(fields("sliceBySize", axis=3, size=-2), X, np.array([1]))
    with pytest.raises(ArtefactError):
        run_layer(fields("gatherAlongAxis", axis=1), X, np.zeros((2, 1, 3, 4)))


@pytest.mark.parametrize(
    ("fill", "arrays"),
    [
        (fields("fillDynamic", value=1), [np.array([1 << 20, 1 << 20])]),
        (fields("broadcastToDynamic"), [X[:1, :1, :1, :1], np.array([1 << 20, 1 << 10, 1, 1])]),
        (fields("rangeDynamic", stepSizeValue=1e-6), [np.array([1e6])]),
        (fields("rangeDynamic"), [np.array([1])]),
        (fields("sliceBySize", axis=3, size=4), [X, np.array([4])]),
        (fields("sliceDynamic", endIds=(0, 9), squeezeMasks=(True,)), [X[0, 0], np.array([9, 0])]),
    ],
)
def test_computed_sizes_are_bounded_in_both_engines(fill: Any, arrays: list[Any]) -> None:
    """The fast engine cannot know them beforehand: onnxruntime must stop by itself."""
    program, feeds = layer_program(fill, *arrays)
    with pytest.raises(ExecutionFailed):
        program.run(feeds)
    with pytest.raises(ExecutionFailed, match="onnxruntime"):
        FastEngine(program.graph, threads=1).run(feeds)
