"""NeuralNetwork: inputs that hold one number, or a vector, or a shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.limits import check_size


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


def checked_ints(op: Source, *shape: int) -> str:
    """A shape of the file.

    Raises:
        ValueError: too many elements to allocate.
    """
    check_size(shape)
    return op.ints(*shape)
