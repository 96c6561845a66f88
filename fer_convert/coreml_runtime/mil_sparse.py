"""Sparse weights: a mask of one bit per element, and the values that are not zero."""

from __future__ import annotations

from math import prod

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, unpack_bits
from fer_convert.coreml_runtime.graph import Constant, Operation
from fer_convert.coreml_runtime.mil_expansion import (
    argument,
    check_type,
    expanded,
    fixed_shape,
    outputs,
    refuse,
)


def sparse_to_dense(op: Operation) -> tuple[Constant, ...]:
    """Zeros where ``mask`` has a 0, the next of ``nonzero_data`` where it has a 1; row-major.

    Arguments: nonzero_data ``[D]``, D = number of set bits. iOS 16: mask uint8
    ``[ceil(prod(shape) / 8)]``, least significant bit first, shape ``[K]``. iOS 18: mask uint1 of
    the result's shape, no shape argument.
    """
    (result,) = outputs(op, 1)
    nonzero, shape = argument(op, "nonzero_data"), fixed_shape(op, result)
    check_type(op, result, nonzero)
    if "shape" in op.arguments:
        return _packed_sparse(op)
    mask = mask_of(op, "mask")
    if mask.shape != shape:
        raise refuse(op, f"a mask {list(mask.shape)} for {list(shape)}")
    return (expanded(op, result, lambda: scatter(op, nonzero.read(), mask.read()), nonzero, mask),)


def mask_of(op: Operation, name: str) -> Constant:
    mask = argument(op, name)
    if mask.element.name != "uint1":
        raise refuse(op, f"'{name}' is {mask.element.name}, not uint1")
    return mask


def scatter(op: Operation, nonzero: Array, mask: Array) -> Array:
    """Values ``[D]`` at the D places of ``mask`` that are not 0, zeros elsewhere.

    Raises:
        ArtefactError: the mask has not D bits set.
    """
    if np.count_nonzero(mask) != nonzero.size:
        raise refuse(op, f"{np.count_nonzero(mask)} bits set in the mask and {nonzero.size} values")
    dense = np.zeros(mask.shape, nonzero.dtype)
    dense[mask.astype(bool)] = nonzero.reshape(-1)
    return dense


def _packed_sparse(op: Operation) -> tuple[Constant, ...]:
    (result,) = op.outputs
    nonzero, mask = argument(op, "nonzero_data"), argument(op, "mask")
    shape = fixed_shape(op, result)
    count = prod(shape)
    if mask.element.name != "uint8" or prod(mask.shape) != (count + 7) // 8:
        raise refuse(
            op, f"a mask {mask.element.name} {list(mask.shape)} for {list(shape)} elements"
        )

    def expand() -> Array:
        raw = mask.read().reshape(-1)
        if count % 8 and raw[-1] >> (count % 8):
            raise refuse(op, f"bits set behind the {count} of the mask")
        return scatter(op, nonzero.read(), unpack_bits(raw, bits=1, count=count))

    return (expanded(op, result, expand, nonzero, mask),)
