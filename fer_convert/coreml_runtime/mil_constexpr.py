"""Compressed weights of an ML Program: the ``constexpr_*`` operations, expanded on read.

Each function takes the operation and returns its results as constants; one may be an argument of
the next. Sizes are checked against each other when the file is loaded; what is expanded later is
bounded by the bytes really present (a mask or index takes at least one bit per element), vectors of
a palette by the limit on every result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.graph import Constant, Operation
from fer_convert.coreml_runtime.mil_expansion import (
    argument,
    axis_of,
    check_blocks,
    check_type,
    expanded,
    fixed_shape,
    optional,
    outputs,
    refuse,
    spread,
)
from fer_convert.coreml_runtime.mil_palettes import lut_to_dense, lut_to_sparse
from fer_convert.coreml_runtime.mil_sparse import mask_of, scatter, sparse_to_dense

Expansion = Callable[[Operation], tuple[Constant, ...]]


def affine_dequantize(op: Operation) -> tuple[Constant, ...]:
    """``scale * (quantized_data - zero_point)``, along ``axis`` when they are vectors (iOS 16).

    Arguments: quantized_data (u)int8 of the result's shape, scale and zero_point ``[]`` or
    ``[shape[axis]]``, axis ``[]``.
    """
    (result,) = outputs(op, 1)
    data, shape = argument(op, "quantized_data"), fixed_shape(op, result)
    scale, zero_point = argument(op, "scale"), argument(op, "zero_point")
    check_type(op, result, scale)
    if data.shape != shape:
        raise refuse(op, f"data {list(data.shape)} for {list(shape)}")
    axis = axis_of(op, "axis", len(shape))
    for vector in (scale, zero_point):
        if vector.shape not in {(), (1,), (shape[axis],)}:
            raise refuse(op, f"'{vector.name}' {list(vector.shape)} along axis {axis}")
    along = [1] * len(shape)
    along[axis] = -1

    def expand() -> Array:
        blocks, offset = scale.read().reshape(along), zero_point.read().reshape(along)
        return _shift_scale(data.read(), blocks, offset)

    return (expanded(op, result, expand, data, scale, zero_point),)


def blockwise_shift_scale(op: Operation) -> tuple[Constant, ...]:
    """``scale * (data - offset)``, each scale and offset serving a block of ``data`` (iOS 18).

    Arguments: data ``shape``; scale and offset (optional) of the same rank, each dimension dividing
    that of ``data``.
    """
    (result,) = outputs(op, 1)
    data, shape = argument(op, "data"), fixed_shape(op, result)
    scale, offset = _blocks(op, shape)
    check_type(op, result, scale)
    if data.shape != shape:
        raise refuse(op, f"data {list(data.shape)} for {list(shape)}")

    def expand() -> Array:
        return _shift_scale(data.read(), scale.read(), offset.read() if offset else None)

    return (expanded(op, result, expand, data, scale, offset),)


def sparse_blockwise_shift_scale(op: Operation) -> tuple[Constant, ...]:
    """Quantised non-zeros: the mask of what is not zero, and ``scale * (value - offset)`` (iOS 18).

    Arguments: data_mask uint1 ``[*S]``, nonzero_data ``[D]``, scale and offset (optional) as in
    constexpr_blockwise_shift_scale, for the dense ``[*S]``. Results: the mask, and ``[D]`` values.
    """
    mask_result, result = outputs(op, 2)
    mask, nonzero = mask_of(op, "data_mask"), argument(op, "nonzero_data")
    scale, offset = _blocks(op, mask.shape)
    check_type(op, mask_result, mask)
    check_type(op, result, scale)
    if fixed_shape(op, mask_result) != mask.shape or fixed_shape(op, result) != nonzero.shape:
        raise refuse(op, f"a mask {list(mask.shape)} and data {list(nonzero.shape)}")

    def expand() -> Array:
        bits = mask.read()
        dense = scatter(op, nonzero.read(), bits)
        shifted = _shift_scale(dense, scale.read(), offset.read() if offset else None)
        values: Array = shifted[bits.astype(bool)]
        return values

    return (
        expanded(op, mask_result, mask.read, mask),
        expanded(op, result, expand, mask, nonzero, scale, offset),
    )


def cast(op: Operation) -> tuple[Constant, ...]:
    """``source_val`` in the declared element type (iOS 16): fp16 stored, fp32 used."""
    (result,) = outputs(op, 1)
    source = argument(op, "source_val")
    if source.shape != fixed_shape(op, result):
        raise refuse(op, f"a value {list(source.shape)} for {list(fixed_shape(op, result))}")
    if not (source.element.is_float and result.element.is_float):
        raise refuse(op, f"{source.element.name} cast to {result.element.name}")
    return (expanded(op, result, source.read, source),)


EXPANSIONS: Mapping[str, Expansion] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": sparse_to_dense,
}


def _blocks(op: Operation, shape: tuple[int, ...]) -> tuple[Constant, Constant | None]:
    """Scale and offset, checked against data of ``shape``."""
    scale, offset = argument(op, "scale"), optional(op, "offset")
    if not scale.element.is_float:
        raise refuse(op, f"'scale' is {scale.element.name}")
    check_blocks(op, scale.shape, shape)
    if offset is not None and offset.shape != scale.shape:
        raise refuse(op, f"scale {list(scale.shape)} and offset {list(offset.shape)}")
    return scale, offset


def _shift_scale(data: Array, scale: Array, offset: Array | None) -> Array:
    values: Array = data.astype(np.float32)
    if offset is not None:
        values -= spread(offset.astype(np.float32), data.shape)
    values *= spread(scale.astype(np.float32), data.shape)
    return values
