"""Convolution, forwards and transposed. Weights may be constant or computed."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from fer_convert.coreml_runtime.reference.mil.window_options import spatial
from fer_convert.coreml_runtime.reference.operations import Call, Table, View
from fer_convert.coreml_runtime.reference.windows import (
    convolve,
    convolve_transposed,
    transposed_sizes,
)

OPERATIONS = Table()

_Convolution = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@OPERATIONS.operation("conv")
def conv(op: View) -> Call:
    """Convolution over 1, 2 or 3 spatial dimensions.

    Arguments: x ``[N, C, *D]``, weight ``[O, C / groups, *K]``, bias ``[O]`` (optional), strides,
    dilations ``[len(D)]`` (ones), pad ``[2 * len(D)]`` (before, after of each dimension), pad_type
    valid | custom | same | same_lower, groups (1).
    """
    return op.call(_convolution(op), "x", "weight", "bias?")


@OPERATIONS.operation("conv_quantized")
def conv_quantized(op: View) -> Call:
    """conv with the weight ``quant_scale * weight + quant_bias``, of 8-bit integers; not supported:
    quantization_type lut, whose table no argument holds, and a bias, which has no scale.

    Further arguments: weight uint8 ``[O, C / groups, *K]``, quant_scale and quant_bias of one value
    or ``[O]``, quantization_type linear, nbits (8; fewer only bound the integers).
    """
    if op.option("quantization_type", str) != "linear":
        raise op.unsupported("a quantization_type other than linear")
    if op.has("bias"):
        raise op.unsupported("a quantised bias")
    convolution = _convolution(op)

    def kernel(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        per_output = (-1, *(1,) * (weight.dim() - 1))
        real = weight.float() * scale.reshape(per_output) + bias.reshape(per_output)
        return convolution(x, real, None)

    return op.call(kernel, "x", "weight", "quant_scale", "quant_bias")


@OPERATIONS.operation("conv_transpose")
def conv_transpose(op: View) -> Call:
    """Transposed convolution: each value of ``x`` adds the kernel, scaled by it, to the result.

    Arguments: x ``[N, C, *D]``, weight ``[C, O / groups, *K]``, bias ``[O]`` (optional), strides,
    dilations, groups as in conv. pad_type valid keeps all of the result, custom cuts ``pad`` off,
    same cuts it down to ``D * strides``, less at the start where the surplus is odd. output_shape
    ``[N, O, *]`` asks for another size: more is cut off at the end, or zeros are added there.
    """
    read, groups = spatial(op, pad_types=("valid", "custom", "same")), op.option("groups", int, 1)
    same = op.option("pad_type", str, "valid").lower() == "same"
    output = op.integers("output_shape", ())

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rank = _rank(op, weight)
        if output and len(output) != rank + 2:
            raise op.refuse(f"output_shape {list(output)} for {rank} spatial dimensions")
        strides, dilations, pads = read(rank)
        return convolve_transposed(
            x,
            weight,
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=None if same else pads(x.shape[2:], weight.shape[2:]),
            output=output[2:],
        )

    return op.call(kernel, "x", "weight", "bias?")


@OPERATIONS.operation("layer:conv_transpose")
def layer_conv_transpose(op: View) -> Call:
    """conv_transpose of a layer: pad_type may be same_lower, which cuts less at the end where the
    surplus is odd, and ``sizes [len(D)]`` (none) decides the size of the result.

    Padding that leads to other sizes is ignored: half of the surplus goes at the start.
    """
    kinds = ("valid", "custom", "same", "same_lower")
    read, groups = spatial(op, pad_types=kinds), op.option("groups", int, 1)
    kind, wanted = op.option("pad_type", str, "valid"), list(op.integers("sizes", ()))
    same = kind.startswith("same")

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        strides, dilations, pads = read(_rank(op, weight))
        crops = None if same else pads(x.shape[2:], weight.shape[2:])
        if crops is not None and wanted:
            full = transposed_sizes(x, weight, strides=strides, dilations=dilations, groups=groups)
            left = [size - sum(cut) for size, cut in zip(full, crops, strict=True)]
            crops = crops if wanted == left else None
        return convolve_transposed(
            x,
            weight,
            bias,
            strides=strides,
            dilations=dilations,
            groups=groups,
            crops=crops,
            output=wanted,
            heavy="before" if kind == "same_lower" else "after",
        )

    return op.call(kernel, "x", "weight", "bias?")


def _convolution(op: View) -> _Convolution:
    read = spatial(op, pad_types=("valid", "custom", "same", "same_lower"))
    groups = op.option("groups", int, 1)

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        strides, dilations, pads = read(_rank(op, weight))
        return convolve(
            x,
            weight,
            bias,
            pads=pads(x.shape[2:], weight.shape[2:]),
            strides=strides,
            dilations=dilations,
            groups=groups,
        )

    return kernel


def _rank(op: View, weight: Tensor) -> int:
    if not 3 <= weight.dim() <= 5:
        raise op.refuse(f"a kernel of shape {list(weight.shape)}")
    return weight.dim() - 2
