"""Any number of leading dimensions as one batch, and sizes that must be known or bounded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS, check_size


def over_batches(op: Source, x: str, translate: Callable[[str], str], rank: int) -> str:
    """``translate``, written for ``[N, *D]`` with ``rank`` dimensions D, for ``[*, *D]``."""
    shape = op.shape(x)
    if len(shape) == rank + 1:
        return translate(x)
    leading, trailing = shape[: len(shape) - rank], shape[len(shape) - rank :]
    if len(trailing) < rank:
        raise Unlowered(f"an input of rank {len(shape)}")
    sizes = [size for size in trailing if size is not None]
    if len(sizes) == rank:
        flat = op.ints(-1, *sizes)
    else:
        flat = op.node("Concat", op.ints(-1), op.node("Shape", x, start=-rank), axis=0)
    y = translate(op.node("Reshape", x, flat))
    found = op.shape(y)[1:]
    ends = [size for size in found if size is not None]
    starts = [size for size in leading if size is not None]
    if len(ends) == len(found) and len(starts) == len(leading):
        whole = op.ints(*starts, *ends)
    else:
        known = op.ints(*ends) if len(ends) == len(found) else op.node("Shape", y, start=1)
        whole = op.node("Concat", op.node("Shape", x, end=-rank), known, axis=0)
    result: str = op.node("Reshape", y, whole)
    return result


def last_sizes(op: Source, x: str, count: int) -> list[int]:
    """The last ``count`` sizes of ``x``.

    Raises:
        Unlowered: one of them is only known at run time.
    """
    sizes = [size for size in op.shape(x)[-count:] if size is not None]
    if len(sizes) < count:
        raise Unlowered("a size only known at run time")
    return sizes


def axis_of(op: Source, x: str, axis: int, *, more: int = 0) -> int:
    """``axis`` counted from the front, of ``x`` or of a result that has ``more`` dimensions.

    Raises:
        Unlowered: there is no such axis.
    """
    rank = len(op.shape(x)) + more
    if not -rank <= axis < rank:
        raise Unlowered(f"axis {axis} of {rank}")
    return axis % rank


def bounded_shape(op: Source, name: str) -> str:
    """The operand ``name`` as a shape: a computed one is made impossible where it has too many
    elements to allocate.

    Raises:
        ValueError: a constant one has too many.
        Unlowered: it is no vector.
    """
    shape = op.vector(name)
    if op.is_constant(name):
        check_size(op.integers(name))
        return shape
    return checked_shape(op, shape)


def checked_shape(op: Source, shape: str) -> str:
    """A computed shape, made impossible where it has too many elements to allocate."""
    wide = op.cast(shape, np.float64)
    count = op.node("ReduceProd", wide, keepdims=0)
    much = op.node("Greater", count, op.scalar(MOST_ELEMENTS, np.float64))
    result: str = op.node("Where", much, op.ints(-1), shape)
    return result
