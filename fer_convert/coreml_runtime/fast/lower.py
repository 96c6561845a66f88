"""From a graph to an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_convert.coreml_runtime.element_types import Array
from fer_convert.coreml_runtime.fast.layers import LAYERS
from fer_convert.coreml_runtime.fast.mil import MIL
from fer_convert.coreml_runtime.fast.onnx_builder import (
    Builder,
    UnknownShapes,
    Unlowered,
    value_type,
)
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.graph import Graph, Operation, Value
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS

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
    missing = sorted({op.type for op in graph.operations if op.type not in _table(op)})
    if missing:
        raise NotLowered(missing)
    outputs = [o for op in graph.operations for o in op.outputs]
    values = {value.name: value for value in (*graph.inputs, *outputs)}
    builder = _start(graph, values)
    for operation in graph.operations:
        try:
            _translate(operation, builder, values)
        except Unlowered as error:
            missing.append(f"{operation.type} with {error}")
            if isinstance(error, UnknownShapes):
                break
        except _INCONSISTENT as error:
            missing.append(f"{operation.label} ({type(error).__name__}: {error})")
    if missing:
        raise NotLowered(list(dict.fromkeys(missing)))
    _check_sizes(builder)
    scores = (graph.classifier.scores,) if graph.classifier else ()
    return Lowered(
        inputs=graph.inputs,
        outputs=tuple(dict.fromkeys((*graph.outputs, *scores))),
        nodes=tuple(builder.nodes),
        initialisers=builder.initialisers,
        values=values,
    )


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


def _table(operation: Operation) -> Translations:
    # An ML Program declares every result's type; a NeuralNetwork none.
    return MIL if all(output.typed for output in operation.outputs) else LAYERS


def _translate(operation: Operation, builder: Builder, values: Mapping[str, Value]) -> None:
    since = len(builder.nodes)
    for output in operation.outputs:
        value_type(output)
    computed = _table(operation)(Source(operation, builder, values))
    names = (computed,) if isinstance(computed, str) else tuple(computed)
    if len(names) != len(operation.outputs):
        raise Unlowered(f"{len(operation.outputs)} outputs")
    for name, output in zip(names, operation.outputs, strict=True):
        builder.name_result(name, output.name, since)
