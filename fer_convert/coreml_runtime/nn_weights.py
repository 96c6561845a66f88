"""Weights of a NeuralNetwork: ``WeightParams`` messages inside the layers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import TYPES, Array
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant

_FLOAT_VALUE_TAG = 0x0A  # field 1, length-delimited: how protobuf packs `repeated float floatValue`


def take_weights(params: Any, layer: str) -> dict[str, Constant]:
    """Decode all weights below ``params`` and drop them from the message.

    Dropping halves the memory of a big network: the floats live once, in numpy.

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
            taken[path] = _signed(message, name, dynamic=dynamic)
        elif message.rawValue:
            turned = path == "weights" and getattr(params, "isDeconvolution", False)
            groups = int(params.nGroups) or 1 if turned else 0
            taken[path] = _quantised(message, name, transposed_groups=groups)
        else:
            taken[path] = _plain(message, name)
        message.Clear()
    return taken


def _plain(message: Any, name: str) -> Constant:
    array = _decode(message, name)
    return Constant(
        name=name,
        element=TYPES["fp16" if array.dtype == np.float16 else "fp32"],
        shape=array.shape,
        read=_returning(array),
    )


def _signed(message: Any, name: str, *, dynamic: bool) -> Constant:
    """8-bit integers of a layer that quantises its input as it runs: one scale, no bias."""
    linear = message.quantization.linearQuantization
    complete = message.int8RawValue and not message.rawValue and not linear.bias
    if not dynamic or not complete or len(linear.scale) != 1:
        raise ArtefactError(
            f"The weights '{name}' need int8DynamicQuantize, int8RawValue and one scale together; "
            f"they have {len(message.int8RawValue)} bytes and {len(linear.scale)} scales."
        )
    integers = np.frombuffer(message.int8RawValue, dtype=np.int8)
    array = integers.astype(np.float32) * np.float32(linear.scale[0])
    return Constant(name=name, element=TYPES["fp32"], shape=array.shape, read=_returning(array))


def _quantised(message: Any, name: str, *, transposed_groups: int) -> Constant:
    """Integers of a few bits, decoded when the layer says how many there are.

    Args:
        transposed_groups: of a transposed convolution, whose second axis is the output; else 0.
    """
    quantization = message.quantization
    bits, kind = int(quantization.numberOfBits), quantization.WhichOneof("QuantizationType")
    if not 1 <= bits <= 8:
        raise ArtefactError(f"The weights '{name}' are quantised to {bits} bits; 1 to 8 can be.")
    raw = np.frombuffer(message.rawValue, dtype=np.uint8)
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


def _unpacked(raw: Array, bits: int, shape: tuple[int, ...], name: str) -> Array:
    """Integers of ``bits`` bits, most significant bit first in one stream padded at its end."""
    count = prod(shape)
    if raw.size != (count * bits + 7) // 8:
        raise ArtefactError(
            f"The weights '{name}' hold {raw.size} bytes; {list(shape)} of {bits} bits are needed."
        )
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


def _decode(message: Any, name: str) -> Array:
    if message.float16Value:
        if len(message.float16Value) % 2:
            raise ArtefactError(
                f"The weights '{name}' are fp16 in {len(message.float16Value)} bytes, which is odd."
            )
        return np.frombuffer(message.float16Value, dtype="<f2").copy()
    return _floats(message)


def _floats(message: Any) -> Array:
    """The repeated floats as one array, through their wire form.

    Sixty million floats take four seconds as Python objects and 50 ms as the packed bytes protobuf
    writes; a layout other than the expected one falls back to the slow way.
    """
    count = len(message.floatValue)
    if count == 0:
        return np.zeros(0, np.float32)
    wire = message.SerializeToString()
    length, start = _varint(wire, 1)
    if wire[0] == _FLOAT_VALUE_TAG and length == 4 * count:
        return np.frombuffer(wire, dtype="<f4", count=count, offset=start).copy()
    return np.array(message.floatValue, dtype=np.float32)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position


def _returning(array: Array) -> Any:
    return lambda: array
