"""Replace the operations of a trace that coremltools or the ONNX exporter refuse.

torchvision's ViT, MaxViT and Swin V2 and some of timm's networks each stumble over one operation of
their traces. What stands in its place here computes the same from operations that every converter
knows; that it does is measured in each build, where the rewritten trace is compared with the
network as it was given. docs/torchvision-models.md says why ``torch.export`` is not used instead.

    _native_multi_head_attention   the fused attention of nn.MultiheadAttention in evaluation mode
    swapaxes, clip and others      other names of operations that have a usual one
    zero_                          of a slice, in place: Swin V2 has no bias for its keys
    addcmul, addcdiv               a scaled product or quotient added: timm's ConvNeXt V2, ResMLP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from fer_convert.source.graph import copied, nodes

ATTENTION, ZERO = "aten::_native_multi_head_attention", "aten::zero_"
ADD_PRODUCT, ADD_QUOTIENT = "aten::addcmul", "aten::addcdiv"

#: Other names of usual operations, which torch undoes in what it reads from a file.
_ALIASES = frozenset(
    f"aten::{name}"
    for name in (
        *("swapaxes", "swapdims", "moveaxis", "clip", "absolute", "negative", "concat"),
        *("concatenate", "multiply", "divide", "true_divide", "subtract", "greater", "less"),
        *("greater_equal", "less_equal", "not_equal", "special_expit", "special_softmax"),
    )
)


def rewritten(traced: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Return a trace without these operations: itself, if it has none of them.

    The given trace keeps its graph. An operation that is used in another way than those networks
    do stays as it is; the converter's error then names it.
    """
    present = {node.kind() for node in nodes(traced.inlined_graph)}
    if present.isdisjoint({*_REWRITES, *_ALIASES}):
        return traced
    copy = copied(traced)  # which also undoes the aliases
    for graph in _graphs(copy):
        for node in list(nodes(graph)):
            if node.kind() in _REWRITES:
                _REWRITES[node.kind()](graph, node)
        torch._C._jit_pass_dce(graph)  # nothing reads what was replaced
    return copy


def explicit_attention(
    x: Tensor,
    heads: int,
    in_weight: Tensor,
    in_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
) -> Tensor:
    """Return self-attention of ``x`` ``[N, L, E]`` as nn.MultiheadAttention computes it.

    Args:
        heads: H; each has E / H channels.
        in_weight, in_bias: ``[3 E, E]`` and ``[3 E]``, queries, keys and values one below another.
        out_weight, out_bias: ``[E, E]`` and ``[E]``.
    """
    batch, length, width = x.size(0), x.size(1), x.size(2)
    head_width = width // heads
    joint = torch.nn.functional.linear(x, in_weight, in_bias)
    split = joint.reshape(batch, length, 3 * heads, head_width).transpose(1, 2)
    query, key, value = split.chunk(3, dim=1)
    scores = torch.matmul(query, key.transpose(2, 3)) / head_width**0.5
    attended = torch.matmul(torch.softmax(scores, dim=3), value)
    merged = attended.transpose(1, 2).reshape(batch, length, width)
    return torch.nn.functional.linear(merged, out_weight, out_bias)


def zeroed_slice(x: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """Return ``x`` with zeros at ``start:stop`` of one axis; 0 <= start <= stop."""
    size = x.size(axis)
    middle = x.narrow(axis, start, stop - start)
    after = x.narrow(axis, stop, size - stop)
    return torch.cat([x.narrow(axis, 0, start), torch.zeros_like(middle), after], dim=axis)


def product_added(x: Tensor, first: Tensor, second: Tensor, factor: float) -> Tensor:
    """Return ``x + factor * first * second``, as ``torch.addcmul`` does."""
    return x + factor * first * second


def quotient_added(x: Tensor, first: Tensor, second: Tensor, factor: float) -> Tensor:
    """Return ``x + factor * first / second``, as ``torch.addcdiv`` does."""
    return x + factor * first / second


def _rewrite_sum(graph: torch.Graph, node: torch.Node, function: Callable[..., Tensor]) -> None:
    *tensors, scalar = node.inputs()
    factor: Any = scalar.toIValue()
    if not isinstance(factor, int | float):
        return
    graph.setInsertPoint(node)
    inputs = [*tensors, graph.insertConstant(float(factor))]  # type: ignore[attr-defined]
    node.output().replaceAllUsesWith(_insert(graph, node, function, inputs))
    node.destroy()


def _rewrite_attention(graph: torch.Graph, node: torch.Node) -> None:
    query, key, value, _, heads, in_weight, in_bias, out_weight, out_bias, *rest = node.inputs()
    mask, need_weights = rest[0], rest[1]
    attends_to_itself = query.debugName() == key.debugName() == value.debugName()
    attended, weights = node.outputs()
    if not attends_to_itself or not _is_none(mask) or need_weights.toIValue() or weights.uses():
        return
    inputs = [query, heads, in_weight, in_bias, out_weight, out_bias]
    attended.replaceAllUsesWith(_insert(graph, node, explicit_attention, inputs))
    node.destroy()


def _rewrite_zero(graph: torch.Graph, node: torch.Node) -> None:
    (part,) = node.inputs()
    if part.node().kind() != "aten::slice" or len(part.uses()) > 1 or node.output().uses():
        return
    whole, axis, start, stop, step = part.node().inputs()
    stride: Any = step.toIValue()
    # A clone has no other name under which a zero could be seen.
    if whole.node().kind() != "aten::clone" or stride != 1:
        return
    zeroed = _insert(graph, node, zeroed_slice, [whole, axis, start, stop])
    whole.replaceAllUsesAfterNodeWith(node, zeroed)
    node.destroy()


_REWRITES: Mapping[str, Callable[[torch.Graph, torch.Node], None]] = {
    ATTENTION: _rewrite_attention,
    ZERO: _rewrite_zero,
    ADD_PRODUCT: partial(_rewrite_sum, function=product_added),
    ADD_QUOTIENT: partial(_rewrite_sum, function=quotient_added),
}


def _insert(
    graph: torch.Graph,
    node: torch.Node,
    function: Callable[..., Tensor],
    inputs: list[torch.Value],
) -> torch.Value:
    """Insert the body of ``function`` before ``node``; return its result."""
    graph.setInsertPoint(node)
    (result,) = graph.insertGraph(_body(function), inputs)
    return result


@cache
def _body(function: Callable[..., Tensor]) -> torch.Graph:
    body: torch.Graph = torch.jit.script(function).graph
    return body


def _is_none(value: torch.Value) -> bool:
    return value.node().kind() == "prim::Constant" and value.toIValue() is None


def _graphs(module: torch.jit.ScriptModule) -> Iterator[torch.Graph]:
    for part in module.modules():
        script: Any = part._c
        for name in script._method_names():
            yield script._get_method(name).graph
