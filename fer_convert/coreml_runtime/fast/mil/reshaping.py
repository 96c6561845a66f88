"""ML Program: values moved and repeated without a change."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.batches import axis_of, bounded_shape, last_sizes
from fer_convert.coreml_runtime.fast.moving import flip, interleave, join
from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.fast.windows import flat
from fer_convert.coreml_runtime.limits import check_positions, check_size

OPERATIONS = Translations()

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@OPERATIONS.lowering("concat")
def concat(op: Source) -> str:
    axis, values = op.option("axis", int), op.operands("values")
    if values and op.rank(values[0]) == 0:
        return join(op, values, 0)
    if op.option("interleave", bool, False):
        return interleave(op, values, axis)
    result: str = op.node("Concat", *values, axis=axis)
    return result


@OPERATIONS.lowering("stack")
def stack(op: Source) -> str:
    return join(op, op.operands("values"), op.option("axis", int))


@OPERATIONS.lowering("layer:reshape")
def reshape_from_first(op: Source) -> str:
    return str(op.node("Reshape", op.operand("x"), op.vector("shape")))


@OPERATIONS.lowering("reshape")
def reshape(op: Source) -> str:
    x, shape = op.operand("x"), op.vector("shape")
    given, wanted = len(op.shape_of("x")), op.shape_of("shape")[0]
    if wanted is None:
        raise Unlowered("a shape of unknown rank")
    if given != wanted and (not op.is_constant("shape") or 0 in op.integers("shape")):
        # ONNX counts the places of a 0 from the first dimension, Core ML from the last.
        ones = [op.ints(*[1] * (wanted - given))] if wanted > given else []
        kept = op.node("Shape", x, start=max(0, given - wanted))
        old = op.node("Concat", *ones, kept, axis=0)
        shape = op.node("Where", op.node("Equal", shape, op.ints(0)), old, shape)
    result: str = op.node("Reshape", x, shape)
    return result


@OPERATIONS.lowering("transpose")
def transpose(op: Source) -> str:
    order = op.integers("perm")
    if len(op.shape_of("x")) != len(order):
        raise Unlowered("an order of another number of axes")
    result: str = op.node("Transpose", op.operand("x"), perm=[i % len(order) for i in order])
    return result


@OPERATIONS.lowering("expand_dims")
def expand_dims(op: Source) -> str:
    result: str = op.node("Unsqueeze", op.operand("x"), op.indices("axes"))
    return result


@OPERATIONS.lowering("squeeze")
def squeeze(op: Source) -> str:
    x = op.operand("x")
    if not op.has("axes"):
        return str(op.node("Squeeze", x))
    axes = [axis_of(op, x, axis) for axis in op.integers("axes")]
    if len(set(axes)) < len(axes):
        raise Unlowered("an axis named twice")
    return str(op.node("Squeeze", x, op.ints(*axes)))


@OPERATIONS.lowering("layer:at_least_one_axis")
def at_least_one_axis(op: Source) -> str:
    x = op.operand("x")
    return x if op.shape_of("x") else str(op.node("Reshape", x, op.ints(1)))


@OPERATIONS.lowering("flatten2d")
def flatten2d(op: Source) -> str:
    result: str = op.node("Flatten", op.operand("x"), axis=op.option("axis", int, 1))
    return result


@OPERATIONS.lowering("split")
def split(op: Source) -> tuple[str, ...]:
    axis, count = op.option("axis", int), len(op.operation.outputs)
    x = op.operand("x")
    if op.has("split_sizes"):
        parts = op.node("Split", x, op.indices("split_sizes"), count=count, axis=axis)
    else:
        size = op.shape_of("x")[axis]
        if size is None or size % count or op.option("num_splits", int) != count:
            raise Unlowered("parts that may not be equal")
        parts = op.node("Split", x, count=count, axis=axis, num_outputs=count)
    return parts if isinstance(parts, tuple) else (parts,)


@OPERATIONS.lowering("tile")
def tile(op: Source) -> str:
    if op.is_constant("reps") and min(op.integers("reps"), default=0) < 0:
        raise Unlowered("less than no repetition")
    result: str = op.node("Tile", op.operand("x"), op.indices("reps"))
    return result


@OPERATIONS.lowering("layer:tile")
def tile_last(op: Source) -> str:
    if not op.is_constant("reps"):
        raise Unlowered("computed counts")
    counts, rank = op.integers("reps"), len(op.shape_of("x"))
    if not 1 <= len(counts) <= rank or min(counts) < 1:
        raise Unlowered(f"counts {list(counts)} for {rank} axes")
    whole = [1] * (rank - len(counts)) + list(counts)
    check_size([(size or 1) * n for size, n in zip(op.shape_of("x"), whole, strict=True)])
    return str(op.node("Tile", op.operand("x"), op.ints(*whole)))


@OPERATIONS.lowering("layer:broadcast_to")
def broadcast_to(op: Source) -> str:
    return str(op.node("Expand", op.operand("x"), bounded_shape(op, "shape")))


@OPERATIONS.lowering("reverse")
def reverse(op: Source) -> str:
    rank = len(op.shape_of("x"))
    return flip(op, op.operand("x"), op.integers("axes", range(rank)))


@OPERATIONS.lowering("pad")
def pad(op: Source) -> str:
    mode = op.option("mode", str, "constant")
    if mode not in _MODES:
        raise Unlowered(f"mode '{mode}'")
    if mode == "constant" and not op.element("x").is_float:
        raise Unlowered("integers")
    value = op.operand("constant_val") if op.has("constant_val") else op.scalar(0.0)
    x, given = op.operand("x"), value if mode == "constant" else ""
    if mode != "constant" and not op.is_constant("pad"):
        raise Unlowered(f"computed amounts of mode '{mode}'")
    if op.is_constant("pad"):
        amounts = op.integers("pad")
        if mode != "constant" and any(amounts[:-4]):
            raise Unlowered(f"mode '{mode}' on more than two axes")
        if mode == "reflect":
            sizes = last_sizes(op, x, len(amounts) // 2)
            pairs = zip(amounts[::2], amounts[1::2], strict=True)
            if any(max(pair) >= n for pair, n in zip(pairs, sizes, strict=True)):
                raise Unlowered("a reflection wider than its input")
        axes = op.ints(*range(-len(amounts) // 2, 0))
        ordered = op.ints(*amounts[::2], *amounts[1::2])
        result: str = op.node("Pad", x, ordered, given, axes, mode=_MODES[mode])
        return result
    # Computed amounts are those of every axis.
    pairs = op.node("Reshape", op.indices("pad"), op.ints(-1, 2))
    ordered = op.node("Reshape", op.node("Transpose", pairs, perm=[1, 0]), op.ints(-1))
    result = op.node("Pad", x, ordered, given)
    return result


@OPERATIONS.lowering("layer:pad")
def layer_pad(op: Source) -> str:
    x, amounts = op.operand("x"), op.integers("amounts")
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    sizes = last_sizes(op, x, len(op.shape(x)))
    if op.option("to_sizes", bool, False):
        if any(map(all, pairs)):
            raise Unlowered("two sizes of one dimension")
        pairs = [
            (max(0, before - n) if before else 0, max(0, after - n) if after else 0)
            for (before, after), n in zip(pairs, sizes, strict=True)
        ]
    check_size([n + sum(pair) for n, pair in zip(sizes, pairs, strict=True)])
    value = op.scalar(op.option("value", float))
    result: str = op.node("Pad", x, op.ints(*flat(pairs)), value)
    return result


@OPERATIONS.lowering("layer:of_shape")
def layer_of_shape(op: Source) -> str:
    if op.shape_of("x") != op.integers("shape"):
        raise Unlowered(f"{op.option('name', str)} of another shape")
    return op.operand("x")


@OPERATIONS.lowering("reshape_like")
def reshape_like(op: Source) -> str:
    bounds = zip(*(_constants(op, name) for name in ("begins", "ends", "end_masks")), strict=True)
    sizes = [
        op.node("Shape", reference, start=int(begin), **({} if mask else {"end": int(end)}))
        for reference, (begin, end, mask) in zip(op.operands("ref_tensors"), bounds, strict=True)
    ]
    result: str = op.node(
        "Reshape", op.operand("x"), op.node("Concat", *sizes, axis=0), allowzero=1
    )
    return result


@OPERATIONS.lowering("reverse_sequence")
def reverse_sequence(op: Source) -> str:
    rank = len(op.shape_of("x"))
    along, batch = op.option("seq_axis", int, 0) % rank, op.option("batch_axis", int, 0) % rank
    if along == batch:
        raise Unlowered("one axis for sequence and batch")
    front = [batch, along, *(axis for axis in range(rank) if axis not in {batch, along})]
    moved = op.node("Transpose", op.operand("x"), perm=front)
    turned = op.node("ReverseSequence", moved, op.vector("lengths"), batch_axis=0, time_axis=1)
    result: str = op.node("Transpose", turned, perm=[front.index(axis) for axis in range(rank)])
    return result


@OPERATIONS.lowering("sliding_windows")
def sliding_windows(op: Source) -> str:
    axis, size, step = op.option("axis", int), op.option("size", int), op.option("stride", int, 1)
    length = op.shape_of("x")[axis]
    if length is None or size > length:
        raise Unlowered("an axis of unknown size, or smaller than its windows")
    check_positions(max(0, length - size + 1), size)
    starts = np.arange(0, length - size + 1, step, dtype=np.int64)
    check_size((len(starts), size))
    windows = op.builder.array(starts[:, None] + np.arange(size))
    result: str = op.node("Gather", op.operand("x"), windows, axis=axis)
    return result


def _constants(op: Source, name: str) -> list[int]:
    """A variadic argument of scalar constants."""
    bound = op.operation.arguments[name]
    read = [int(value.read().item()) for value in bound if not isinstance(value, str)]
    if len(read) < len(bound):
        raise Unlowered(f"a computed '{name}'")
    return read
