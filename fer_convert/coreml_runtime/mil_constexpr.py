"""Compressed weights of an ML Program: the ``constexpr_*`` operations, expanded on read.

Each function takes the operation and its declared result and returns that result as a constant.
Sizes are checked against each other when the file is loaded; what is expanded later is bounded by
the bytes really present (a mask or index takes at least one bit per element).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, unpack_bits
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant, Operation, Value

Expansion = Callable[[Operation, Value], Constant]


def sparse_to_dense(op: Operation, result: Value) -> Constant:
    """Zeros where ``mask`` has a 0, the next of ``nonzero_data`` where it has a 1; row-major.

    Arguments: nonzero_data ``[D]``, D = number of set bits. iOS 16: mask uint8
    ``[ceil(prod(shape) / 8)]``, least significant bit first, shape ``[K]``. iOS 18: mask uint1 of
    the result's shape, no shape argument.
    """
    nonzero, mask, shape = _constant(op, "nonzero_data"), _constant(op, "mask"), _shape(result)
    count = prod(shape)
    packed = "shape" in op.arguments
    if prod(mask.shape) != ((count + 7) // 8 if packed else count):
        raise _refuse(op, f"a mask {list(mask.shape)} for {list(shape)} elements")

    def expand() -> Array:
        bits = mask.read().reshape(-1)
        if packed:
            bits = unpack_bits(bits, bits=1, count=count)
        values = nonzero.read()
        if np.count_nonzero(bits) != values.size:
            raise _refuse(
                op, f"{np.count_nonzero(bits)} bits set in the mask and {values.size} values"
            )
        dense = np.zeros(count, values.dtype)
        dense[bits.astype(bool)] = values.reshape(-1)
        return dense.reshape(shape)

    return _result(result, expand)


def affine_dequantize(op: Operation, result: Value) -> Constant:
    """``scale * (quantized_data - zero_point)``, along ``axis`` when they are vectors (iOS 16).

    Arguments: quantized_data (u)int8 of the result's shape, scale and zero_point ``[]`` or
    ``[shape[axis]]``, axis ``[]``.
    """
    data, shape = _constant(op, "quantized_data"), _shape(result)
    scale, zero_point = _constant(op, "scale"), _constant(op, "zero_point")
    axis = _scalar(op, "axis")
    if data.shape != shape or not -len(shape) <= axis < len(shape):
        raise _refuse(op, f"data {list(data.shape)} and axis {axis} for {list(shape)}")
    for vector in (scale, zero_point):
        if vector.shape not in {(), (1,), (shape[axis],)}:
            raise _refuse(op, f"'{vector.name}' {list(vector.shape)} along axis {axis}")
    along = [1] * len(shape)
    along[axis] = -1

    def expand() -> Array:
        offset = zero_point.read().astype(np.float32).reshape(along)
        step = scale.read().astype(np.float32).reshape(along)
        return (data.read().astype(np.float32) - offset) * step

    return _result(result, expand)


def blockwise_shift_scale(op: Operation, result: Value) -> Constant:
    """``scale * (data - offset)``, each scale and offset serving a block of ``data`` (iOS 18).

    Arguments: data ``shape``; scale and offset (optional) of the same rank, each dimension dividing
    that of ``data``.
    """
    data, shape = _constant(op, "data"), _shape(result)
    scale = _constant(op, "scale")
    offset = _constant(op, "offset") if "offset" in op.arguments else None
    _check_blocks(op, scale.shape, shape)
    if data.shape != shape or (offset is not None and offset.shape != scale.shape):
        raise _refuse(op, f"data {list(data.shape)} and scale {list(scale.shape)}")

    def expand() -> Array:
        values = data.read().astype(np.float32)
        if offset is not None:
            values = values - _spread(offset.read().astype(np.float32), shape)
        return values * _spread(scale.read().astype(np.float32), shape)

    return _result(result, expand)


def lut_to_dense(op: Operation, result: Value) -> Constant:
    """Palettised weights: each index names a value of a look-up table.

    iOS 16: indices uint8, packed least significant bit first, log2(len(lut)) bits each; lut
    ``[P]``; shape ``[K]``. iOS 18: indices of the result's shape, lut ``[*groups, P, 1]``, each
    group dimension dividing that of the indices (vector palettes, last dimension > 1, are not
    supported).
    """
    indices, lut, shape = _constant(op, "indices"), _constant(op, "lut"), _shape(result)
    if "shape" in op.arguments:
        return _plain_lut(op, result, indices=indices, lut=lut)
    if len(lut.shape) != len(shape) + 2 or indices.shape != shape:
        raise _refuse(op, f"indices {list(indices.shape)} and lut {list(lut.shape)}")
    if lut.shape[-1] != 1:
        raise UnsupportedOperation(f"constexpr_lut_to_dense '{op.name}' has vector palettes.")
    _check_blocks(op, lut.shape[:-2], shape)

    def expand() -> Array:
        groups = [
            np.arange(size) // (size // blocks)
            for size, blocks in zip(shape, lut.shape[:-2], strict=True)
        ]
        keys = _checked(op, indices.read(), lut.shape[-2])
        values: Array = lut.read()[(*np.ix_(*groups), keys, 0)]
        return values

    return _result(result, expand)


def _plain_lut(op: Operation, result: Value, *, indices: Constant, lut: Constant) -> Constant:
    shape = _shape(result)
    entries = prod(lut.shape)
    bits = entries.bit_length() - 1
    if entries not in {2, 4, 8, 16, 64, 256}:
        raise _refuse(op, f"a table of {entries} entries")
    if prod(indices.shape) != (bits * prod(shape) + 7) // 8:
        raise _refuse(op, f"{prod(indices.shape)} bytes of {bits}-bit indices for {list(shape)}")

    def expand() -> Array:
        keys = unpack_bits(indices.read().reshape(-1), bits=bits, count=prod(shape))
        values: Array = lut.read().reshape(-1)[keys]
        return values.reshape(shape)

    return _result(result, expand)


def cast(op: Operation, result: Value) -> Constant:
    """``source_val`` in the declared element type (iOS 16)."""
    source = _constant(op, "source_val")
    if source.shape != _shape(result):
        raise _refuse(op, f"a value {list(source.shape)} for {list(_shape(result))}")
    return _result(result, source.read)


EXPANSIONS: Mapping[str, Expansion] = {
    "constexpr_cast": cast,
    "constexpr_sparse_to_dense": sparse_to_dense,
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_lut_to_dense": lut_to_dense,
}


def _constant(op: Operation, argument: str) -> Constant:
    bound = op.arguments.get(argument, ())
    if len(bound) != 1 or not isinstance(bound[0], Constant):
        raise _refuse(op, f"no constant argument '{argument}'")
    if bound[0].element.name == "string" and argument != "output_dtype":
        raise _refuse(op, f"'{argument}' is text")
    return bound[0]


def _scalar(op: Operation, argument: str) -> int:
    constant = _constant(op, argument)
    if prod(constant.shape) != 1 or constant.element.is_float:
        raise _refuse(op, f"'{argument}' is {constant.element.name} {list(constant.shape)}")
    return int(constant.read().reshape(-1)[0])


def _shape(result: Value) -> tuple[int, ...]:
    shape = tuple(size for size in result.shape or () if size is not None)
    if result.shape is None or len(shape) != len(result.shape):
        raise ArtefactError(f"The compressed constant '{result.name}' has no fixed shape.")
    return shape


def _result(result: Value, expand: Callable[[], Array]) -> Constant:
    return Constant(
        name=result.name,
        element=result.element,
        shape=_shape(result),
        # The arithmetic is done in fp32; the file declares what it is rounded to.
        read=lambda: expand().astype(result.element.numpy, copy=False),
    )


def _check_blocks(op: Operation, blocks: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(blocks) != len(shape) or any(
        b < 1 or s % b for b, s in zip(blocks, shape, strict=False)
    ):
        raise _refuse(op, f"blocks {list(blocks)} that do not divide {list(shape)}")


def _spread(blocks: Array, shape: tuple[int, ...]) -> Array:
    for axis, size in enumerate(shape):
        blocks = np.repeat(blocks, size // blocks.shape[axis], axis)
    return blocks


def _checked(op: Operation, keys: Array, entries: int) -> Array:
    if keys.size and int(keys.max()) >= entries:
        raise _refuse(op, f"index {int(keys.max())} into a table of {entries}")
    return keys


def _refuse(op: Operation, seen: str) -> ArtefactError:
    return ArtefactError(f"{op.type} '{op.name}' does not fit together: {seen}.")
