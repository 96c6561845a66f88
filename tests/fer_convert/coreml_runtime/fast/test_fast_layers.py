"""The fast engine's NeuralNetwork layers against the reference engine, on the same files."""

# ruff: noqa: E501 - one case per line reads better

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ArtefactError, ExecutionFailed
from fer_convert.coreml_runtime.fast import FastEngine, NotLowered, lower
from tests.fer_convert.coreml_runtime.both_engines import agree
from tests.fer_convert.coreml_runtime.layer_filling import Case, borders, filling, nothing
from tests.fer_convert.coreml_runtime.one_operation import layer_program

RNG = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


X = floats(2, 4, 7, 6)


FIVE = floats(2, 3, 4, 7, 6)  # sequence, batch, image


POSITIVE = np.abs(X) + 0.1


SMALL = np.clip(X / 4, -0.9, 0.9)


RANKS = [X[0], X, FIVE]


STATISTICS = {name: np.abs(floats(4)) + 0.5 for name in ("gamma", "beta", "mean", "variance")}


BAND = {"hasBias": True, "weights": floats(5, 6), "bias": floats(5)}


WEIGHTED: list[Case] = [
    *(("batchnorm", filling("batchnorm", channels=4, epsilon=e, computeMeanVar=computed,
                            instanceNormalization=instance, **STATISTICS), [x], 1)
      for x in RANKS
      for e, computed, instance in [(1e-3, False, False), (0.0, True, False), (0.1, True, True)]),
    *(
        ("innerProduct", filling("innerProduct", inputChannels=n, outputChannels=5, hasBias=True,
                                 weights=floats(5, n), bias=floats(5), int8DynamicQuantize=False), [x], 1)
        for x, n in ((X, 168), (FIVE, 168), (X[0], 6), (X[0, 0], 6), (X[0, 0, 0], 6))
    ),
    *(("batchedMatmul", filling("batchedMatmul", transposeA=a, transposeB=b),
       [floats(2, 1, *((4, 3) if a else (3, 4))), floats(5, *((6, 4) if b else (4, 6)))], 1)
      for a in (False, True) for b in (False, True)),
    ("vectors", filling("batchedMatmul"), [floats(4), floats(4)], 1),
    ("column", filling("batchedMatmul"), [floats(2, 3, 4), floats(4)], 1),
    ("row", filling("batchedMatmul"), [floats(4), floats(2, 4, 3)], 1),
    *(("stored", filling("batchedMatmul", weightMatrixFirstDimension=6, transposeA=True,
                         weightMatrixSecondDimension=5, **BAND), [x], 1) for x in (X, X[0, 0, 0])),
    *(("dot", filling("dot", cosineSimilarity=c), [floats(2, 7, 1, 1), floats(2, 7, 1, 1)], 1) for c in (False, True)),
    *(("embedding", filling("embedding", outputChannels=3, inputDim=5, weights=floats(3, 5), hasBias=b, bias=floats(3)),
       [np.array([4, 0, 2]).reshape(3, 1, 1, 1)], 1) for b in (False, True)),
    ("embeddingND", filling("embeddingND", embeddingSize=3, vocabSize=5, weights=floats(3, 5)), [np.array([[4], [0]])], 1),
    *(("scale", filling("scale", shapeScale=list(s), scale=floats(*s), hasBias=True, shapeBias=list(s), bias=floats(*s)), [x], 1)
      for s in ((1,), (4,), (1, 7, 6), (4, 7, 6)) for x in RANKS),
    ("bias", filling("bias", shape=[4], bias=floats(4)), [X], 1),
    ("layerNormalization", filling("layerNormalization", normalizedShape=[7, 6], eps=0.1, gamma=floats(7, 6), beta=floats(7, 6)), [X], 1),
    *(("mvn", filling("mvn", acrossChannels=a, normalizeVariance=v), [x], 1) for a in (False, True) for v in (False, True) for x in RANKS),
    *(("l2normalize", filling("l2normalize"), [x], 1) for x in RANKS),
    *(("lrn", filling("lrn", localSize=s, alpha=0.3, beta=0.75), [x], 1) for s in (1, 3) for x in RANKS),
    *(("softmax", filling("softmax"), [x], 1) for x in RANKS),
    ("softmaxND", filling("softmaxND", axis=-1), [X], 1),
    *(("PReLU", filling("activation", PReLU__alpha=floats(n)), [x], 1) for n in (1, 4) for x in RANKS),
    *(("parametricSoftplus", filling("activation", parametricSoftplus__alpha=floats(n), parametricSoftplus__beta=floats(n)), [X], 1) for n in (1, 4)),
]  # fmt: skip


ELEMENTWISE: list[Case] = [
    ("add", filling("add"), [X, floats(4, 1, 1), X], 1),
    ("multiply", filling("multiply", alpha=2.5), [X], 1),
    ("max", filling("max"), [X, -X], 1),
    ("min", filling("min"), [X, -X], 1),
    ("average", filling("average"), [X, floats(4, 7, 6)], 1),
    *((f"unary {t}", filling("unary", type=t, scale=s, shift=0.5, alpha=1.5), [POSITIVE], 1)
      for t in range(8) for s in (2, 0)),
    *((name, filling(name), [POSITIVE, floats(6) + 2], 1) for name in [
        "addBroadcastable", "subtractBroadcastable", "divideBroadcastable", "powBroadcastable",
        "multiplyBroadcastable", "maxBroadcastable", "minBroadcastable", "equal", "notEqual",
        "lessThan", "lessEqual", "greaterThan", "greaterEqual", "logicalAnd", "logicalOr",
        "logicalXor",
    ]),
    *((name, filling(name), [np.round(3 * X), np.array([-3, 0, 2, -1, 0.5, 3])], 1)
      for name in ["floorDivBroadcastable"]),
    ("mod", filling("modBroadcastable"), [np.round(3 * X), np.array([-3, 2.5, 2, -1, 0.5, 3])], 1),
    *((name, filling(name, alpha=0.5), [X], 1) for name in ["equal", "lessThan", "notEqual"]),
    ("logicalNot", filling("logicalNot"), [np.round(X)], 1),
    *((name, filling(name), [SMALL], 1) for name in [
        "ceil", "floor", "sign", "round", "exp2", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "atanh", "erf", "copy",
    ]),
    ("acosh", filling("acosh"), [1 + POSITIVE], 1),
    ("clip", filling("clip", minVal=-0.5, maxVal=0.25), [X], 1),
    ("clampedReLU", filling("clampedReLU", alpha=-0.5, beta=1), [X], 1),
    *(("gelu", filling("gelu", mode=m), [X], 1) for m in (0, 1, 2)),
    *((name, filling("activation", **{f"{name}__{k}": v for k, v in fields.items()} or {name: nothing}), [X], 1)
      for name, fields in {
          "linear": {"alpha": 0.5, "beta": -1.0}, "ReLU": {}, "leakyReLU": {"alpha": 0.25},
          "thresholdedReLU": {"alpha": 0.5}, "tanh": {}, "scaledTanh": {"alpha": 1.75, "beta": 0.5},
          "sigmoid": {}, "sigmoidHard": {"alpha": 0.25, "beta": 0.5}, "ELU": {"alpha": 1.5},
          "softsign": {}, "softplus": {},
      }.items()),
]  # fmt: skip


REDUCED: list[Case] = [
    *((name, filling(name, axes=axes, keepDims=keep), [POSITIVE], 1)
      for name in ["reduceSum", "reduceMean", "reduceProd", "reduceMax", "reduceMin", "reduceL1",
                   "reduceL2", "reduceSumSquare", "reduceLogSum", "reduceLogSumExp"]
      for axes, keep in (([2, 3], True), ([-1, 1], False), ([], False))),
    ("reduceMax", filling("reduceMax", reduceAll=True, keepDims=False), [X], 1),
    ("mean", filling("reduceMean", axes=[2, 3], keepDims=False), [X], 1),
    *(("reduce", filling("reduce", mode=m, axis=a), [POSITIVE], 1) for m in range(9) for a in range(5)),
    *(("reduce argmax", filling("reduce", mode=9, axis=a), [X], 1) for a in (2, 3, 4)),
    *((name, filling(name, axis=a, removeDim=r), [X], 1)
      for name in ("argMax", "argMin") for a in (1, -1) for r in (False, True)),
    *(("cumSum", filling("cumSum", axis=-2, excludeFinalSum=e, reverse=r), [X], 1)
      for e in (False, True) for r in (False, True)),
    ("cumSum", filling("cumSum"), [X, np.array([2])], 1),
    *(("topK", filling("topK", axis=2, K=3, useBottomK=b), [X], 2) for b in (False, True)),
    ("topK", filling("topK", axis=-1), [X, np.array([2])], 2),
    *(("argSort", filling("argSort", axis=1, descending=d), [X], 1) for d in (False, True)),
]  # fmt: skip


MOVED: list[Case] = [
    ("concat", filling("concat"), [X, floats(2, 3, 7, 6)], 1),
    ("concat", filling("concat", sequenceConcat=True), [FIVE, FIVE[:1]], 1),
    ("concatND", filling("concatND", axis=-1), [X, X], 1),
    ("concatND", filling("concatND", axis=1, interleave=True), [X, X + 1], 1),
    ("stack", filling("stack", axis=-1), [X, X + 1], 1),
    ("split", filling("split", nOutputs=2), [X], 2),
    ("splitND", filling("splitND", axis=1, numSplits=2), [X], 2),
    ("splitND", filling("splitND", axis=-1, splitSizes=[1, 5]), [X], 2),
    ("tile", filling("tile", reps=[2, 3]), [X], 1),
    ("sequenceRepeat", filling("sequenceRepeat", nRepetitions=3), [FIVE], 1),
    ("sequenceRepeat", filling("sequenceRepeat"), [FIVE], 1),
    ("broadcastToStatic", filling("broadcastToStatic", targetShape=[2, 4, 7, 6]), [X[:1]], 1),
    ("broadcastToLike", filling("broadcastToLike"), [X[:1], X], 1),
    ("broadcastToDynamic", filling("broadcastToDynamic"), [X[:1], np.array([2, 4, 7, 6])], 1),
    ("reshapeStatic", filling("reshapeStatic", targetShape=[2, -1]), [X], 1),
    ("rankPreservingReshape", filling("rankPreservingReshape", targetShape=[0, 2, -1, 6]), [X], 1),
    ("reshapeDynamic", filling("reshapeDynamic"), [X, np.array([0, -1])], 1),
    ("reshapeLike", filling("reshapeLike"), [X, floats(8, 42)], 1),
    *(("reshape", filling("reshape", targetShape=t, mode=m), [x], 1)
      for m in (0, 1) for t, x in (([7, 4, 6], X), ([7, 4, 6], FIVE), ([4, 7, 2, 6], FIVE))),
    *(("flatten", filling("flatten", mode=m), [x], 1) for m in (0, 1) for x in RANKS),
    ("flattenTo2D", filling("flattenTo2D", axis=-2), [X], 1),
    ("permute", filling("permute", axis=[3, 1, 2, 0]), [FIVE], 1),
    ("permute", filling("permute"), [FIVE], 1),
    ("transpose", filling("transpose", axes=[0, 2, 3, 1]), [X], 1),
    ("squeeze", filling("squeeze", squeezeAll=True), [X[:1, :1, :1, :1]], 1),
    ("squeeze", filling("squeeze", axes=[0, -1]), [X[:1, ..., :1]], 1),
    ("expandDims", filling("expandDims", axes=[0, -1]), [X], 1),
    ("sliceStatic", filling("sliceStatic", beginIds=[0, 3, -1, 4], endIds=[2, 0, 0, 0],
                            strides=[1, -2, 1, -1], endMasks=[False, False, True, True],
                            squeezeMasks=[False, False, True, False]), [X], 1),
    ("sliceDynamic", filling("sliceDynamic", strides=[1, -2, 1, -1],
                             beginMasks=[True, False, False, True], endMasks=[False, False, True, True],
                             squeezeMasks=[False, False, True, False]),
     [X, np.array([9, 3, -1, 4]), np.array([2, 0, 0, 0])], 1),
    ("sliceDynamic", filling("sliceDynamic", endIds=[2, 3, 7, 5]), [X, np.array([0, 1, -3, 2])], 1),
    *(("slice", filling("slice", axis=a, startIndex=s, endIndex=e, stride=2), [X], 1)
      for a, s, e in ((1, 1, 6), (2, -4, -1), (0, 0, 4))),
    *(("sliceBySize", filling("sliceBySize", axis=-2, size=2), [X, np.array([b])], 1) for b in (1, -3)),
    ("slidingWindows", filling("slidingWindows", axis=-2, windowSize=3, step=2), [X], 1),
    ("reverse", filling("reverse", reverseDim=[False, True, False, True]), [X], 1),
    ("reverse", filling("reverse", reverseDim=[False] * 4), [X], 1),
    *(("reverseSeq", filling("reverseSeq", batchAxis=b, sequenceAxis=s), [X, np.array(n)], 1)
      for b, s, n in ((0, 1, [3, 0]), (1, 3, [6, 1, 2, 3]), (3, 2, [1, 7, 0, 2, 3, 4]))),
    ("gather", filling("gather", axis=1), [X, np.array([0, -1, 2])], 1),
    ("gatherAlongAxis", filling("gatherAlongAxis", axis=1), [X, np.argsort(X, 1)], 1),
    ("gatherND", filling("gatherND"), [X, np.array([[0, 1], [1, -1]])], 1),
    ("whereBroadcastable", filling("whereBroadcastable"), [np.round(X), X, floats(6)], 1),
    ("whereNonZero", filling("whereNonZero"), [np.round(X)], 1),
    *(("scatter", filling("scatter", axis=1, mode=m), [X, np.array([3, 1]), floats(2, 2, 7, 6)], 1) for m in range(7)),
    ("scatter", filling("scatter", axis=-3, mode=1), [X, np.array([[3, 1], [0, 3]]), floats(2, 2, 2, 7, 6)], 1),
    *(("scatterND", filling("scatterND", mode=m), [X, np.array([[0, 1], [1, -1]]), floats(2, 7, 6)], 1) for m in range(7)),
    *(("scatterAlongAxis", filling("scatterAlongAxis", axis=1, mode=m),
       [X, np.argsort(X, 1)[:, :2], floats(2, 2, 7, 6)], 1) for m in range(7)),
    *(("oneHot", filling("oneHot", oneHotVectorSize=4, axis=a, onValue=3, offValue=-1), [np.array([[0, 2], [-1, 5]])], 1)
      for a in (0, 1, -1, -2)),
    *(("matrixBandPart", filling("matrixBandPart", numLower=a, numUpper=b), [X], 1) for a, b in ((1, -1), (-1, 0), (2, 1))),
    ("lowerTriangular", filling("lowerTriangular", k=1), [X], 1),
    ("upperTriangular", filling("upperTriangular", k=-1), [X], 1),
    ("loadConstant", filling("loadConstant", shape=[1, 2, 3], data=floats(6)), [], 1),
    ("loadConstantND", filling("loadConstantND", shape=[2, 3], data=floats(6)), [], 1),
    ("getShape", filling("getShape"), [X], 1),
    ("fillStatic", filling("fillStatic", value=1.5, targetShape=[2, 3]), [], 1),
    ("fillLike", filling("fillLike", value=1.5), [X], 1),
    ("fillDynamic", filling("fillDynamic", value=1.5), [np.array([3, 1])], 1),
    ("rangeStatic", filling("rangeStatic", startValue=1, endValue=4, stepSizeValue=0.3), [], 1),
    ("rangeDynamic", filling("rangeDynamic", startValue=2, stepSizeValue=3), [np.array([9])], 1),
    ("rangeDynamic", filling("rangeDynamic", stepSizeValue=-2), [np.array([0]), np.array([3])], 1),
    ("rangeDynamic", filling("rangeDynamic"), [np.array([0.3]), np.array([0]), np.array([0.1])], 1),
]  # fmt: skip


CASES = [*WEIGHTED, *ELEMENTWISE, *REDUCED, *MOVED]


@pytest.mark.parametrize(
    ("fill", "arrays", "outputs"),
    [case[1:] for case in CASES],
    ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)],
)
def test_layer(fill: Callable[[Any], None], arrays: list[Any], outputs: int) -> None:
    program, feeds = layer_program(fill, *arrays, outputs=outputs)
    agree(program, feeds)


NOT_LOWERED: list[tuple[str, Callable[[Any], None], list[Any]]] = [
    ("another shape", filling("cropResize", spatialScale=1), [FIVE, np.zeros((1, 1, 4, 1, 1))]),
    ("without a scale", filling("cropResize"), [FIVE[:1], np.zeros((1, 1, 4, 1, 1))]),
    ("no boxes", filling("cropResize", spatialScale=1), [FIVE[:1], np.zeros((0, 1, 4, 1, 1))]),
    ("one row", filling("cropResize", spatialScale=1), [FIVE[:1, ..., :1], np.zeros((1, 1, 4, 1, 1))]),
    ("a reflection wider", filling("padding", reflection=nothing, paddingAmounts=borders((8, 0), (0, 0))), [X]),
    ("more than its input has", filling("crop", cropAmounts=borders((8, 0), (0, 0))), [X]),
    ("more than its input has", filling("crop", offset=[5, 0]), [X, X]),
    ("computed amounts", filling("constantPad"), [X[0, 0, 0], np.array([1, 2])]),
    ("two sizes", filling("constantPad", padToGivenOutputSizeMode=True, padAmounts=[9, 9]), [X[0, 0, 0]]),
    ("an even localSize", filling("lrn", localSize=2), [X]),
    ("a new sequence", filling("reshape", targetShape=[1, 2, 3, 4]), [X]),
    ("five dimensions", filling("permute"), [X]),
    ("without a sequence", filling("sequenceRepeat", nRepetitions=2), [X]),
    ("computed counts", filling("tile"), [X, np.array([1, 2, 1, 1])]),
    ("more counts than axes", filling("tile", reps=[1] * 5), [X]),
    ("computed strides", filling("sliceDynamic"), [X[0, 0, 0], np.array([1]), np.array([3]), np.array([1])]),
    ("every axis removed", filling("sliceDynamic", endIds=[2], squeezeMasks=[True]), [X[0, 0, 0], np.array([1])]),
    ("every axis removed", filling("sliceStatic", beginIds=[1], endIds=[2], squeezeMasks=[True]), [X[0, 0, 0]]),
    ("as many ids as axes", filling("sliceStatic", beginIds=[1], endIds=[2]), [X]),
    ("a window longer", filling("slidingWindows", axis=1, windowSize=9, step=1), [X]),
    ("a computed size", filling("oneHot"), [np.array([1]), np.array([3])]),
    ("argmax over several", filling("reduce", mode=9, axis=0), [X]),
    ("the only axis removed", filling("argMax", removeDim=True), [X[0, 0, 0]]),
    ("may not be equal", filling("split", nOutputs=3), [X]),
    ("is not the end", filling("layerNormalization", normalizedShape=[7], gamma=floats(7), beta=floats(7)), [X]),
    ("another size", filling("activation", PReLU__alpha=floats(3)), [X]),
    ("an input of rank", filling("batchnorm", channels=4, **STATISTICS), [X[0, 0]]),
    ("axis 4 of 4", filling("argSort", axis=4), [X]),
    ("axis 5 of 5", filling("oneHot", oneHotVectorSize=2, axis=5), [X]),
    ("an axis named twice", filling("reduceSum", axes=[1, -3]), [X]),
    ("a size of 0", filling("reshapeStatic", targetShape=[0, -1]), [X]),
    ("a negative size", filling("sliceBySize", size=-2), [X, np.array([1])]),
    ("differ from their array", filling("gatherAlongAxis", axis=1), [X, np.zeros((2, 1, 7, 5))]),
    ("a factor of 0", filling("upsample", scalingFactor=[0, 1]), [X]),
    ("a fractional factor", filling("upsample", fractionalScalingFactor=[1.5, 1]), [X]),
    ("a size of 0", filling("resizeBilinear", targetSize=[0, 1]), [X]),
    ("a window behind its input", filling("pooling", kernelSize=[1, 1], stride=[4, 1], includeLastPixel=nothing), [X]),
    ("too large", filling("pooling", type=1, kernelSize=[1 << 40, 1], same=nothing), [X]),
    ("too large", filling("upsample", scalingFactor=[1 << 20, 1 << 20]), [X]),
    ("too large", filling("fillStatic", targetShape=[1 << 20, 1 << 20]), []),
    ("too large", filling("broadcastToStatic", targetShape=[1 << 30, 4, 7, 6]), [X[:1]]),
    ("too large", filling("tile", reps=[1 << 30]), [X]),
    ("too large", filling("oneHot", oneHotVectorSize=1 << 40), [np.array([1])]),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "fill", "arrays"), NOT_LOWERED)
def test_what_is_left_to_the_reference_engine(
    reason: str, fill: Callable[[Any], None], arrays: list[Any]
) -> None:
    """Options that ONNX does not have, and files whose error the reference engine can explain."""
    outputs = 3 if reason == "may not be equal" else 1
    program, _ = layer_program(fill, *arrays, outputs=outputs)
    with pytest.raises(NotLowered, match=reason):
        lower(program.graph)


@pytest.mark.parametrize(
    ("fill", "arrays"),
    [
        (filling("fillDynamic", value=1), [np.array([1 << 20, 1 << 20])]),
        (filling("broadcastToDynamic"), [X[:1, :1, :1, :1], np.array([1 << 20, 1 << 10, 1, 1])]),
        (filling("rangeDynamic", stepSizeValue=1e-6), [np.array([1e6])]),
        (filling("rangeDynamic"), [np.array([1])]),
        (filling("sliceBySize", axis=3, size=4), [X, np.array([4])]),
        (filling("sliceDynamic", endIds=[0, 9], squeezeMasks=[True]), [X[0, 0], np.array([9, 0])]),
    ],
)
def test_computed_sizes_are_bounded_in_both_engines(
    fill: Callable[[Any], None], arrays: list[Any]
) -> None:
    program, feeds = layer_program(fill, *arrays)
    with pytest.raises(ArtefactError):
        program.run(feeds)
    with pytest.raises(ExecutionFailed):
        FastEngine(program.graph, threads=1).run(feeds)


def test_a_network_of_quantised_weights_is_lowered() -> None:
    """Weights that only the layer knows the shape of."""
    fill = filling(
        "innerProduct", inputChannels=6, outputChannels=5, weights__rawValue=bytes(range(30)),
        weights__quantization__numberOfBits=8,
        weights__quantization__linearQuantization__scale=[0.5, 1, 2, -1, 0.25],
        weights__quantization__linearQuantization__bias=[1.0],
    )  # fmt: skip
    program, feeds = layer_program(fill, X[0, 0])
    agree(program, feeds)
    slopes = filling(
        "activation", PReLU__alpha__rawValue=b"\x1b",
        PReLU__alpha__quantization__numberOfBits=2,
        PReLU__alpha__quantization__lookupTableQuantization__floatValue=[0.1, 0.2, 0.3, 0.4],
    )  # fmt: skip
    program, feeds = layer_program(slopes, X)
    agree(program, feeds)
