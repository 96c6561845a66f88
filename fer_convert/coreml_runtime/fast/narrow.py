"""Integers narrower than the int32 in which ONNX computes them."""

from __future__ import annotations

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source

NARROW = {"int4", "int8", "int16", "uint8", "uint16"}


def refuse_narrow(op: Source) -> None:
    """Leave arithmetic of narrow integers to the reference engine.

    Raises:
        Unlowered: computed in int32 they would not wrap around where they should.
    """
    names = [op.result.element.name, *(op.element(n).name for n in ("x", "y") if op.has(n))]
    narrow = [name for name in names if name in NARROW]
    if narrow:
        raise Unlowered(f"{narrow[0]} arithmetic")
