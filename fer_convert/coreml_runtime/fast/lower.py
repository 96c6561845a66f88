"""From a graph to an ONNX model."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.fast.batches import over_batches
from fer_convert.coreml_runtime.fast.mil import MIL
from fer_convert.coreml_runtime.fast.narrow import NARROW
from fer_convert.coreml_runtime.fast.onnx_builder import (
    Builder,
    UnknownShapes,
    Unlowered,
    value_type,
)
from fer_convert.coreml_runtime.fast.translation import Source
from fer_convert.coreml_runtime.graph import Graph, Operation, Value
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS

# Operations whose subject is the type of their result.
_NARROWING = {"cast", "quantize", "reduce_argmax", "reduce_argmin", "topk", "argsort", "shape"}
# What a file that contradicts itself raises here. The reference engine says what is wrong with it.
_INCONSISTENT = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)


class NotLowered(Exception):
    """The graph has operations or options that only the reference engine has.

    Attributes:
        missing: each type, with the option where it is one that is missing.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"The fast engine lacks {', '.join(missing)}.")
        self.missing = tuple(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """``nodes`` are ONNX messages; ``initialisers`` are not in them, and fp32 weights of an ML
    Program still lie in the mapped file. ``values`` are all that can be an output."""

    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Any, ...]
    initialisers: Mapping[str, Array]
    values: Mapping[str, Value]


def lower(graph: Graph) -> Lowered:
    """Translate ``graph``.

    Raises:
        NotLowered: operations or options without a translation, all that could be found.
    """
    missing = sorted({op.kind for op in graph.operations if op.type not in MIL})
    if missing:
        raise NotLowered(missing)
    lowering = _Lowering(graph)
    for operation in graph.operations:
        try:
            lowering.add(operation)
        except Unlowered as error:
            missing.append(f"{operation.kind} with {error}")
            if isinstance(error, UnknownShapes):
                break
        except _INCONSISTENT as error:
            missing.append(f"{operation.label} ({type(error).__name__}: {error})")
    if missing:
        raise NotLowered(list(dict.fromkeys(missing)))
    _check_sizes(lowering.builder)
    scores = (graph.classifier.scores,) if graph.classifier else ()
    return Lowered(
        inputs=graph.inputs,
        outputs=tuple(dict.fromkeys((*map(graph.value_of, graph.outputs), *scores))),
        nodes=tuple(lowering.builder.nodes),
        initialisers=lowering.builder.initialisers,
        values={name: value for name, value in lowering.values.items() if not value.inner},
    )


class _Lowering:
    """The operations that are translated so far."""

    def __init__(self, graph: Graph) -> None:
        outputs = [o for op in graph.operations for o in op.outputs]
        self.values = {value.name: value for value in (*graph.inputs, *outputs)}
        self.builder = _start(graph, self.values)
        # What ONNX calls the inner values, those that it calls so, and the first node that may have
        # computed them.
        self._names: dict[str, str] = {}
        self._called: defaultdict[str, list[str]] = defaultdict(list)
        self._since: dict[str, int] = {}

    def add(self, operation: Operation) -> None:
        since = len(self.builder.nodes)
        for output in operation.outputs:
            value_type(output)
        _refuse_narrowing(operation, self.values)
        computed = self._translated(operation)
        names = (computed,) if isinstance(computed, str) else tuple(computed)
        if len(names) != len(operation.outputs):
            raise Unlowered(f"{len(operation.outputs)} outputs")
        for name, output in zip(names, operation.outputs, strict=True):
            if output.inner:
                self._names[output.name] = name
                self._called[name].append(output.name)
                self._since.setdefault(name, since)
            else:
                self.builder.name_result(name, output.name, self._since.get(name, since))
                self._names |= dict.fromkeys(self._called.pop(name, ()), output.name)

    def _translated(self, operation: Operation) -> str | Sequence[str]:
        source = Source(operation, self.builder, self.values, self._names)
        if operation.rank is None and not operation.trailing:
            return MIL(source)
        first = operation.reads[0]
        x = self._names.get(first, first)
        if operation.rank is not None:
            operation.rank.check(source.shape(x))
        if not operation.trailing:
            return MIL(source)

        def translate(x: str) -> str:
            names = ChainMap({first: x}, self._names)
            computed = MIL(Source(operation, self.builder, self.values, names))
            assert isinstance(computed, str)
            return computed

        return over_batches(source, x, translate, operation.trailing)


def _check_sizes(builder: Builder) -> None:
    try:
        largest = builder.largest()
    except UnknownShapes as error:
        raise NotLowered([str(error)]) from error
    if largest > MOST_ELEMENTS:  # which the reference engine refuses, with its place
        raise NotLowered(["a value so large"])


def _start(graph: Graph, values: Mapping[str, Value]) -> Builder:
    try:
        return Builder(graph.inputs, values)
    except Unlowered as error:
        raise NotLowered([f"inputs with {error}"]) from error


def _refuse_narrowing(operation: Operation, values: Mapping[str, Value]) -> None:
    """Leave to the reference engine what declares a narrower integer than those that it moves.

    Raises:
        Unlowered: computed in int32 the result would not wrap around where it should.
    """
    if operation.type in _NARROWING:
        return
    operands = [operand for bound in operation.arguments.values() for operand in bound]
    elements = [values[o].element if isinstance(o, str) else o.element for o in operands]
    whole = {element.name for element in elements if element.numpy.kind in "iu"}
    for output in operation.outputs:
        if output.element.name in NARROW and whole and output.element.name not in whole:
            raise Unlowered(f"a result of {output.element.name}")
