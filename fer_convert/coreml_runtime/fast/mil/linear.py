"""ML Program: normalisation, products of matrices."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.narrow import refuse_narrow
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.limits import is_equation

OPERATIONS = Translations()


@OPERATIONS.lowering("linear")
def linear(op: Source) -> str:
    refuse_narrow(op)
    return product_with_weight(
        op,
        op.operand("x"),
        _of_type(op, "weight", "x"),
        _of_type(op, "bias", "x") if op.has("bias") else None,
        rank=len(op.shape_of("x")),
    )


@OPERATIONS.lowering("layer:linear")
def linear_of_images(op: Source) -> str:
    x, rank = op.operand("x"), len(op.shape_of("x"))
    if rank >= 4:  # 0 keeps a dimension
        x = op.node("Reshape", x, op.ints(*[0] * (rank - 3), -1))
    bias = op.operand("bias") if op.has("bias") else None
    y = product_with_weight(op, x, op.operand("weight"), bias, rank=rank - 2 if rank >= 4 else rank)
    return str(op.node("Unsqueeze", y, op.ints(-2, -1))) if rank >= 4 else y


@OPERATIONS.lowering("layer:rounded_to_int8")
def rounded_to_int8(op: Source) -> str:
    x = op.operand("x")
    greatest = op.node("ReduceMax", op.node("Abs", x), keepdims=0)
    step = op.node("Div", greatest, op.scalar(127.0))
    rounded = op.node("Mul", op.node("Round", op.node("Div", x, step)), step)
    return str(op.node("Where", op.node("Equal", step, op.scalar(0.0)), x, rounded))


@OPERATIONS.lowering("matmul", "layer:matmul")
def matmul(op: Source) -> str:
    refuse_narrow(op)
    names, added = [], []
    for name, other, axis in (("x", "y", -2), ("y", "x", -1)):
        operand, rank = _of_type(op, name, other), len(op.shape_of(name))
        if rank == 1:
            # onnxruntime fuses a transpose into the product, and then mistakes a vector.
            operand, rank = op.node("Unsqueeze", operand, op.ints(0 if axis == -2 else 1)), 2
            added.append(axis)
            if op.kind == "matmul":  # a layer turns the matrix of one row
                names.append(operand)
                continue
        if op.option(f"transpose_{name}", bool, False):
            order = [*range(rank - 2), rank - 1, rank - 2]
            operand = op.node("Transpose", operand, perm=order)
        names.append(operand)
    result: str = op.node("MatMul", *names)
    squeezed = added if op.kind == "matmul" else []
    return op.node("Squeeze", result, op.ints(*squeezed)) if squeezed else result


@OPERATIONS.lowering("einsum")
def einsum(op: Source) -> str:
    refuse_narrow(op)
    equation = op.option("equation", str)
    if not is_equation(equation, operands=len(op.operation.arguments["values"])):
        raise Unlowered(f"equation {equation!r}")
    result: str = op.node("Einsum", *op.operands("values"), equation=equation)
    return result


@OPERATIONS.lowering("scaled_dot_product_attention")
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


def product_with_weight(op: Source, x: str, weight: str, bias: str | None, *, rank: int) -> str:
    """``x @ weight.T + bias``."""
    if rank == 2:
        result: str = op.node("Gemm", x, weight, *([bias] if bias else []), transB=1)
        return result
    result = op.node("MatMul", x, op.node("Transpose", weight, perm=[1, 0]))
    return op.node("Add", result, bias) if bias else result


def _of_type(op: Source, name: str, other: str) -> str:
    """An operand in the type of another one; a constant may be declared of a different type."""
    wanted = np.dtype(np.float32 if op.element(other).is_float else np.int32)
    if op.element(name).is_float == op.element(other).is_float or not op.is_constant(name):
        return op.operand(name)
    array = op.literal(name)
    if (array != np.trunc(array)).any():
        raise Unlowered("fractions times integers")
    return op.builder.array(array.astype(wanted))
