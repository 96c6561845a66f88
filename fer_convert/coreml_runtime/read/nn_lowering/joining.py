"""Arrays made of others, whole: joined, split, repeated, broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.graph import Rank, Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes

RECIPES = Recipes()


@RECIPES.operation("concat")
def concat(layer: Layer) -> Value:
    """Inputs ``[..., C_i, H, W]`` joined along the channels (axis -3), or with ``sequenceConcat``
    along the sequence (axis -5)."""
    axis = -5 if layer.params.sequenceConcat else -3
    return layer.add("concat", values=layer.all_inputs, axis=axis)


@RECIPES.operation("concatND")
def concat_nd(layer: Layer) -> Value:
    """Inputs joined along ``axis``; ``interleave`` alternates their slices instead."""
    p = layer.params
    return layer.add("concat", values=layer.all_inputs, axis=int(p.axis), interleave=p.interleave)


@RECIPES.operation("stack")
def stack(layer: Layer) -> Value:
    """Inputs joined along a new ``axis``."""
    return layer.add("stack", values=layer.all_inputs, axis=int(layer.params.axis))


@RECIPES.operation("split")
def split(layer: Layer) -> Sequence[Value]:
    """``[..., C, H, W]`` in ``nOutputs`` equal parts of the channels."""
    layer.rank = IMAGE
    return layer.add_many(
        "split", ["fp32"] * layer.count, x=layer.x, num_splits=int(layer.params.nOutputs), axis=-3
    )


@RECIPES.operation("splitND")
def split_nd(layer: Layer) -> Sequence[Value]:
    """``x`` in ``numSplits`` equal parts along ``axis``, or in parts of ``splitSizes``."""
    p = layer.params
    sizes = tuple(int(size) for size in p.splitSizes)
    return layer.add_many(
        "split",
        ["fp32"] * layer.count,
        x=layer.x,
        num_splits=None if sizes else int(p.numSplits),
        split_sizes=sizes or None,
        axis=int(p.axis),
    )


@RECIPES.operation("tile")
def tile(layer: Layer) -> Value:
    """``x`` repeated ``reps`` times along its last axes; the counts may be a second input."""
    x, *given = layer.inputs_between(1, 2)
    fixed = tuple(int(count) for count in layer.params.reps)
    return layer.add("layer:tile", x=x, reps=layer.cast(given[0], "int32") if given else fixed)


@RECIPES.operation("sequenceRepeat")
def sequence_repeat(layer: Layer) -> Value:
    """``x`` repeated ``nRepetitions`` (1) times along the sequence, axis -5."""
    layer.rank = Rank(least=5, otherwise="an input {shape} without a sequence, axis -5")
    count = int(layer.params.nRepetitions) or 1
    return layer.add("layer:tile", x=layer.x, reps=(count, 1, 1, 1, 1))


@RECIPES.operation("broadcastToStatic")
def broadcast_to_static(layer: Layer) -> Value:
    """``x`` broadcast to ``targetShape``, together with its own shape."""
    shape = tuple(int(size) for size in layer.params.targetShape)
    return layer.add("layer:broadcast_to", x=layer.x, shape=shape)


@RECIPES.operation("broadcastToLike")
def broadcast_to_like(layer: Layer) -> Value:
    """The first input broadcast to the shape of the second."""
    x, other = layer.inputs_between(2, 2)
    shape = layer.add("shape", element="int32", x=other)
    return layer.add("layer:broadcast_to", x=x, shape=shape)


@RECIPES.operation("broadcastToDynamic")
def broadcast_to_dynamic(layer: Layer) -> Value:
    """The first input broadcast to the shape that the second holds."""
    x, shape = layer.inputs_between(2, 2)
    return layer.add("layer:broadcast_to", x=x, shape=layer.cast(shape, "int32"))
