"""NeuralNetwork: normalizations and softmax."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.fast.batches import over_batches
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source


@LAYERS.lowering("batchnorm")
def batchnorm(op: Source) -> str:
    p, channels = op.params, int(op.params.channels)
    (x,) = op.operands("input")
    epsilon = p.epsilon or 1e-5

    def stored(x: str) -> str:
        names = ("gamma", "beta", "mean", "variance")
        weights = [op.weight(name, (channels,)) for name in names]
        result: str = op.node("BatchNormalization", x, *weights, epsilon=epsilon)
        return result

    def computed(x: str) -> str:
        axes = (-2, -1) if p.instanceNormalization else (0, -2, -1)
        gamma, beta = (op.weight(name, (channels, 1, 1)) for name in ("gamma", "beta"))
        normal = _standardized(op, x, axes, epsilon)
        return str(op.node("Add", op.node("Mul", normal, gamma), beta))

    return over_batches(op, x, computed if p.computeMeanVar else stored, 3)


@LAYERS.lowering("layerNormalization")
def layer_normalization(op: Source) -> str:
    p = op.params
    (x,) = op.operands("input")
    shape = tuple(int(size) for size in p.normalizedShape)
    if op.shape(x)[-len(shape) :] != shape:
        raise Unlowered("a normalizedShape that is not the end of its input")
    gamma, beta = op.weight("gamma", shape), op.weight("beta", shape)
    result: str = op.node("LayerNormalization", x, gamma, beta, axis=-len(shape), epsilon=p.eps)
    return result


@LAYERS.lowering("mvn")
def mvn(op: Source) -> str:
    (x,) = op.operands("input")
    p = op.params
    axes = (-3, -2, -1) if p.acrossChannels else (-2, -1)
    if p.normalizeVariance:
        return _standardized(op, x, axes, p.epsilon or 1e-6)
    result: str = op.node("Sub", x, op.node("ReduceMean", x, op.ints(*axes), keepdims=1))
    return result


@LAYERS.lowering("l2normalize")
def l2_normalize(op: Source) -> str:
    (x,) = op.operands("input")
    squares = op.node("ReduceSumSquare", x, op.ints(-3, -2, -1), keepdims=1)
    length = op.node("Sqrt", op.node("Add", squares, op.scalar(op.params.epsilon or 1e-6)))
    result: str = op.node("Div", x, length)
    return result


@LAYERS.lowering("lrn")
def lrn(op: Source) -> str:
    p = op.params
    if p.localSize % 2 == 0:
        raise Unlowered("an even localSize")  # onnxruntime has none
    (x,) = op.operands("input")
    settings = {"size": int(p.localSize), "alpha": p.alpha, "beta": p.beta, "bias": p.k or 1.0}
    return over_batches(op, x, lambda x: str(op.node("LRN", x, **settings)), 3)


@LAYERS.lowering("softmax", "softmaxND")
def softmax(op: Source) -> str:
    (x,) = op.operands("input")
    axis = -3 if op.kind == "softmax" else int(op.params.axis)
    result: str = op.node("Softmax", x, axis=axis)
    return result


def _standardized(op: Source, x: str, axes: Sequence[int], epsilon: float) -> str:
    over = op.ints(*axes)
    centred = op.node("Sub", x, op.node("ReduceMean", x, over, keepdims=1))
    variance = op.node("ReduceMean", op.node("Mul", centred, centred), over, keepdims=1)
    spread = op.node("Sqrt", op.node("Add", variance, op.scalar(epsilon)))
    result: str = op.node("Div", centred, spread)
    return result
