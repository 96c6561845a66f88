"""ML Program: values moved, chosen, repeated, resized."""

from __future__ import annotations

import numpy as np

from fer_convert.coreml_runtime.fast.builder import Unlowered
from fer_convert.coreml_runtime.fast.lowering import Source
from fer_convert.coreml_runtime.fast.moving import (
    broadcast_fill,
    flip,
    interleave,
    join,
    scatter_elements,
    scatter_vectors,
    strided,
)
from fer_convert.coreml_runtime.fast.tables import MIL

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
_FARTHEST = np.iinfo(np.int64).max


@MIL.lowering("concat")
def concat(op: Source) -> str:
    axis, values = op.option("axis", int), op.operands("values")
    if op.option("interleave", bool, False):
        return interleave(op, values, axis)
    result: str = op.node("Concat", *values, axis=axis)
    return result


@MIL.lowering("stack")
def stack(op: Source) -> str:
    return join(op, op.operands("values"), op.option("axis", int))


@MIL.lowering("reshape")
def reshape(op: Source) -> str:
    x, shape = op.operand("x"), op.indices("shape")
    given, wanted = len(op.shape_of("x")), op.shape_of("shape")[0]
    if wanted is None:
        raise Unlowered("a shape of unknown rank")
    if given != wanted:
        # ONNX counts the places of a 0 from the first dimension, Core ML from the last.
        ones = [op.ints(*[1] * (wanted - given))] if wanted > given else []
        kept = op.node("Shape", x, start=max(0, given - wanted))
        old = op.node("Concat", *ones, kept, axis=0)
        shape = op.node("Where", op.node("Equal", shape, op.ints(0)), old, shape)
    result: str = op.node("Reshape", x, shape)
    return result


@MIL.lowering("transpose")
def transpose(op: Source) -> str:
    order = op.integers("perm")
    result: str = op.node("Transpose", op.operand("x"), perm=[i % len(order) for i in order])
    return result


@MIL.lowering("expand_dims")
def expand_dims(op: Source) -> str:
    result: str = op.node("Unsqueeze", op.operand("x"), op.indices("axes"))
    return result


@MIL.lowering("squeeze")
def squeeze(op: Source) -> str:
    result: str = op.node(
        "Squeeze", op.operand("x"), *([op.indices("axes")] if op.has("axes") else [])
    )
    return result


@MIL.lowering("flatten2d")
def flatten2d(op: Source) -> str:
    result: str = op.node("Flatten", op.operand("x"), axis=op.option("axis", int, 1))
    return result


@MIL.lowering("slice_by_index")
def slice_by_index(op: Source) -> str:
    rank = len(op.shape_of("x"))
    masks = {
        name: [bool(m) for m in op.integers(name, (0,) * rank)]
        for name in ("begin_mask", "end_mask", "squeeze_mask")
    }
    strides = op.integers("stride", (1,) * rank)
    if op.is_constant("begin") and op.is_constant("end"):
        begin, end = op.integers("begin"), op.integers("end")
        return strided(op, op.operand("x"), begin, end, strides, *masks.values())
    if any(masks["squeeze_mask"]) or any(stride < 1 for stride in strides):
        return _computed_element(op, masks, strides)
    starts = _masked(op, op.indices("begin"), masks["begin_mask"], 0)
    ends = _masked(op, op.indices("end"), masks["end_mask"], _FARTHEST)
    axes = op.ints(*range(rank))
    result: str = op.node("Slice", op.operand("x"), starts, ends, axes, op.ints(*strides))
    return result


def _computed_element(op: Source, masks: dict[str, list[bool]], strides: tuple[int, ...]) -> str:
    if any(stride < 1 for stride in strides):
        raise Unlowered("a computed range with a negative stride")
    squeezed = masks["squeeze_mask"]
    begin = op.indices("begin")
    after = op.node("Add", begin, op.ints(1))
    # One after the last element, -1, would be the first.
    after = op.node("Where", op.node("Equal", after, op.ints(0)), op.ints(_FARTHEST), after)
    chosen = op.builder.array(np.array(squeezed))
    ends = op.node(
        "Where", chosen, after, _masked(op, op.indices("end"), masks["end_mask"], _FARTHEST)
    )
    opened = [
        mask and not single for mask, single in zip(masks["begin_mask"], squeezed, strict=True)
    ]
    starts = _masked(op, begin, opened, 0)
    axes = op.ints(*range(len(strides)))
    part = op.node("Slice", op.operand("x"), starts, ends, axes, op.ints(*strides))
    result: str = op.node("Squeeze", part, op.ints(*np.flatnonzero(squeezed).tolist()))
    return result


@MIL.lowering("slice_by_size")
def slice_by_size(op: Source) -> str:
    if not op.is_constant("size"):
        raise Unlowered("a computed 'size'")
    sizes = op.integers("size")
    begin = op.indices("begin")
    if op.is_constant("begin") and min(op.integers("begin")) < 0:
        raise Unlowered("a negative 'begin'")
    ends = op.node("Add", begin, op.ints(*sizes))
    ends = _masked(op, ends, [size == -1 for size in sizes], _FARTHEST)
    result: str = op.node("Slice", op.operand("x"), begin, ends, op.ints(*range(len(sizes))))
    return result


@MIL.lowering("split")
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


@MIL.lowering("tile")
def tile(op: Source) -> str:
    result: str = op.node("Tile", op.operand("x"), op.indices("reps"))
    return result


@MIL.lowering("reverse")
def reverse(op: Source) -> str:
    rank = len(op.shape_of("x"))
    return flip(op, op.operand("x"), op.integers("axes", range(rank)))


@MIL.lowering("pad")
def pad(op: Source) -> str:
    mode, amounts = op.option("mode", str, "constant"), op.integers("pad")
    if mode not in _MODES:
        raise Unlowered(f"mode '{mode}'")
    axes = range(-len(amounts) // 2, 0)
    value = op.operand("constant_val") if op.has("constant_val") else op.scalar(0.0)
    if mode == "constant" and not op.element("x").is_float:
        raise Unlowered("integers")
    result: str = op.node(
        "Pad",
        op.operand("x"),
        op.ints(*amounts[::2], *amounts[1::2]),
        value if mode == "constant" else "",
        op.ints(*axes),
        mode=_MODES[mode],
    )
    return result


@MIL.lowering("gather")
def gather(op: Source) -> str:
    if op.option("batch_dims", int, 0):
        raise Unlowered("batch_dims")
    axis = op.option("axis", int, 0)
    result: str = op.node("Gather", op.operand("x"), op.indices("indices"), axis=axis)
    return result


@MIL.lowering("gather_along_axis")
def gather_along_axis(op: Source) -> str:
    axis = op.option("axis", int, 0)
    result: str = op.node("GatherElements", op.operand("x"), op.indices("indices"), axis=axis)
    return result


@MIL.lowering("gather_nd")
def gather_nd(op: Source) -> str:
    batch = op.option("batch_dims", int, 0)
    result: str = op.node("GatherND", op.operand("x"), op.indices("indices"), batch_dims=batch)
    return result


@MIL.lowering("scatter")
def scatter(op: Source) -> str:
    if len(op.shape_of("indices")) != 1:
        raise Unlowered("indices that are not a vector")
    rank = len(op.shape_of("data"))
    axis = op.option("axis", int, 0) % rank
    vectors = op.node("Unsqueeze", op.indices("indices"), op.ints(-1))
    front = [axis, *(i for i in range(rank) if i != axis)]
    data, updates = (
        op.node("Transpose", op.operand(name), perm=front) for name in ("data", "updates")
    )
    changed = scatter_vectors(op, data, vectors, updates, op.option("mode", str, "add"))
    back = [front.index(i) for i in range(rank)]
    result: str = op.node("Transpose", changed, perm=back)
    return result


@MIL.lowering("scatter_nd")
def scatter_nd(op: Source) -> str:
    data, updates = op.operand("data"), op.operand("updates")
    mode = op.option("mode", str, "add")
    return scatter_vectors(op, data, op.indices("indices"), updates, mode)


@MIL.lowering("scatter_along_axis")
def scatter_along_axis(op: Source) -> str:
    data, updates = op.operand("data"), op.operand("updates")
    mode, axis = op.option("mode", str, "add"), op.option("axis", int, 0)
    return scatter_elements(op, data, op.indices("indices"), updates, mode, axis)


@MIL.lowering("shape")
def shape(op: Source) -> str:
    return op.cast(op.node("Shape", op.operand("x")), np.int32)


@MIL.lowering("fill")
def fill(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, op.indices("shape"))


@MIL.lowering("fill_like")
def fill_like(op: Source) -> str:
    value = op.operand("value") if op.has("value") else op.scalar(0.0)
    return broadcast_fill(op, value, op.node("Shape", op.operand("ref_tensor")))


@MIL.lowering("range_1d")
def range_1d(op: Source) -> str:
    result: str = op.node("Range", op.operand("start"), op.operand("end"), op.operand("step"))
    return result


@MIL.lowering("non_zero")
def non_zero(op: Source) -> str:
    found = op.node("NonZero", op.operand("x"))
    return op.cast(op.node("Transpose", found, perm=[1, 0]), np.int32)


@MIL.lowering("band_part")
def band_part(op: Source) -> str:
    x: str = op.operand("x")
    lower, upper = op.option("lower", int, -1), op.option("upper", int, -1)
    if lower >= 0:
        x = op.node("Trilu", x, op.builder.array(np.array(-lower, np.int64)), upper=1)
    if upper >= 0:
        x = op.node("Trilu", x, op.builder.array(np.array(upper, np.int64)), upper=0)
    return x


@MIL.lowering("pixel_shuffle")
def pixel_shuffle(op: Source) -> str:
    factor = op.option("upscale_factor", int)
    result: str = op.node("DepthToSpace", op.operand("x"), blocksize=factor, mode="CRD")
    return result


@MIL.lowering("upsample_nearest_neighbor")
def upsample_nearest(op: Source) -> str:
    scales = [op.option(f"scale_factor_{side}", float, 1.0) for side in ("height", "width")]
    if any(scale != int(scale) for scale in scales):
        raise Unlowered("a scale that is no integer")
    rank = len(op.shape_of("x"))
    result: str = op.node(
        "Resize",
        op.operand("x"),
        "",
        op.builder.array(np.array([1.0] * (rank - 2) + scales, np.float32)),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return result


def _masked(op: Source, values: str, mask: list[bool], replacement: int) -> str:
    if not any(mask):
        return values
    result: str = op.node("Where", op.builder.array(np.array(mask)), op.ints(replacement), values)
    return result
