"""Weights of a NeuralNetwork: ``WeightParams`` messages inside the layers, values in the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import TYPES, Array, ElementType
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant
from fer_convert.coreml_runtime.read.wire import Payload, Payloads


def take_weights(params: Any, layer: str, payloads: Payloads) -> dict[str, Constant]:
    """All weights below ``params``, which loses them; they are decoded when they are read.

    Returns:
        Constants by field path (``weights``, ``bias``, ``PReLU.alpha``), flat; a layer knows its
        own weight shapes.

    Raises:
        ArtefactError: half-precision bytes of an odd length, a quantisation that is incomplete.
    """
    taken = {}
    for path, message in _weight_messages(params, ""):
        name = f"{layer}.{path}"
        dynamic = path == "weights" and getattr(params, "int8DynamicQuantize", False)
        if dynamic or message.int8RawValue:
            taken[path] = _signed(message, payloads, name, dynamic=dynamic)
        elif message.rawValue:
            turned = path == "weights" and getattr(params, "isDeconvolution", False)
            groups = int(params.nGroups) or 1 if turned else 0
            taken[path] = _quantised(message, payloads, name, transposed_groups=groups)
        else:
            taken[path] = _plain(message, payloads, name)
        message.Clear()
    return taken


def _plain(message: Any, payloads: Payloads, name: str) -> Constant:
    half = payloads.take(message, "float16Value")
    if half.size % 2:
        raise ArtefactError(f"The weights '{name}' are fp16 in {half.size} bytes, which is odd.")
    if half.size:
        return _stored(half, TYPES["fp16"], name)
    return _stored(payloads.take(message, "floatValue"), TYPES["fp32"], name)


def _stored(payload: Payload, element: ElementType, name: str) -> Constant:
    def read() -> Array:
        return payload.read().view(element.numpy)

    count = payload.size // element.numpy.itemsize
    return Constant(name=name, element=element, shape=(count,), read=read)


def _signed(message: Any, payloads: Payloads, name: str, *, dynamic: bool) -> Constant:
    """8-bit integers of a layer that quantises its input as it runs: one scale, no bias."""
    linear = message.quantization.linearQuantization
    payload = payloads.take(message, "int8RawValue")
    complete = payload.size and not message.rawValue and not linear.bias
    if not dynamic or not complete or len(linear.scale) != 1:
        raise ArtefactError(
            f"The weights '{name}' need int8DynamicQuantize, int8RawValue and one scale together; "
            f"they have {payload.size} bytes and {len(linear.scale)} scales."
        )
    scale = np.float32(linear.scale[0])

    def read() -> Array:
        return payload.read().view(np.int8).astype(np.float32) * scale

    return Constant(name=name, element=TYPES["fp32"], shape=(payload.size,), read=read)


def _quantised(message: Any, payloads: Payloads, name: str, *, transposed_groups: int) -> Constant:
    """Integers of a few bits, decoded when the layer says how many there are.

    Args:
        transposed_groups: of a transposed convolution, whose second axis is the output; else 0.
    """
    quantization = message.quantization
    bits, kind = int(quantization.numberOfBits), quantization.WhichOneof("QuantizationType")
    if not 1 <= bits <= 8:
        raise ArtefactError(f"The weights '{name}' are quantised to {bits} bits; 1 to 8 can be.")
    raw = payloads.take(message, "rawValue")
    if kind == "lookupTableQuantization":
        table = np.array(quantization.lookupTableQuantization.floatValue, dtype=np.float32)
        if table.size != 2**bits:
            raise ArtefactError(
                f"The weights '{name}' have {bits} bits and a table of {table.size} values."
            )
        decode = partial(_looked_up, table=table)
    elif kind == "linearQuantization":
        linear = quantization.linearQuantization
        scale = np.array(linear.scale, dtype=np.float32)
        bias = np.array(linear.bias, dtype=np.float32)
        decode = partial(_scaled, scale=scale, bias=bias, groups=transposed_groups, name=name)
    else:
        raise ArtefactError(f"The weights '{name}' are raw bytes without a quantisation.")

    def read_as(shape: tuple[int, ...]) -> Array:
        return decode(_unpacked(raw, bits, shape, name))

    def read() -> Array:
        raise UnsupportedOperation(
            f"The weights '{name}' are quantised in a layer that does not tell their shape."
        )

    return Constant(name=name, element=TYPES["fp32"], shape=(), read=read, read_as=read_as)


def _unpacked(payload: Payload, bits: int, shape: tuple[int, ...], name: str) -> Array:
    """Integers of ``bits`` bits, most significant bit first in one stream padded at its end."""
    count = prod(shape)
    if payload.size != (count * bits + 7) // 8:
        raise ArtefactError(
            f"The weights '{name}' hold {payload.size} bytes; {list(shape)} of {bits} bits are "
            "needed."
        )
    raw = payload.read()
    if bits == 8:
        return raw.reshape(shape)
    columns = np.unpackbits(raw, count=count * bits).reshape(count, bits)
    return np.packbits(columns, axis=1).reshape(shape) >> (8 - bits)


def _looked_up(codes: Array, *, table: Array) -> Array:
    return table[codes]


def _scaled(codes: Array, *, scale: Array, bias: Array, groups: int, name: str) -> Array:
    """``codes * scale + bias``; one scale and bias, or one for each output channel.

    Outputs are the first axis of codes. With ``groups``, of a transposed convolution, they are the
    second, for each group of the first axis apart or the same for all.
    """
    parts = max(groups, 1)
    outputs = codes.shape[1 if groups else 0] if codes.ndim > bool(groups) else 1
    allowed = {1, outputs, parts * outputs}
    uneven = parts > 1 and codes.shape[0] % parts
    if uneven or scale.size not in allowed or bias.size not in {0, *allowed}:
        raise ArtefactError(
            f"The weights '{name}' {list(codes.shape)} have {scale.size} scales and "
            f"{bias.size} biases; one or {parts * outputs} of each can be."
        )
    # [groups, inputs of a group, outputs, *kernel], or [outputs, *rest].
    split = codes.reshape(parts, -1, *codes.shape[1:]) if groups else codes

    def along(values: Array) -> Array:
        if not groups or values.size == 1:
            return values.reshape(-1, *(1,) * max(0, codes.ndim - 1))
        trailing = (1,) * (codes.ndim - 2)
        return values.reshape(-1, 1, outputs, *trailing)

    result = split.astype(np.float32) * along(scale)
    return (result + along(bias) if bias.size else result).reshape(codes.shape)


def _weight_messages(message: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None or not hasattr(value, "ListFields"):
            continue  # a scalar, or a repeated field
        path = f"{prefix}{descriptor.name}"
        if descriptor.message_type.name == "WeightParams":
            yield path, value
        else:
            yield from _weight_messages(value, f"{path}.")
