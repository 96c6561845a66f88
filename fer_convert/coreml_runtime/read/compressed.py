"""Compressed weights of an ML Program: the ``constexpr_*`` operations, expanded on read.

Each function takes the operation and returns its results as constants; one may be an argument of
the next. Sizes are checked against each other when the file is loaded; what is expanded later is
bounded by the bytes really present (a mask or index takes at least one bit per element), vectors of
a palette by the limit on every result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, unpack_bits
from fer_convert.coreml_runtime.graph import Constant, Operation
from fer_convert.coreml_runtime.read.compressed_laws import (
    argument,
    axis_of,
    check_blocks,
    check_type,
    expanded,
    fixed_shape,
    mask_of,
    optional,
    outputs,
    refuse,
    scatter,
    sparse_to_dense,
    spread,
)

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


_BITS = {2: 1, 4: 2, 16: 4, 64: 6, 256: 8}  # entries of an iOS 16 table -> bits of an index


def lut_to_dense(op: Operation) -> tuple[Constant, ...]:
    """Palettised weights: each index names a value, or a vector of values, of a look-up table.

    iOS 16: indices uint8, packed least significant bit first, log2(len(lut)) bits each; lut
    ``[P]``, P 2, 4, 16, 64 or 256; shape ``[K]``. iOS 18: indices uint1 to uint8 ``[*S]``; lut
    ``[*groups, P, V]``, P = 2 to the bits of an index, each group serving a block of the indices;
    vector_axis ``[]`` is the dimension along which the V values of an entry lie, so that the
    result has V times the size there (without it V is 1).
    """
    if "shape" in op.arguments:
        return _packed_lut(op)
    (result,) = outputs(op, 1)
    indices, lut = argument(op, "indices"), argument(op, "lut")
    axis = _check_lut(op, indices.shape, indices, lut)
    check_type(op, result, lut)
    _check_result(op, fixed_shape(op, result), indices.shape, lut, axis)
    return (expanded(op, result, lambda: _look_up(indices.read(), lut.read(), axis), indices, lut),)


def lut_to_sparse(op: Operation) -> tuple[Constant, ...]:
    """Palettised non-zeros: the mask of what is not zero, and those values from a look-up table.

    Arguments: indices_mask uint1 ``[*S]``, indices_nonzero_data uint1 to uint8 ``[D]``, lut and
    vector_axis as in constexpr_lut_to_dense. Results: the mask, repeated V times along
    vector_axis, and ``[V * D]`` values in its row-major order (iOS 18).
    """
    mask_result, result = outputs(op, 2)
    mask, keys = mask_of(op, "indices_mask"), argument(op, "indices_nonzero_data")
    lut = argument(op, "lut")
    axis = _check_lut(op, mask.shape, keys, lut)
    vector = lut.shape[-1]
    check_type(op, mask_result, mask)
    check_type(op, result, lut)
    _check_result(op, fixed_shape(op, mask_result), mask.shape, lut, axis)
    if fixed_shape(op, result) != (vector * prod(keys.shape),):
        raise refuse(op, f"{prod(keys.shape)} entries of {vector} for {list(result.shape or ())}")

    def expand_mask() -> Array:
        return np.repeat(mask.read(), vector, axis)

    def expand() -> Array:
        dense = _look_up(scatter(op, keys.read(), mask.read()), lut.read(), axis)
        values: Array = dense[expand_mask().astype(bool)]
        return values

    return (
        expanded(op, mask_result, expand_mask, mask),
        expanded(op, result, expand, mask, keys, lut),
    )


def _look_up(indices: Array, lut: Array, axis: int) -> Array:
    """Values ``[*S]``, with V times the size along ``axis``, for indices ``[*S]``."""
    groups = np.ix_(
        *(
            np.arange(size) // (size // blocks)
            for size, blocks in zip(indices.shape, lut.shape[:-2], strict=True)
        )
    )
    vectors = np.moveaxis(lut[(*groups, indices)], -1, axis + 1)
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    values: Array = vectors.reshape(shape)
    return values


def _check_lut(op: Operation, shape: tuple[int, ...], keys: Constant, lut: Constant) -> int:
    """Check the table against indices of ``shape``; returns the axis of its vectors."""
    if not shape or len(lut.shape) != len(shape) + 2:
        raise refuse(op, f"indices {list(shape)} and lut {list(lut.shape)}")
    check_blocks(op, lut.shape[:-2], shape)
    entries, vector = lut.shape[-2:]
    # Every index is then one of the table; none needs to be checked when it is read.
    if not keys.element.name.startswith("uint") or entries != 1 << keys.element.bits:
        raise refuse(op, f"{keys.element.name} indices into a table of {entries} entries")
    if "vector_axis" in op.arguments:
        return axis_of(op, "vector_axis", len(shape))
    if vector != 1:
        raise refuse(op, f"entries of {vector} values and no vector_axis")
    return 0


def _check_result(
    op: Operation, result: tuple[int, ...], shape: tuple[int, ...], lut: Constant, axis: int
) -> None:
    wanted = tuple(s * lut.shape[-1] if i == axis else s for i, s in enumerate(shape))
    if result != wanted:
        raise refuse(op, f"indices {list(shape)} give {list(wanted)}, not {list(result)}")


def _packed_lut(op: Operation) -> tuple[Constant, ...]:
    (result,) = outputs(op, 1)
    indices, lut, shape = argument(op, "indices"), argument(op, "lut"), fixed_shape(op, result)
    check_type(op, result, lut)
    bits = _BITS.get(prod(lut.shape), 0)
    if not bits:
        raise refuse(op, f"a table of {prod(lut.shape)} entries")
    if indices.element.name != "uint8" or prod(indices.shape) != (bits * prod(shape) + 7) // 8:
        raise refuse(
            op,
            f"{prod(indices.shape)} x {indices.element.name} of {bits}-bit indices "
            f"for {list(shape)}",
        )

    def expand() -> Array:
        keys = unpack_bits(indices.read().reshape(-1), bits=bits, count=prod(shape))
        values: Array = lut.read().reshape(-1)[keys]
        return values

    return (expanded(op, result, expand, indices, lut),)


EXPANSIONS: Mapping[str, Expansion] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": sparse_to_dense,
}
