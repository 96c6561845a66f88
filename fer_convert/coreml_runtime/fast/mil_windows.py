"""ML Program: convolution and pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source
from fer_convert.coreml_runtime.fast.tables import MIL
from fer_convert.coreml_runtime.fast.windows import (
    Padding,
    convolution_pads,
    convolve_transposed,
    pool,
)

_KINDS: Mapping[str, Literal["max", "average", "l2"]] = {
    "max_pool": "max", "avg_pool": "average", "l2_pool": "l2",
}  # fmt: skip


@MIL.lowering("conv")
def conv(op: Source) -> str:
    return _convolve(op, op.operand("weight"))


@MIL.lowering("conv_quantized")
def conv_quantized(op: Source) -> str:
    if op.has("bias") or op.option("quantization_type", str) != "linear":
        raise Unlowered("a bias, or no linear quantisation")
    shape = (-1, *(1,) * (len(op.shape_of("weight")) - 1))
    scale, bias = (op.literal(name).reshape(shape) for name in ("quant_scale", "quant_bias"))
    real = op.node("Mul", op.cast(op.operand("weight"), "float32"), op.builder.array(scale))
    return _convolve(op, op.node("Add", real, op.builder.array(bias)))


@MIL.lowering("conv_transpose")
def conv_transpose(op: Source) -> str:
    kernel = _known(op.shape_of("weight")[2:])
    rank = len(kernel)
    padding = _padding(op, rank)
    if padding == "same_lower":
        raise Unlowered("pad_type 'same_lower'")
    return convolve_transposed(
        op,
        op.operand("x"),
        op.operand("weight"),
        op.optional("bias"),
        kernel=kernel,
        strides=op.integers("strides", (1,) * rank),
        dilations=op.integers("dilations", (1,) * rank),
        groups=op.option("groups", int, 1),
        crops=None if padding == "same" else padding,
        output=op.integers("output_shape", ())[2:],
    )


@MIL.lowering("max_pool", "avg_pool", "l2_pool")
def pooling(op: Source) -> str:
    kernel = op.integers("kernel_sizes")
    return pool(
        op,
        op.operand("x"),
        kind=_KINDS[op.kind],
        kernel=kernel,
        strides=op.integers("strides", (1,) * len(kernel)),
        padding=_padding(op, len(kernel)),
        ceil_mode=op.option("ceil_mode", bool, False),
        exclude_padding=op.option("exclude_padding_from_average", bool, False),
    )


def _convolve(op: Source, weight: str) -> str:
    kernel = _known(op.shape_of("weight")[2:])
    x, padding = op.operand("x"), _padding(op, len(kernel))
    strides, dilations = (
        op.integers(name, (1,) * len(kernel)) for name in ("strides", "dilations")
    )
    result: str = op.node(
        "Conv",
        x,
        weight,
        *([op.operand("bias")] if op.has("bias") else []),
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        group=op.option("groups", int, 1),
        **convolution_pads(op, x, padding, kernel=kernel, strides=strides, dilations=dilations),
    )
    return result


def _known(sizes: Sequence[int | None]) -> list[int]:
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        raise Unlowered("a kernel of unknown size")
    return known


def _padding(op: Source, rank: int) -> Padding:
    kind = op.option("pad_type", str, "valid").lower()
    if kind == "same":
        return "same"
    if kind == "same_lower":
        return "same_lower"
    if kind not in {"valid", "custom"}:
        raise Unlowered(f"pad_type '{kind}'")
    amounts = op.integers("pad", (0,) * 2 * rank) if kind == "custom" else (0,) * 2 * rank
    return list(zip(amounts[::2], amounts[1::2], strict=True))
