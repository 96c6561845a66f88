"""Adaptive pooling whose windows differ in size, as operations that every converter knows.

PyTorch lets a pooling say only how large its result is; where that does not divide the input's size
(VGG at 48 px pools 1 x 1 to 7 x 7), windows overlap or repeat and are not all of one size. The ONNX
exporter refuses those, and a result size that is computed. Sizes are fixed in a trace, so the
windows are constants: an average is a product with a matrix for each axis, a maximum is an ordinary
pooling of the rows and columns gathered window by window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fer_convert.source.graph import copied


def with_plain_pooling(traced: torch.jit.ScriptModule, example: Tensor) -> torch.jit.ScriptModule:
    """Return a trace without adaptive pooling of unequal windows: itself, if it has none.

    The given trace keeps its graph. Pooling inside branches and loops stays as it is, and so does a
    maximum whose positions are used; a converter's error then names it.

    Args:
        example: what the trace takes; the sizes are those that it has with this input.
    """
    graph = traced.inlined_graph  # a copy, and its nodes live as long as it does
    if all(node.kind() not in _REWRITES or _pools_all(node) for node in graph.nodes()):
        return traced
    copy = copied(traced)
    graph = copy.graph
    torch._C._jit_pass_inline(graph)
    poolings = [node for node in graph.nodes() if node.kind() in _REWRITES]
    sizes = _sizes(copy, poolings, example)
    unequal = [
        (node, given, wanted)
        for node, (given, wanted) in zip(poolings, sizes, strict=True)
        if not _converts(node, given, wanted)
    ]
    for node, given, wanted in unequal:
        _REWRITES[node.kind()](graph, node, given, wanted)
    torch._C._jit_pass_dce(graph)
    return copy if unequal else traced


def windows(given: int, wanted: int) -> list[range]:
    """Return the positions that each of ``wanted`` results is made from, of ``given`` positions."""
    return [
        range(index * given // wanted, -(-(index + 1) * given // wanted)) for index in range(wanted)
    ]


def _sizes(
    module: torch.jit.ScriptModule, poolings: list[torch.Node], example: Tensor
) -> list[tuple[list[int], list[int]]]:
    """Return the spatial sizes before and after each pooling, by running the graph up to them."""
    graph = module.graph.copy()
    copies = [node for node in graph.nodes() if node.kind() in _REWRITES]
    asked = [value for node in copies for value in (node.inputsAt(0), next(iter(node.outputs())))]
    everything = graph.insertNode(graph.create("prim::TupleConstruct", asked, 1)).output()
    everything.setType(torch._C.TupleType([value.type() for value in asked]))
    graph.eraseOutput(0)
    graph.registerOutput(everything)
    torch._C._jit_pass_dce(graph)
    with torch.no_grad():
        found = torch._C._create_function_from_graph("sizes", graph)(module, example)
    spatial = [
        list(tensor.shape[-_axes(node) :])
        for node, pair in zip(poolings, zip(found[::2], found[1::2], strict=True), strict=True)
        for tensor in pair
    ]
    return list(zip(spatial[::2], spatial[1::2], strict=True))


def _axes(node: torch.Node) -> int:
    return int(node.kind()[-2])  # aten::adaptive_avg_pool2d


def _pools_all(node: torch.Node) -> bool:
    """Tell whether all positions become one, which every converter takes whatever the size."""
    size: Any = node.inputsAt(1).node()
    if size.kind() == "prim::ListConstruct":
        return all(value.toIValue() == 1 for value in size.inputs())
    return size.kind() == "prim::Constant" and set(size.output().toIValue()) == {1}


def _converts(node: torch.Node, given: list[int], wanted: list[int]) -> bool:
    """Tell whether the converters take it: equal windows, and a size that is written down."""
    size = node.inputsAt(1).node()
    written = size.kind() == "prim::Constant" or all(
        value.node().kind() == "prim::Constant" for value in size.inputs()
    )
    return written and all(g % w == 0 for g, w in zip(given, wanted, strict=True))


def _rewrite_average(
    graph: torch.Graph, node: torch.Node, given: list[int], wanted: list[int]
) -> None:
    matrices = [_averaging(g, w) for g, w in zip(given, wanted, strict=True)]
    graph.setInsertPoint(node)
    value = node.inputsAt(0)
    if len(matrices) == 2:
        value = _operation(graph, "aten::matmul", _constant(graph, matrices[0]), value)
    columns = _constant(graph, matrices[-1].T.contiguous())
    node.output().replaceAllUsesWith(_operation(graph, "aten::matmul", value, columns))
    node.destroy()


def _averaging(given: int, wanted: int) -> Tensor:
    """Return ``[wanted, given]``: what each position counts for in each result."""
    matrix = torch.zeros(wanted, given)
    for row, window in zip(matrix, windows(given, wanted), strict=True):
        row[window.start : window.stop] = 1 / len(window)
    return matrix


def _rewrite_maximum(
    graph: torch.Graph, node: torch.Node, given: list[int], wanted: list[int]
) -> None:
    maximum, positions = node.outputs()
    if positions.uses():
        return
    graph.setInsertPoint(node)
    value = node.inputsAt(0)
    kernel = []
    for axis, (size, count) in enumerate(zip(given, wanted, strict=True), start=-len(given)):
        gathered, length = _gathering(size, count)
        which = _constant(graph, gathered)
        value = _operation(graph, "aten::index_select", value, _constant(graph, axis), which)
        kernel.append(length)
    step, none = _constant(graph, kernel), _constant(graph, [0] * len(kernel))
    dense, floor = _constant(graph, [1] * len(kernel)), _constant(graph, False)
    kind = f"aten::max_pool{len(kernel)}d"
    maximum.replaceAllUsesWith(_operation(graph, kind, value, step, step, none, dense, floor))
    node.destroy()


def _gathering(given: int, wanted: int) -> tuple[Tensor, int]:
    """Return the positions of all windows one after the other, and the length of each.

    A shorter window names its last position again, which changes no maximum.
    """
    spans = windows(given, wanted)
    length = max(map(len, spans))
    positions = [min(span.start + step, span.stop - 1) for span in spans for step in range(length)]
    return torch.tensor(positions), length


def _constant(graph: Any, value: object) -> torch.Value:
    constant: torch.Value = graph.insertConstant(value)
    return constant


def _operation(graph: torch.Graph, kind: str, *inputs: torch.Value) -> torch.Value:
    return graph.insertNode(graph.create(kind, list(inputs), 1)).output()


_Rewrite = Callable[[torch.Graph, torch.Node, list[int], list[int]], None]

_REWRITES: Mapping[str, _Rewrite] = {
    "aten::adaptive_avg_pool1d": _rewrite_average,
    "aten::adaptive_avg_pool2d": _rewrite_average,
    "aten::adaptive_max_pool1d": _rewrite_maximum,
    "aten::adaptive_max_pool2d": _rewrite_maximum,
}
