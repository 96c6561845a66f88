"""A plan: the graph with its constants decoded and its calls bound, for one precision.

fp16 is emulated: each operation computes in fp32 and its result is rounded to the nearest fp16
value. Hardware that accumulates in fp32 does just that; on measured networks the error is of the
size of PyTorch's own half precision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fer_convert.coreml_runtime.errors import ExecutionFailed
from fer_convert.coreml_runtime.graph import Graph, Value
from fer_convert.coreml_runtime.registry import Call, Precision, Table, View, round_to_half


@dataclass(frozen=True, slots=True)
class Step:
    """One call, its result, whether that is rounded, and the values nobody reads afterwards."""

    call: Call
    result: Value
    rounds: bool
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
            feeds: one fp32 tensor per graph input, of its declared shape.

        Raises:
            ExecutionFailed: an operation could not compute, or its result has another shape than
                the file declares.
        """
        wanted = self.keeps | set(capture)
        with torch.inference_mode():
            alive = {value.name: self._enter(value, feeds[value.name]) for value in self.inputs}
            for step in self.steps:
                alive[step.result.name] = _execute(step, alive)
                for name in step.frees:
                    if name not in wanted:
                        del alive[name]
        return {name: alive[name] for name in wanted}

    def _enter(self, value: Value, feed: Tensor) -> Tensor:
        return round_to_half(feed) if _rounds(value, self.precision) else feed


def make_plan(graph: Graph, table: Table, precision: Precision) -> Plan:
    """Prepare every operation of ``graph``.

    Raises:
        ArtefactError: an operation's constants do not fit together.
        UnsupportedOperation: an operation uses an option the runtime does not have.
    """
    keeps = frozenset(graph.outputs) | ({graph.classifier.scores} if graph.classifier else set())
    calls = [table.prepare(View(op, precision=precision)) for op in graph.operations]
    last_reader = {name: i for i, call in enumerate(calls) for name in call.reads}
    half = {value.name for value in graph.inputs if _rounds(value, precision)}
    steps = []
    for i, (operation, call) in enumerate(zip(graph.operations, calls, strict=True)):
        label = f"{operation.type} '{operation.name}'"
        if len(operation.outputs) != 1:
            raise ExecutionFailed(f"{label} has {len(operation.outputs)} results instead of one.")
        result = operation.outputs[0]
        rounds = _rounds(result, precision)
        steps.append(
            Step(
                call=call,
                result=result,
                # Moving fp16 values about leaves them fp16: no second rounding.
                rounds=rounds and not (call.exact and half.issuperset(call.reads)),
                frees=_dead_after(i, call, result, last_reader),
                label=label,
            )
        )
        if rounds:
            half.add(result.name)
    return Plan(graph.inputs, tuple(steps), keeps, precision)


def _dead_after(
    index: int, call: Call, result: Value, last_reader: Mapping[str, int]
) -> tuple[str, ...]:
    dead = [name for name in dict.fromkeys(call.reads) if last_reader[name] == index]
    if result.name not in last_reader:
        dead.append(result.name)  # read by nothing: gone at once unless wanted
    return tuple(dead)


def _rounds(value: Value, precision: Precision) -> bool:
    if precision == "declared":
        return value.element.name == "fp16"
    return precision == "fp16" and value.element.is_float


def _execute(step: Step, alive: Mapping[str, Tensor]) -> Tensor:
    operands = [alive[name] for name in step.call.reads]
    try:
        result = step.call.kernel(*operands)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        shapes = ", ".join(str(list(operand.shape)) for operand in operands)
        raise ExecutionFailed(f"{step.label} failed on operands {shapes}: {error}") from error
    declared = step.result.shape
    if declared is not None and not _fits(tuple(result.shape), declared):
        raise ExecutionFailed(
            f"{step.label} computed {list(result.shape)}, but the file declares {list(declared)}."
        )
    return round_to_half(result) if step.rounds and result.is_floating_point() else result


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(
        d is None or d == s for s, d in zip(shape, declared, strict=True)
    )
