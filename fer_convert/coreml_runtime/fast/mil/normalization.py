"""Normalisation."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import check_positions

OPERATIONS = Translations()


@OPERATIONS.lowering("batch_norm")
def batch_norm(op: Source) -> str:
    names = ("gamma", "beta", "mean", "variance")
    vectors = [_per_channel(op, name, len(op.literal("mean"))) for name in names]
    epsilon = op.option("epsilon", float, 1e-5)
    result: str = op.node("BatchNormalization", op.operand("x"), *vectors, epsilon=epsilon)
    return result


@OPERATIONS.lowering("instance_norm")
def instance_norm(op: Source) -> str:
    if len(op.shape_of("x")) < 3:
        raise Unlowered("no image")
    channels = op.shape_of("x")[1]
    if channels is None:
        raise Unlowered("an unknown number of channels")
    gamma, beta = (_per_channel(op, name, channels) for name in ("gamma", "beta"))
    epsilon = op.option("epsilon", float, 1e-5)
    result: str = op.node("InstanceNormalization", op.operand("x"), gamma, beta, epsilon=epsilon)
    return result


@OPERATIONS.lowering("layer_norm")
def layer_norm(op: Source) -> str:
    shape = op.shape_of("x")
    rank = len(shape)
    axes = sorted(axis % rank for axis in op.integers("axes", range(rank)))
    first = axes[0]
    sizes = [size for size in shape[first:] if size is not None]
    if axes != list(range(first, rank)) or len(sizes) < len(axes):
        return _normalized(op, rank, axes)
    if any(op.shape_of(name) != tuple(sizes) for name in ("gamma", "beta") if op.has(name)):
        raise Unlowered("a gamma or beta of another shape than its axes")
    if 0 in sizes:
        raise Unlowered("nothing to normalise")
    check_positions(*sizes)
    gamma = op.weight("gamma") if op.has("gamma") else op.builder.array(np.ones(sizes, np.float32))
    beta = [op.weight("beta")] if op.has("beta") else []
    epsilon = op.option("epsilon", float, 1e-5)
    x = op.operand("x")
    result: str = op.node("LayerNormalization", x, gamma, *beta, axis=first, epsilon=epsilon)
    return result


@OPERATIONS.lowering("l2_norm")
def l2_norm(op: Source) -> str:
    x, epsilon = op.operand("x"), op.scalar(op.option("epsilon", float, 1e-6))
    squares = op.node("ReduceSumSquare", x, op.ints(-3, -2, -1), keepdims=1)
    result: str = op.node("Div", x, op.node("Sqrt", op.node("Add", squares, epsilon)))
    return result


@OPERATIONS.lowering("local_response_norm")
def local_response_norm(op: Source) -> str:
    size = op.option("size", int)
    if size % 2 == 0 or len(op.shape_of("x")) != 4:
        raise Unlowered("an even size, or no image")  # ONNX puts the odd neighbour behind
    result: str = op.node(
        "LRN",
        op.operand("x"),
        size=size,
        alpha=op.option("alpha", float, 1e-4),
        beta=op.option("beta", float, 0.75),
        bias=op.option("k", float, 1.0),
    )
    return result


def _normalized(op: Source, rank: int, axes: list[int]) -> str:
    x, over = op.operand("x"), op.ints(*axes)
    centred = op.node("Sub", x, op.node("ReduceMean", x, over, keepdims=1))
    variance = op.node("ReduceMean", op.node("Mul", centred, centred), over, keepdims=1)
    epsilon = op.scalar(op.option("epsilon", float, 1e-5))
    result: str = op.node("Div", centred, op.node("Sqrt", op.node("Add", variance, epsilon)))
    for name, kind in (("gamma", "Mul"), ("beta", "Add")):
        if op.has(name):
            sizes = dict(zip(axes, op.literal(name).shape, strict=True))
            wide = tuple(sizes.get(axis, 1) for axis in range(rank))
            result = op.node(kind, result, op.weight(name, wide))
    return result


def _per_channel(op: Source, name: str, channels: int) -> str:
    """A vector of the file; without the argument ones of gamma and zeros of beta."""
    if op.has(name):
        if op.shape_of(name) != (channels,):
            raise Unlowered(f"'{name}' of another size than the channels")
        return op.weight(name)
    check_positions(channels)
    return op.builder.array(np.full(channels, float(name == "gamma"), np.float32))
