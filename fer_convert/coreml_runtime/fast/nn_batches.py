"""NeuralNetwork: any number of leading dimensions, and sizes that must be known or bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

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


def single(op: Source, x: str, kind: Any, shape: Sequence[int] = ()) -> str:
    """An input that holds one number, as ``kind`` in ``shape``: of none or one dimension.

    Raises:
        Unlowered: it is known to hold another count.
    """
    sizes = op.shape(x)
    if None not in sizes and prod(size or 0 for size in sizes) != 1:
        raise Unlowered("several numbers where one is needed")
    result: str = op.node("Reshape", op.cast(x, kind), op.ints(*shape))
    return result


def vector(op: Source, x: str) -> str:
    """An input that is a vector, as int64.

    Raises:
        Unlowered: it has another number of dimensions.
    """
    if len(op.shape(x)) != 1:
        raise Unlowered("an array where a vector is needed")
    return op.cast(x, np.int64)


def axis_of(op: Source, x: str, axis: int, *, more: int = 0) -> int:
    """``axis`` counted from the front, of ``x`` or of a result that has ``more`` dimensions.

    Raises:
        Unlowered: there is no such axis.
    """
    rank = len(op.shape(x)) + more
    if not -rank <= axis < rank:
        raise Unlowered(f"axis {axis} of {rank}")
    return axis % rank


def checked_shape(op: Source, shape: str) -> str:
    """A computed shape, made impossible where it has too many elements to allocate."""
    wide = op.node("Cast", shape, to=_double())
    count = op.node("ReduceProd", wide, keepdims=0)
    much = op.node("Greater", count, op.scalar(MOST_ELEMENTS, np.float64))
    result: str = op.node("Where", much, op.ints(-1), shape)
    return result


def checked_ints(op: Source, *shape: int) -> str:
    """A shape of the file.

    Raises:
        ValueError: too many elements to allocate.
    """
    check_size(shape)
    return op.ints(*shape)


def _double() -> int:
    from onnx import TensorProto

    return int(TensorProto.DOUBLE)
