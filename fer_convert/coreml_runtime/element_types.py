"""Element types of Core ML values: their names, widths and numpy forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ElementType:
    """One element type: ``fp16``, ``int8``, ``uint4`` (packed), ``string`` …

    ``bits`` is the stored width (0 for strings, which are never in a blob); ``numpy`` is the type
    an element has once it is unpacked: fp32 for the floats that numpy does not have.
    """

    name: str
    bits: int
    numpy: np.dtype[Any]

    @property
    def is_float(self) -> bool:
        return self.numpy.kind == "f"

    @property
    def only_stored(self) -> bool:
        """Whether constants have this type, but no computed value."""
        return self.name in _SMALL_FLOATS

    def stored_bytes(self, count: int) -> int:
        """Bytes that ``count`` elements take when packed without gaps."""
        return (count * self.bits + 7) // 8


def _types() -> dict[str, ElementType]:
    table = {
        "bool": (8, "?"),
        "fp16": (16, "<f2"),
        "fp32": (32, "<f4"),
        "fp64": (64, "<f8"),
        "string": (0, "O"),
    }
    table |= {f"int{b}": (b, f"<i{b // 8}") for b in (8, 16, 32, 64)}
    table |= {f"uint{b}": (b, f"<u{b // 8}") for b in (8, 16, 32, 64)}
    table |= {"bf16": (16, "<f4"), "fp8e4m3fn": (8, "<f4"), "fp8e5m2": (8, "<f4")}
    table |= {"int4": (4, "<i1")} | {f"uint{b}": (b, "<u1") for b in (1, 2, 3, 4, 6)}
    return {name: ElementType(name, bits, np.dtype(code)) for name, (bits, code) in table.items()}


TYPES: Mapping[str, ElementType] = _types()
# Exponent and mantissa bits of the floats that numpy does not have.
_SMALL_FLOATS: Mapping[str, tuple[int, int]] = {
    "bf16": (8, 7), "fp8e4m3fn": (4, 3), "fp8e5m2": (5, 2),
}  # fmt: skip

# MIL.proto's DataType, by number, for the types above.
MIL_TYPES: Mapping[int, str] = {
    1: "bool", 2: "string", 10: "fp16", 11: "fp32", 12: "fp64", 13: "bf16",
    21: "int8", 22: "int16", 23: "int32", 24: "int64", 25: "int4",
    31: "uint8", 32: "uint16", 33: "uint32", 34: "uint64",
    35: "uint4", 36: "uint2", 37: "uint1", 38: "uint6", 39: "uint3",
    40: "fp8e4m3fn", 41: "fp8e5m2",
}  # fmt: skip

# The weight file numbers the same types differently.
BLOB_TYPES: Mapping[int, str] = {
    1: "fp16", 2: "fp32", 3: "uint8", 4: "int8", 5: "bf16", 6: "int16", 7: "uint16", 8: "int4",
    9: "uint1", 10: "uint2", 11: "uint4", 12: "uint3", 13: "uint6", 14: "int32", 15: "uint32",
    16: "fp8e4m3fn", 17: "fp8e5m2",
}  # fmt: skip


def decode(raw: Array, element: ElementType, shape: Sequence[int]) -> Array:
    """Turn stored bytes into an array of ``shape``.

    Whole-byte types are viewed in place (no copy: a weight stays in the mapped file); packed types
    are unpacked, least significant bit first; small floats are widened to fp32, exactly.

    Args:
        raw: uint8 ``[element.stored_bytes(prod(shape))]``, exactly that many.
    """
    count = prod(shape)
    if element.name == "bool":
        return np.not_equal(raw, 0).reshape(shape)  # a stored 2 is no truth value
    if element.name == "bf16":  # the upper half of an fp32
        return (raw.view("<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if element.only_stored:
        values: Array = _fp8_values(element.name)[raw]
        return values.reshape(shape)
    if element.bits % 8 == 0:
        return raw.view(element.numpy).reshape(shape)
    values = unpack_bits(raw, bits=element.bits, count=count)
    if element.name.startswith("int"):
        sign = 1 << (element.bits - 1)
        return ((values ^ sign).astype(np.int8) - np.int8(sign)).reshape(shape)
    return values.reshape(shape)


def unpack_bits(raw: Array, *, bits: int, count: int) -> Array:
    """Unpack ``count`` unsigned integers of ``bits`` bits, least significant bit first.

    An integer may straddle two bytes: its low bits fill the top of the first.

    Args:
        raw: uint8, at least ``count * bits / 8`` bytes.

    Returns:
        uint8 ``[count]``.
    """
    if bits == 8:
        return raw[:count]
    stream = np.unpackbits(raw, bitorder="little", count=count * bits).reshape(count, bits)
    weights = (1 << np.arange(bits)).astype(np.uint8)
    return stream @ weights


@cache
def _fp8_values(name: str) -> Array:
    """What each of the 256 bytes means, fp32 ``[256]``."""
    exponent_bits, mantissa_bits = _SMALL_FLOATS[name]
    codes = np.arange(256)
    sign = np.where(codes >> 7, -1.0, 1.0)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    bias = (1 << (exponent_bits - 1)) - 1
    # An exponent of 0 is a subnormal: no hidden 1, the scale of exponent 1.
    significand = np.where(exponent == 0, mantissa, 1 + mantissa)
    values = sign * significand * 2.0 ** (np.maximum(exponent, 1) - bias)
    if name == "fp8e5m2":  # IEEE's infinities and NaNs
        special = exponent == 31
        values[special] = np.where(mantissa == 0, sign * np.inf, np.nan)[special]
    else:  # "fn": finite, and one NaN of each sign
        values[codes & 0x7F == 0x7F] = np.nan
    return np.asarray(values, np.float32)
