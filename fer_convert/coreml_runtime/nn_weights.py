"""Weights of a NeuralNetwork: ``WeightParams`` messages inside the layers."""

from __future__ import annotations

from collections.abc import Iterator
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
        ArtefactError: half-precision bytes of an odd length.
        UnsupportedOperation: quantised weights.
    """
    taken = {}
    for path, message in _weight_messages(params, ""):
        array = _decode(message, f"{layer}.{path}")
        message.Clear()
        taken[path] = Constant(
            name=f"{layer}.{path}",
            element=TYPES["fp16" if array.dtype == np.float16 else "fp32"],
            shape=array.shape,
            read=_returning(array),
        )
    return taken


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
    if message.rawValue or message.int8RawValue:
        raise UnsupportedOperation(
            f"The weights '{name}' are quantised; NeuralNetwork weights are read as fp32 or fp16.",
            hint="Export without quantisation, or as an ML Program, whose compression is read.",
        )
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
