"""NeuralNetwork: convolution and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_convert.coreml_runtime.fast.batches import last_sizes, over_batches
from fer_convert.coreml_runtime.fast.nn_window_fields import (
    amounts_of,
    padding_of,
    padding_of_3d,
    pair,
    triple,
)
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.tables import LAYERS
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.fast.windows import Padding, flat, pad_attributes


@LAYERS.lowering("convolution")
def convolution(op: Source) -> str:
    p, groups = op.params, int(op.params.nGroups) or 1
    outputs, inputs, size = int(p.outputChannels), int(p.kernelChannels), pair(p.kernelSize, 3)
    first, second = (inputs, outputs // groups) if p.isDeconvolution else (outputs, inputs)
    operands = op.operands("input")
    shape = (first, second, *size)
    if len(operands) > 1 and op.shape(operands[1]) != shape:
        raise Unlowered("computed weights of another shape")
    weight = operands[1] if len(operands) > 1 else op.weight("weights", shape)
    settings = {
        "kernel_shape": size,
        "strides": pair(p.stride, 1),
        "dilations": pair(p.dilationFactor, 1),
        "group": groups,
    }
    if p.isDeconvolution:
        output = [int(n) for n in p.outputShape]
        padding = padding_of(p, "ConvolutionPaddingType")
        return _transposed(op, operands[0], weight, settings, padding, output)
    return _convolution(op, operands[0], weight, settings, padding_of(p, "ConvolutionPaddingType"))


@LAYERS.lowering("convolution3d")
def convolution3d(op: Source) -> str:
    p, groups = op.params, int(op.params.nGroups) or 1
    outputs, inputs, size = int(p.outputChannels), int(p.inputChannels), triple(p, "kernel")
    first, second = (
        (inputs, outputs // groups) if p.isDeconvolution else (outputs, inputs // groups)
    )
    (x,) = op.operands("input")
    weight = op.weight("weights", (first, second, *size))
    settings = {
        "kernel_shape": size,
        "strides": triple(p, "stride"),
        "dilations": triple(p, "dilation"),
        "group": groups,
    }
    if p.isDeconvolution:
        output = [int(n) for n in p.outputShape]
        return _transposed(op, x, weight, settings, padding_of_3d(p), output)
    return _convolution(op, x, weight, settings, padding_of_3d(p))


def _convolution(
    op: Source, x: str, weight: str, settings: dict[str, Any], padding: Padding
) -> str:
    rank = len(settings["kernel_shape"])
    bias = [op.weight("bias", (int(op.params.outputChannels),))] if op.params.hasBias else []

    def translate(x: str) -> str:
        pads = pad_attributes(padding)
        if isinstance(padding, str) and None not in op.shape(x)[-rank:]:
            # onnxruntime's own rule is another where the strides skip pixels.
            sizes = last_sizes(op, x, rank)
            kernel, strides, dilations, _groups = settings.values()
            pads = {"pads": flat(amounts_of(sizes, kernel, strides, dilations, padding))}
        result: str = op.node("Conv", x, weight, *bias, **settings, **pads)
        return result

    return over_batches(op, x, translate, rank + 1)


def _transposed(
    op: Source,
    x: str,
    weight: str,
    settings: dict[str, Any],
    padding: Padding,
    output: Sequence[int],
) -> str:
    rank, outputs = len(settings["kernel_shape"]), int(op.params.outputChannels)

    def translate(x: str) -> str:
        cuts = list(padding) if not isinstance(padding, str) else []
        if output or not cuts:
            cuts = _cuts(last_sizes(op, x, rank), settings, padding, output)
        inside = [(max(0, a), max(0, b)) for a, b in cuts]
        beyond = [(max(0, -a), max(0, -b)) for a, b in cuts]
        full = op.node("ConvTranspose", x, weight, **settings, pads=flat(inside))
        if any(map(any, beyond)):
            pads = op.ints(*flat([(0, 0), (0, 0), *beyond]))
            full = op.node("Pad", full, pads, op.scalar(0.0))
        if not op.params.hasBias:
            return str(full)
        return str(op.node("Add", full, op.weight("bias", (outputs, *(1,) * rank))))

    return over_batches(op, x, translate, rank + 1)


def _cuts(
    sizes: Sequence[int], settings: dict[str, Any], padding: Padding, output: Sequence[int]
) -> list[tuple[int, int]]:
    """What is cut off the whole result at both ends, so that ``output`` remains."""
    kernel, strides, dilations, _groups = settings.values()
    whole = [
        (n - 1) * s + (k - 1) * d + 1
        for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    wanted = list(output) or [n * s for n, s in zip(sizes, strides, strict=True)]
    if not isinstance(padding, str) and wanted == [
        n - sum(edges) for n, edges in zip(whole, padding, strict=True)
    ]:
        return list(padding)
    surplus = [n - m for n, m in zip(whole, wanted, strict=True)]
    starts = [max(0, n + (padding == "same_lower")) // 2 for n in surplus]
    return [(start, n - start) for start, n in zip(starts, surplus, strict=True)]
