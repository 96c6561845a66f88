"""The reference engine's plan: the graph with its constants decoded and its calls bound, for one
precision; then one operation after another.

fp16 is emulated: each operation computes in fp32 and its result is rounded to the nearest fp16
value; a layer of a NeuralNetwork is rounded once, whatever operations it becomes. Hardware that
accumulates in fp32 does just that; on measured networks the error is of the size of PyTorch's own
half precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.graph import Graph, Operation, Rank, Value
from fer_convert.coreml_runtime.reference.batches import over_batches
from fer_convert.coreml_runtime.reference.operations import (
    Call,
    Kernel,
    Precision,
    Table,
    View,
    round_to_half,
    rounds,
    torch_type,
)

# What numpy and torch raise on operands that do not fit, a division by 0 or too big a result.
_KERNEL_ERRORS = (
    ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One call, its results, which of them are rounded, and the values nobody reads afterwards."""

    call: Call
    results: tuple[Value, ...]
    rounds: tuple[bool, ...]
    frees: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order; ``keeps`` are never freed."""

    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    keeps: frozenset[str]
    precision: Precision

    def run(self, feeds: Mapping[str, Tensor], *, capture: Collection[str]) -> dict[str, Tensor]:
        """Compute ``keeps`` and ``capture``.

        Memory is bounded by the values alive at once: each is dropped after its last reader.

        Args:
            feeds: one tensor per graph input, of its declared shape.

        Raises:
            ExecutionFailed: an operation could not compute, or its result has another shape than
                the file declares.
        """
        wanted = self.keeps | set(capture)
        with torch.inference_mode():
            alive = {value.name: self._enter(value, feeds[value.name]) for value in self.inputs}
            for step in self.steps:
                _execute(step, alive)
                for name in step.frees:
                    if name not in wanted:
                        del alive[name]
        return {name: alive[name] for name in wanted}

    def run_lifted(
        self, feeds: Mapping[str, Sequence[Tensor]], *, capture: Collection[str]
    ) -> dict[str, Tensor]:
        """Compute `run` for several sets of feeds at once; the results are stacked in front.

        Raises:
            ExecutionFailed: as `run`, or an operation cannot be lifted: its function looks into the
                numbers, or a set of feeds has another shape than the first.
        """

        def lifted(stacked: dict[str, Tensor]) -> dict[str, Tensor]:
            return self.run(stacked, capture=capture)

        try:
            # torch.vmap tells of operations that it runs one by one, which costs time only.
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore", UserWarning)
                stacked = {name: torch.stack(list(every)) for name, every in feeds.items()}
                computed: dict[str, Tensor] = torch.vmap(lifted)(stacked)
                return computed
        except _KERNEL_ERRORS as error:
            raise ExecutionFailed(f"The operations cannot be lifted: {error}") from error

    def _enter(self, value: Value, feed: Tensor) -> Tensor:
        return _as_declared(feed, value, rounds(value, self.precision), f"input '{value.name}'")


def make_plan(graph: Graph, table: Table, precision: Precision) -> Plan:
    """Prepare every operation of ``graph``.

    Raises:
        ArtefactError: an operation's constants do not fit together.
        UnsupportedOperation: an operation uses an option the runtime does not have.
    """
    keeps = frozenset(map(graph.value_of, graph.outputs)) | (
        {graph.classifier.scores} if graph.classifier else set()
    )
    calls = [_prepare(op, table, precision) for op in graph.operations]
    last_reader = {name: i for i, call in enumerate(calls) for name in call.reads}
    half = {value.name for value in graph.inputs if rounds(value, precision)}
    steps = []
    for i, (operation, call) in enumerate(zip(graph.operations, calls, strict=True)):
        halved = tuple(rounds(result, precision) for result in operation.outputs)
        # Moving fp16 values about leaves them fp16: no second rounding.
        moves = call.exact and bool(call.reads) and half.issuperset(call.reads)
        steps.append(
            Step(
                call=call,
                results=operation.outputs,
                rounds=tuple(h and not moves for h in halved),
                frees=_dead_after(i, call, operation.outputs, last_reader),
                label=operation.label,
            )
        )
        half |= {o.name for o, h in zip(operation.outputs, halved, strict=True) if h}
    return Plan(graph.inputs, tuple(steps), keeps, precision)


def _prepare(operation: Operation, table: Table, precision: Precision) -> Call:
    try:
        call = table.prepare(View(operation, precision=precision))
    except _KERNEL_ERRORS as error:
        raise ExecutionFailed(f"{operation.label} does not fit together: {error}") from error
    if operation.trailing:
        call = replace(call, kernel=over_batches(_single(call.kernel), operation.trailing))
    if operation.rank is not None:
        call = replace(call, kernel=_checking(call.kernel, operation.rank))
    return call


def _single(kernel: Kernel) -> Callable[..., Tensor]:
    def computing(*operands: Tensor) -> Tensor:
        result = kernel(*operands)
        assert isinstance(result, Tensor), "an operation over batches has one result"
        return result

    return computing


def _checking(kernel: Kernel, rank: Rank) -> Kernel:
    def checked(x: Tensor, *others: Tensor) -> Tensor | tuple[Tensor, ...]:
        rank.check(x.shape)
        return kernel(x, *others)

    return checked


def _dead_after(
    index: int, call: Call, results: tuple[Value, ...], last_reader: Mapping[str, int]
) -> tuple[str, ...]:
    dead = [name for name in dict.fromkeys(call.reads) if last_reader[name] == index]
    # What nothing reads is gone at once unless wanted.
    return (*dead, *(result.name for result in results if result.name not in last_reader))


def _execute(step: Step, alive: dict[str, Tensor]) -> None:
    operands = [alive[name] for name in step.call.reads]
    try:
        computed = step.call.kernel(*operands)
        results = computed if isinstance(computed, tuple) else (computed,)
        if len(results) != len(step.results):
            raise ExecutionFailed(
                f"{step.label} computes {len(results)} values; the file declares "
                f"{len(step.results)}."
            )
        # Rounding takes memory, too.
        for result, declared, half in zip(results, step.results, step.rounds, strict=True):
            alive[declared.name] = _as_declared(result, declared, half, step.label)
    except _KERNEL_ERRORS as error:
        shapes = ", ".join(str(list(operand.shape)) for operand in operands)
        raise ExecutionFailed(f"{step.label} failed on operands {shapes}: {error}") from error


def _as_declared(result: Tensor, declared: Value, half: bool, label: str) -> Tensor:
    if declared.shape is not None and not _fits(tuple(result.shape), declared.shape):
        raise ExecutionFailed(
            f"{label} computed {list(result.shape)}, but the file declares {list(declared.shape)}."
        )
    dtype = torch_type(declared.element)
    if result.dtype != dtype:
        # Widths may differ (torch counts in int64); a float for an integer is a mistake.
        if _family(result.dtype) != _family(dtype):
            raise ExecutionFailed(
                f"{label} computed {result.dtype}, but the file declares {declared.element.name}."
            )
        result = result.to(dtype)
    return round_to_half(result) if half else result


def _family(dtype: torch.dtype) -> str:
    return "float" if dtype.is_floating_point else "bool" if dtype == torch.bool else "integer"


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(
        d is None or d == s for s, d in zip(shape, declared, strict=True)
    )
