"""Operations of a file that Core ML is known to compute otherwise than PyTorch, for who asks why
the two disagree: docs/coreml-differences.md has the figures and their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fer_convert.coreml_runtime.graph import Constant, Graph, Operation


@dataclass(frozen=True, slots=True)
class _Difference:
    """``types`` of operations where ``applies``, and what the two do and what makes them agree."""

    types: frozenset[str]
    applies: Callable[[Operation], bool]
    says: str


def differences(graph: Graph) -> tuple[str, ...]:
    """One sentence for each operation of ``graph`` that Core ML computes otherwise."""
    return tuple(dict.fromkeys(_sentences(graph)))


def _sentences(graph: Graph) -> Iterator[str]:
    for operation in graph.operations:
        for difference in _DIFFERENCES:
            if operation.type in difference.types and difference.applies(operation):
                yield f"{operation.label}: {difference.says}"


def _flag(operation: Operation, name: str) -> bool:
    bound = operation.arguments.get(name, ())
    return any(bool(one.read().any()) for one in bound if isinstance(one, Constant))


def _counts_the_overhang(operation: Operation) -> bool:
    return _flag(operation, "ceil_mode") and not _flag(operation, "exclude_padding_from_average")


def _may_be_zero(operation: Operation) -> bool:
    (exponent,) = operation.arguments["y"]
    return not isinstance(exponent, Constant) or not exponent.read().all()


def _adds_to_its_operand(operation: Operation) -> bool:
    return "epsilon" not in operation.arguments or _flag(operation, "epsilon")


def _is_half(operation: Operation) -> bool:
    return operation.outputs[0].element.name == "fp16"


_DIFFERENCES = (
    _Difference(
        frozenset({"avg_pool", "layer:avg_pool"}),
        _counts_the_overhang,
        "Core ML averages what ceil_mode adds as zeros, PyTorch leaves it out; with "
        "count_include_pad=False both do",
    ),
    _Difference(
        frozenset({"inverse"}),
        _adds_to_its_operand,
        "Core ML adds epsilon before it divides, PyTorch does not; "
        "torch.div(torch.ones_like(x), x) is a division in both",
    ),
    _Difference(
        frozenset({"pow"}),
        _may_be_zero,
        "Core ML has 0 where the exponent is 0, PyTorch has 1",
    ),
    _Difference(
        frozenset({"softplus", "reduce_log_sum_exp"}),
        _is_half,
        "on the Neural Engine it is 0 where an exponential overflows fp16; softplus as "
        "relu(x) + log(1 + exp(-|x|)), and a maximum subtracted first, stay small",
    ),
    _Difference(
        frozenset({"layer:softmax"}),
        lambda operation: True,
        "Core ML takes the last axis of three dimensions, not the first; softmaxND names its own",
    ),
)
