"""ML Program: normalisation, products of matrices."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source
from fer_convert.coreml_runtime.fast.tables import MIL
from fer_convert.coreml_runtime.limits import check_positions


@MIL.lowering("batch_norm")
def batch_norm(op: Source) -> str:
    names = ("gamma", "beta", "mean", "variance")
    vectors = [_per_channel(op, name, len(op.literal("mean"))) for name in names]
    epsilon = op.option("epsilon", float, 1e-5)
    result: str = op.node("BatchNormalization", op.operand("x"), *vectors, epsilon=epsilon)
    return result


@MIL.lowering("instance_norm")
def instance_norm(op: Source) -> str:
    channels = op.shape_of("x")[1]
    if channels is None:
        raise Unlowered("an unknown number of channels")
    gamma, beta = (_per_channel(op, name, channels) for name in ("gamma", "beta"))
    epsilon = op.option("epsilon", float, 1e-5)
    result: str = op.node("InstanceNormalization", op.operand("x"), gamma, beta, epsilon=epsilon)
    return result


@MIL.lowering("layer_norm")
def layer_norm(op: Source) -> str:
    shape = op.shape_of("x")
    rank = len(shape)
    axes = sorted(axis % rank for axis in op.integers("axes", range(rank)))
    first = axes[0]
    if axes != list(range(first, rank)):
        return _normalized(op, rank, axes)
    sizes = [size for size in shape[first:] if size is not None]
    if len(sizes) < len(axes):
        raise Unlowered("axes of unknown size")
    if 0 in sizes:
        raise Unlowered("nothing to normalise")
    check_positions(*sizes)
    gamma = op.weight("gamma") if op.has("gamma") else op.builder.array(np.ones(sizes, np.float32))
    beta = [op.weight("beta")] if op.has("beta") else []
    epsilon = op.option("epsilon", float, 1e-5)
    x = op.operand("x")
    result: str = op.node("LayerNormalization", x, gamma, *beta, axis=first, epsilon=epsilon)
    return result


@MIL.lowering("l2_norm")
def l2_norm(op: Source) -> str:
    x, epsilon = op.operand("x"), op.scalar(op.option("epsilon", float, 1e-6))
    squares = op.node("ReduceSumSquare", x, op.ints(-3, -2, -1), keepdims=1)
    result: str = op.node("Div", x, op.node("Sqrt", op.node("Add", squares, epsilon)))
    return result


@MIL.lowering("local_response_norm")
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


@MIL.lowering("linear")
def linear(op: Source) -> str:
    return product_with_weight(
        op,
        op.operand("x"),
        op.operand("weight"),
        op.operand("bias") if op.has("bias") else None,
        rank=len(op.shape_of("x")),
    )


@MIL.lowering("matmul")
def matmul(op: Source) -> str:
    names, added = [], []
    for name, axis in (("x", -2), ("y", -1)):
        operand, rank = op.operand(name), len(op.shape_of(name))
        if rank == 1:
            # onnxruntime fuses a transpose into the product, and then mistakes a vector.
            operand = op.node("Unsqueeze", operand, op.ints(0 if axis == -2 else 1))
            added.append(axis)
        elif op.option(f"transpose_{name}", bool, False):
            order = [*range(rank - 2), rank - 1, rank - 2]
            operand = op.node("Transpose", operand, perm=order)
        names.append(operand)
    result: str = op.node("MatMul", *names)
    return op.node("Squeeze", result, op.ints(*added)) if added else result


@MIL.lowering("einsum")
def einsum(op: Source) -> str:
    equation = op.option("equation", str)
    result: str = op.node("Einsum", *op.operands("values"), equation=equation)
    return result


@MIL.lowering("scaled_dot_product_attention")
def attention(op: Source) -> str:
    query, key, value = (op.operand(name) for name in ("query", "key", "value"))
    rank, width = len(op.shape_of("key")), op.shape_of("query")[-1]
    if width is None:
        raise Unlowered("an unknown embedding")
    turned = op.node("Transpose", key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = op.node("Mul", op.node("MatMul", query, turned), op.scalar(width**-0.5))
    if op.has("attn_mask"):
        mask = op.operand("attn_mask")
        if op.element("attn_mask").name == "bool":
            mask = op.node("Where", mask, op.scalar(0.0), op.scalar(-np.inf))
        scores = op.node("Add", scores, mask)
    result: str = op.node("MatMul", op.node("Softmax", scores, axis=-1), value)
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


def product_with_weight(op: Source, x: str, weight: str, bias: str | None, *, rank: int) -> str:
    """``x @ weight.T + bias``."""
    if rank == 2:
        result: str = op.node("Gemm", x, weight, *([bias] if bias else []), transB=1)
        return result
    result = op.node("MatMul", x, op.node("Transpose", weight, perm=[1, 0]))
    return op.node("Add", result, bias) if bias else result


def _per_channel(op: Source, name: str, channels: int) -> str:
    """A vector of the file; without the argument ones of gamma and zeros of beta."""
    if op.has(name):
        if op.shape_of(name) != (channels,):
            raise Unlowered(f"'{name}' of another size than the channels")
        return op.weight(name)
    check_positions(channels)
    return op.builder.array(np.full(channels, float(name == "gamma"), np.float32))
