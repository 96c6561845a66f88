"""Layers that add or remove edges."""

from __future__ import annotations

from typing import Any

from fer_convert.coreml_runtime.graph import Rank, Value
from fer_convert.coreml_runtime.read.nn_lowering.layer import IMAGE, Layer, Recipes
from fer_convert.coreml_runtime.read.nn_lowering.window_fields import border_amounts

RECIPES = Recipes()


@RECIPES.operation("padding")
def padding(layer: Layer) -> Value:
    """``input [*, H, W]`` with rows and columns added around it.

    Fields: paddingAmounts (height, width; start and end), and what is added: constant (value) |
    reflection (without the edge itself) | replication (of the edge).
    """
    params = layer.params
    kind = params.WhichOneof("PaddingType")
    if kind is None:
        raise layer.refuse("its padding type is not set")
    # coremltools writes it for two dimensions, too, and tests that on Apple's systems.
    layer.rank = Rank(least=2)
    amounts = _edges(layer, params.paddingAmounts)
    if kind == "constant":
        return layer.add("pad", x=layer.x, pad=amounts, constant_val=params.constant.value)
    mode = "reflect" if kind == "reflection" else "replicate"
    return layer.add("pad", x=layer.x, pad=amounts, mode=mode)


@RECIPES.operation("constantPad")
def constant_pad(layer: Layer) -> Value:
    """The input with ``value`` added at both ends of every dimension.

    Inputs: x, and optionally the amounts ``[2 * rank]``, which padAmounts holds otherwise: before
    and after each dimension, first dimension first. With padToGivenOutputSizeMode an amount is the
    size to reach on that side; the other of the pair is then 0.
    """
    params = layer.params
    x, *given = layer.inputs_between(1, 2)
    stored = [int(amount) for amount in params.padAmounts]
    return layer.add(
        "layer:pad",
        x=x,
        amounts=layer.cast(given[0], "int32") if given else stored,
        value=params.value,
        to_sizes=params.padToGivenOutputSizeMode,
    )


@RECIPES.operation("crop")
def crop(layer: Layer) -> Value:
    """``input [*, H, W]`` without cropAmounts rows and columns at its edges.

    With a second input the result has that one's height and width, and starts at ``offset``.
    """
    params = layer.params
    x, *like = layer.inputs_between(1, 2)
    layer.rank = IMAGE
    if like:
        offset = [int(v) for v in params.offset] or [0, 0]
        if len(offset) != 2:
            raise layer.refuse(f"offset {offset} is not a row and a column")
        return layer.add("layer:crop_like", x=x, like=like[0], offset=offset)
    amounts = _edges(layer, params.cropAmounts)
    return layer.add("crop", x=x, crop_height=amounts[:2], crop_width=amounts[2:])


def _edges(layer: Layer, message: Any) -> list[int]:
    """Before and after height and width."""
    amounts = border_amounts(message)
    if len(amounts) not in {0, 4}:
        raise layer.refuse(f"{len(amounts) // 2} border amounts are not a height's and a width's")
    return amounts or [0, 0, 0, 0]
