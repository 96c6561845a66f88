"""What the ``constexpr_*`` operations share: their arguments, their results, their laws of size."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, unpack_bits
from fer_convert.coreml_runtime.errors import ArtefactError
from fer_convert.coreml_runtime.graph import Constant, Operation, Value
from fer_convert.coreml_runtime.limits import check_size

# Compressed constants may be made of compressed constants. What coremltools writes costs 6 at most;
# a file can double the cost with every operation, so without a limit a page of text runs for ever.
MOST_EXPANSIONS = 64


def argument(op: Operation, name: str) -> Constant:
    """The one constant bound to ``name``, numbers or truth values.

    Raises:
        ArtefactError: nothing is bound there, or text.
    """
    bound = op.arguments.get(name, ())
    if len(bound) != 1 or not isinstance(bound[0], Constant):
        raise refuse(op, f"no constant argument '{name}'")
    if bound[0].element.name == "string":
        raise refuse(op, f"'{name}' is text")
    return bound[0]


def optional(op: Operation, name: str) -> Constant | None:
    return argument(op, name) if name in op.arguments else None


def scalar(op: Operation, name: str) -> int:
    constant = argument(op, name)
    if prod(constant.shape) != 1 or constant.element.is_float:
        raise refuse(op, f"'{name}' is {constant.element.name} {list(constant.shape)}")
    return int(constant.read().reshape(-1)[0])


def axis_of(op: Operation, name: str, rank: int) -> int:
    """An axis of a value of ``rank`` dimensions, from 0 on."""
    axis = scalar(op, name)
    if not -rank <= axis < rank:
        raise refuse(op, f"'{name}' is {axis} of {rank} dimensions")
    return axis % rank


def outputs(op: Operation, count: int) -> tuple[Value, ...]:
    if len(op.outputs) != count:
        raise refuse(op, f"{len(op.outputs)} outputs instead of {count}")
    return op.outputs


def fixed_shape(op: Operation, result: Value) -> tuple[int, ...]:
    """The declared shape of a result, of a size that can be expanded."""
    shape = tuple(size for size in result.shape or () if size is not None)
    if result.shape is None or len(shape) != len(result.shape):
        raise refuse(op, f"the result '{result.name}' has no fixed shape")
    try:
        check_size(shape)
    except ValueError as error:
        raise refuse(op, str(error)) from error
    return shape


def expanded(
    op: Operation, result: Value, expand: Callable[[], Array], *sources: Constant | None
) -> Constant:
    """The constant that ``expand`` computes from ``sources`` whenever it is read.

    ``expand`` may compute in fp32; the result is rounded to the declared type.

    Raises:
        ArtefactError: too many compressed constants are made of each other.
    """
    expansions = 1 + sum(source.expansions for source in sources if source is not None)
    if expansions > MOST_EXPANSIONS:
        raise refuse(op, f"it takes {expansions} expansions, {MOST_EXPANSIONS} are allowed")
    shape, kind = fixed_shape(op, result), result.element.numpy

    def read() -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # beyond 65504 fp16 is infinite
            array: Array = expand().astype(kind, copy=False)
        return array.reshape(shape)

    return Constant(
        name=result.name, element=result.element, shape=shape, read=read, expansions=expansions
    )


def check_type(op: Operation, result: Value, like: Constant) -> None:
    if result.element != like.element:
        raise refuse(
            op, f"'{result.name}' is declared {result.element.name} and made of {like.element.name}"
        )


def check_blocks(op: Operation, blocks: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(blocks) != len(shape) or any(
        b < 1 or s % b for b, s in zip(blocks, shape, strict=False)
    ):
        raise refuse(op, f"blocks {list(blocks)} that do not divide {list(shape)}")


def spread(blocks: Array, shape: tuple[int, ...]) -> Array:
    """Repeat each value over its block, so that the result has ``shape`` or broadcasts to it."""
    for axis, size in enumerate(shape):
        if blocks.shape[axis] not in (1, size):
            blocks = np.repeat(blocks, size // blocks.shape[axis], axis)
    return blocks


def refuse(op: Operation, seen: str) -> ArtefactError:
    return ArtefactError(f"{op.label} does not fit together: {seen}.")


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
