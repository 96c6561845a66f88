"""What a TorchScript graph tells about a network: how it ends, and whether it was traced wrongly.

Only graphs are read here; nothing is run.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: Operations that hand scores on as they are, or in another shape.
_HANDS_ON = frozenset(
    f"aten::{name}"
    for name in (
        *("view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous", "to", "type_as"),
        *("clone", "detach", "alias", "float", "permute", "transpose", "slice", "select"),
    )
)

#: Operations with an input that says "this is training", and its position.
_TRAINING_FLAGS = {
    "aten::batch_norm": 5,
    "aten::_batch_norm_impl_index": 5,
    "aten::native_batch_norm": 5,
    "aten::_native_batch_norm_legit": 5,
    "aten::dropout": 2,
    "aten::dropout_": 2,
    "aten::feature_dropout": 2,
    "aten::alpha_dropout": 2,
    "aten::native_dropout": 2,
    "aten::feature_alpha_dropout": 2,
}

#: Operations that draw random numbers, whatever their inputs say: a network in evaluation mode has
#: none.
_RANDOM = frozenset({"aten::bernoulli", "aten::bernoulli_", "aten::rand_like", "aten::randn_like"})


def nodes(block: torch.Graph | torch.Block) -> Iterator[torch.Node]:
    """Yield every node, those of inner blocks included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def copied(program: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Return a program of its own: graphs belong to a type, which Python's copies share.

    Only a file makes a second one. Reading it, torch also renames some operations' aliases.
    """
    import torch

    buffer = io.BytesIO()
    torch.jit.save(program, buffer)  # type: ignore[no-untyped-call]
    buffer.seek(0)
    again: torch.jit.ScriptModule = torch.jit.load(buffer)  # type: ignore[no-untyped-call]
    return again


def training_operations(program: torch.jit.ScriptModule) -> list[str]:
    """Return what only a network in training mode does, each kind once, in the graph's order.

    A trace has the mode of its making written into it, and ``eval()`` cannot change that.
    """
    found: list[str] = []
    for node in nodes(program.inlined_graph):
        kind = node.kind()
        flag = _TRAINING_FLAGS.get(kind)
        trains = kind in _RANDOM or (flag is not None and _constant(node, flag) is True)
        name = kind.removeprefix("aten::")
        if trains and name not in found:
            found.append(name)
    return found


def end_of(program: torch.jit.ScriptModule, output: tuple[int | str, ...]) -> str | None:
    """Return the operation that makes an output: behind changes of shape and constant factors.

    Such as ``aten::softmax``; None where the graph does not show it.

    Args:
        output: the way through tuples, lists and dictionaries to the tensor; empty where the
            program returns a tensor.
    """
    graph = program.inlined_graph  # a copy, and its nodes live as long as it does
    node = _end(graph, output)
    return None if node is None else node.kind()


def before_softmax(
    program: torch.jit.ScriptModule, output: tuple[int | str, ...]
) -> torch.jit.ScriptModule | None:
    """Return a copy that ends before the softmax of an output; None where there is none to cut."""
    import torch

    cut = copied(program)
    graph = cut.graph
    torch._C._jit_pass_inline(graph)
    node = _end(graph, output)
    if node is None or node.kind() != "aten::softmax":
        return None
    node.output().replaceAllUsesWith(node.inputsAt(0))
    torch._C._jit_pass_dce(graph)
    return cut


def batch_sizes(program: torch.jit.ScriptModule) -> list[int]:
    """Return the numbers that stand first in a shape and may be a batch size baked in."""
    sizes = set()
    for node in nodes(program.inlined_graph):
        if node.kind() in ("aten::view", "aten::reshape", "aten::expand", "aten::new_zeros"):
            shape = node.inputsAt(1).node()
            if shape.kind() == "prim::ListConstruct" and shape.inputsSize() > 0:
                first = _constant(shape, 0)
                if isinstance(first, int) and 1 < first <= 1024:
                    sizes.add(first)
    return sorted(sizes)


def _end(graph: torch.Graph, output: tuple[int | str, ...]) -> torch.Node | None:
    value = _follow(graph, output)
    while value is not None:
        node = value.node()
        if node.kind() in _HANDS_ON or _scales(node):
            value = node.inputsAt(0)
        else:
            return node
    return None


def _follow(graph: torch.Graph, output: tuple[int | str, ...]) -> torch.Value | None:
    """Return the graph's value at the end of a way through its containers."""
    value = next(iter(graph.outputs()))
    for step in output:
        node = value.node()
        inputs = list(node.inputs())
        if node.kind() in ("prim::TupleConstruct", "prim::ListConstruct"):
            if not isinstance(step, int) or step >= len(inputs):
                return None
            value = inputs[step]
        elif node.kind() == "prim::DictConstruct":
            names: list[object] = [key.toIValue() for key in inputs[::2]]
            if step not in names:
                return None
            value = inputs[2 * names.index(step) + 1]
        else:
            return None
    return value


def _scales(node: torch.Node) -> bool:
    """Tell whether a node multiplies or divides by a constant."""
    if node.kind() not in ("aten::mul", "aten::div"):
        return False
    return node.inputsAt(1).node().kind() == "prim::Constant"


def _constant(node: torch.Node, position: int) -> object:
    value = node.inputsAt(position)
    return value.toIValue() if value.node().kind() == "prim::Constant" else None
