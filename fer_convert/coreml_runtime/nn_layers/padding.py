"""Layers that add or remove edges."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from fer_convert.coreml_runtime.nn_layers.table import LAYERS
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import Call, View
from fer_convert.coreml_runtime.reference.windows import Pads, pad


@LAYERS.operation("padding")
def padding(op: View) -> Call:
    """``input [*, H, W]`` with rows and columns added around it.

    Fields: paddingAmounts (height, width; start and end), and what is added: constant (value) |
    reflection (without the edge itself) | replication (of the edge).
    """
    params = op.params
    kind = params.WhichOneof("PaddingType")
    amounts = _edges(op, params.paddingAmounts)
    if kind == "constant":
        value = params.constant.value
        return op.call(lambda x: pad(x, amounts, value), "input")
    if kind is None:
        raise op.refuse("its padding type is not set")
    mode = "reflect" if kind == "reflection" else "replicate"
    sides = [amount for pair in reversed(amounts) for amount in pair]
    # torch pads two dimensions of a rank 4 tensor; all before them are alike.
    kernel = over_batches(lambda x: F.pad(x[None], sides, mode)[0], 2)
    return op.call(kernel, "input", exact=True)


@LAYERS.operation("constantPad")
def constant_pad(op: View) -> Call:
    """The input with ``value`` added at both ends of every dimension.

    Inputs: x, and optionally the amounts ``[2 * rank]``, which padAmounts holds otherwise: before
    and after each dimension, first dimension first. With padToGivenOutputSizeMode an amount is the
    size to reach on that side; the other of the pair is then 0.
    """
    params = op.params
    stored = [int(amount) for amount in params.padAmounts]

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        amounts = stored if given is None else given.reshape(-1).long().tolist()
        if len(amounts) != 2 * x.dim() or min(amounts, default=0) < 0:
            raise ValueError(f"the amounts {amounts} do not fit an input {list(x.shape)}")
        pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
        if params.padToGivenOutputSizeMode:
            if any(before and after for before, after in pairs):
                raise ValueError(f"the sizes {amounts} name both ends of a dimension")
            pairs = [
                (max(0, before - size) if before else 0, max(0, after - size) if after else 0)
                for (before, after), size in zip(pairs, x.shape, strict=True)
            ]
        return pad(x, pairs, params.value)

    return op.call(kernel, "input")


@LAYERS.operation("crop")
def crop(op: View) -> Call:
    """``input [*, H, W]`` without cropAmounts rows and columns at its edges.

    With a second input the result has that one's height and width, and starts at ``offset``.
    """
    params = op.params
    if len(op.operation.arguments["input"]) > 1:
        top, left = [int(v) for v in params.offset] or [0, 0]

        def to_reference(x: Tensor, reference: Tensor) -> Tensor:
            height, width = reference.shape[-2:]
            if top + height > x.shape[-2] or left + width > x.shape[-1]:
                raise ValueError(f"{[height, width]} from {[top, left]} is beyond {list(x.shape)}")
            return x[..., top : top + height, left : left + width]

        return op.call(to_reference, "input", exact=True)
    amounts = [(-before, -after) for before, after in _edges(op, params.cropAmounts)]
    return op.call(lambda x: pad(x, amounts), "input", exact=True)


def _edges(op: View, amounts: object) -> Pads:
    edges = [
        (int(edge.startEdgeSize), int(edge.endEdgeSize))
        for edge in amounts.borderAmounts  # type: ignore[attr-defined]
    ]
    if len(edges) not in {0, 2}:
        raise op.refuse(f"{len(edges)} border amounts are not a height's and a width's")
    return edges or [(0, 0), (0, 0)]
