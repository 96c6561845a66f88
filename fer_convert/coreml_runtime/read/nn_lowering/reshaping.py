"""The same values in another shape or order of axes."""

from __future__ import annotations

from fer_convert.coreml_runtime.graph import Rank, Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import Layer, Recipes

RECIPES = Recipes()

_CHANNEL_LAST = 1


@RECIPES.operation("reshapeStatic")
def reshape_static(layer: Layer) -> Value:
    """The input in ``targetShape``, one -1 of which is inferred."""
    shape = tuple(layer.params.targetShape)
    if 0 in shape:
        raise layer.refuse(f"a size of 0 in its target shape {list(shape)}")
    return layer.add("reshape", x=layer.x, shape=shape)


@RECIPES.operation("reshapeDynamic")
def reshape_dynamic(layer: Layer) -> Value:
    """The first input in the shape that the second holds; -1 is inferred, 0 keeps a size."""
    x, shape = layer.inputs_between(2, 2)
    return layer.add("layer:reshape", x=x, shape=layer.cast(shape, "int32"))


@RECIPES.operation("reshapeLike")
def reshape_like(layer: Layer) -> Value:
    """The first input in the shape of the second."""
    x, other = layer.inputs_between(2, 2)
    return layer.add("reshape_like", x=x, ref_tensors=[other], begins=0, ends=0, end_masks=True)


@RECIPES.operation("rankPreservingReshape")
def rank_preserving_reshape(layer: Layer) -> Value:
    """The input in ``targetShape`` of its own rank; -1 is inferred, 0 keeps a size."""
    return layer.add("layer:reshape", x=layer.x, shape=tuple(layer.params.targetShape))


@RECIPES.operation("reshape")
def reshape(layer: Layer) -> Value:
    """``[S, B, C, H, W]`` in ``targetShape``: C, H and W, or S, C, H and W.

    CHANNEL_LAST reads and writes the values of an image in the order H, W, C. An input of another
    rank keeps what is before C, H and W.
    """
    shape = tuple(int(size) for size in layer.params.targetShape)
    if len(shape) not in {3, 4}:
        raise layer.refuse(f"a target shape of {len(shape)} sizes; 3 or 4 can be")
    *sequence, c, h, w = shape
    last = layer.params.mode == _CHANNEL_LAST
    image = (h, w, c) if last else (c, h, w)
    if sequence:
        # The sequence joins the image where it changes, and the batch leads.
        layer.rank = Rank(least=5, most=5, otherwise="a new sequence for an input {shape}")
        order = (1, 0, 3, 4, 2) if last else (1, 0, 2, 3, 4)
        back = (1, 0, 4, 2, 3) if last else (1, 0, 2, 3, 4)
        x = layer.add("transpose", x=layer.x, perm=order)
        x = layer.add("reshape", x=x, shape=(0, *sequence, *image))
        return layer.add("transpose", x=x, perm=back)
    if not last:
        return layer.add("reshape", x=layer.x, shape=(0, *image), trailing=3)
    x = layer.add("transpose", x=layer.x, perm=(0, 2, 3, 1), trailing=3)
    x = layer.add("reshape", x=x, shape=(0, *image), trailing=3)
    return layer.add("transpose", x=x, perm=(0, 3, 1, 2), trailing=3)


@RECIPES.operation("flatten")
def flatten(layer: Layer) -> Value:
    """``[..., C, H, W]`` as ``[..., C * H * W, 1, 1]``; CHANNEL_LAST in the order H, W, C."""
    x = layer.x
    if layer.params.mode == _CHANNEL_LAST:
        x = layer.add("transpose", x=x, perm=(0, 2, 3, 1), trailing=3)
    return layer.add("reshape", x=x, shape=(0, -1, 1, 1), trailing=3)


@RECIPES.operation("flattenTo2D")
def flatten_to_2d(layer: Layer) -> Value:
    """All axes before ``axis`` as the first, all from it on as the second."""
    return layer.add("flatten2d", x=layer.x, axis=int(layer.params.axis))


@RECIPES.operation("permute")
def permute(layer: Layer) -> Value:
    """The axes (sequence, channel, height, width) of ``[S, B, C, H, W]`` in the order ``axis``, the
    batch staying second. Without ``axis`` nothing moves."""
    axes = tuple(int(axis) for axis in layer.params.axis) or (0, 1, 2, 3)
    if sorted(axes) != [0, 1, 2, 3]:
        raise layer.refuse(f"an order {list(axes)} of four axes")
    layer.rank = Rank(least=5, most=5, otherwise="an input {shape} where [S, B, C, H, W] is needed")
    first, *rest = (axis if axis == 0 else axis + 1 for axis in axes)
    return layer.add("transpose", x=layer.x, perm=(first, 1, *rest))


@RECIPES.operation("transpose")
def transpose(layer: Layer) -> Value:
    """The axes in the order ``axes``."""
    return layer.add("transpose", x=layer.x, perm=tuple(int(a) for a in layer.params.axes))


@RECIPES.operation("squeeze")
def squeeze(layer: Layer) -> Value:
    """``axes`` of size 1 removed; ``squeezeAll`` removes every one. At least one axis stays."""
    axes = tuple(int(axis) for axis in layer.params.axes)
    if not axes and not layer.params.squeezeAll:
        return layer.x
    x = layer.add("squeeze", x=layer.x, axes=None if layer.params.squeezeAll else axes)
    return layer.add("layer:at_least_one_axis", x=x)


@RECIPES.operation("expandDims")
def expand_dims(layer: Layer) -> Value:
    """New axes of size 1 at ``axes`` of the result."""
    axes = tuple(int(axis) for axis in layer.params.axes)
    return layer.add("expand_dims", x=layer.x, axes=axes) if axes else layer.x
