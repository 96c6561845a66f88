"""Convolution."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.fast.windows import (
    convolution_pads,
    convolve_transposed,
    declared_padding,
)

OPERATIONS = Translations()


@OPERATIONS.lowering("conv")
def conv(op: Source) -> str:
    return _convolve(op, op.operand("weight"))


@OPERATIONS.lowering("conv_quantized")
def conv_quantized(op: Source) -> str:
    if op.has("bias") or op.option("quantization_type", str) != "linear":
        raise Unlowered("a bias, or no linear quantisation")
    shape = (-1, *(1,) * (len(op.shape_of("weight")) - 1))
    scale, bias = (op.literal(name).reshape(shape) for name in ("quant_scale", "quant_bias"))
    real = op.node("Mul", op.cast(op.operand("weight"), "float32"), op.builder.array(scale))
    return _convolve(op, op.node("Add", real, op.builder.array(bias)))


@OPERATIONS.lowering("conv_transpose")
def conv_transpose(op: Source) -> str:
    if op.option("pad_type", str, "valid").lower() == "same_lower":
        raise Unlowered("pad_type 'same_lower'")
    return _transposed(op, op.integers("output_shape", ())[2:], sizes_decide=False)


@OPERATIONS.lowering("layer:conv_transpose")
def layer_conv_transpose(op: Source) -> str:
    return _transposed(op, op.integers("sizes", ()), sizes_decide=True)


def _transposed(op: Source, output: Sequence[int], *, sizes_decide: bool) -> str:
    kernel = _known(op.shape_of("weight")[2:])
    rank = len(kernel)
    padding = declared_padding(op, rank)
    return convolve_transposed(
        op,
        op.operand("x"),
        op.operand("weight"),
        op.optional("bias"),
        kernel=kernel,
        strides=op.integers("strides", (1,) * rank),
        dilations=op.integers("dilations", (1,) * rank),
        groups=op.option("groups", int, 1),
        padding=padding,
        output=output,
        sizes_decide=sizes_decide,
    )


def _convolve(op: Source, weight: str) -> str:
    kernel = _known(op.shape_of("weight")[2:])
    x, padding = op.operand("x"), declared_padding(op, len(kernel))
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
