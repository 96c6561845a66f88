"""From a graph to an ONNX model: the table of translations, and what one of them sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, ElementType
from fer_convert.coreml_runtime.fast.builder import (
    Builder,
    Shape,
    UnknownShapes,
    Unlowered,
    constant_array,
    value_type,
)
from fer_convert.coreml_runtime.graph import Constant, Graph, Operand, Operation, Value
from fer_convert.coreml_runtime.limits import MOST_ELEMENTS

_T = TypeVar("_T")
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


class Source:
    """One operation as its translation sees it: operands as names of ONNX values."""

    def __init__(self, operation: Operation, builder: Builder, values: Mapping[str, Value]) -> None:
        self.operation = operation
        self.builder = builder
        self._values = values

    @property
    def kind(self) -> str:
        return self.operation.type

    @property
    def params(self) -> Any:
        """The layer's message (NeuralNetwork only)."""
        return self.operation.params

    @property
    def result(self) -> Value:
        return self.operation.outputs[0]

    def has(self, name: str) -> bool:
        return bool(self.operation.arguments.get(name))

    def node(self, kind: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        """Add an ONNX node; an input that is left out is ``""``."""
        return self.builder.node(kind, inputs, count, **attributes)

    def operand(self, name: str) -> str:
        """A single operand, computed or constant."""
        return self._enter(self._one(name))

    def optional(self, name: str) -> str:
        """As `operand`; without the argument ``""``."""
        return self.operand(name) if self.has(name) else ""

    def operands(self, name: str) -> list[str]:
        """Every operand of a variadic argument."""
        return [self._enter(operand) for operand in self.operation.arguments[name]]

    def indices(self, name: str) -> str:
        """An operand as int64, which ONNX wants of shapes and axes."""
        operand = self._one(name)
        if isinstance(operand, Constant):
            return self.builder.constant(operand, "int64")
        return self.cast(operand, np.int64)

    def is_constant(self, name: str) -> bool:
        return isinstance(self._one(name), Constant)

    def element(self, name: str) -> ElementType:
        """The element type of an operand."""
        operand = self._one(name)
        return operand.element if isinstance(operand, Constant) else self._values[operand].element

    def shape_of(self, name: str) -> Shape:
        """The shape of an operand.

        Raises:
            Unlowered: not even its rank is known.
        """
        operand = self._one(name)
        return operand.shape if isinstance(operand, Constant) else self.shape(operand)

    def shape(self, name: str) -> Shape:
        """The shape of a computed value, as the file declares or ONNX infers it."""
        declared = self._values[name].shape if name in self._values else None
        if declared is not None and None not in declared:
            return declared
        inferred = self.builder.shape(name)
        if inferred is None and declared is None:
            raise UnknownShapes("an unknown rank")
        return inferred if inferred is not None else declared or ()

    def literal(self, name: str) -> Array:
        """A constant's array, in the type in which ONNX computes."""
        return constant_array(self._literal(name))

    def option(self, name: str, kind: type[_T], default: _T | None = None) -> _T:
        """A scalar option; ``default`` None means that it is required."""
        if default is not None and not self.has(name):
            return default
        (value,) = self._literal(name).read().reshape(-1).tolist()
        if not isinstance(value, kind if kind is str else (kind, int)):
            raise Unlowered(f"'{name}' that is no {kind.__name__}")
        return kind(value)  # type: ignore[call-arg]

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A vector of integers; ``default`` None means that it is required."""
        if default is not None and not self.has(name):
            return tuple(default)
        return tuple(int(value) for value in self._literal(name).read().reshape(-1).tolist())

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """A constant in ``shape``, or as it is stored."""
        if shape is None:
            return self.builder.constant(self._literal(name))
        constant = self._literal(name)
        array = constant.read_as(shape) if constant.read_as else constant_array(constant)
        if array.size != prod(shape):
            raise Unlowered(f"'{name}' of {array.size} values for {list(shape)}")
        return self.builder.array(array.reshape(shape))

    def ints(self, *values: int) -> str:
        """An int64 vector."""
        return self.builder.array(np.array(values, np.int64))

    def scalar(self, value: float | bool, kind: Any = np.float32) -> str:
        return self.builder.array(np.array(value, kind))

    def cast(self, name: str, kind: Any) -> str:
        """``name`` as the NumPy type ``kind``."""
        from onnx import helper

        to = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        result: str = self.node("Cast", name, to=to)
        return result

    def _enter(self, operand: Operand) -> str:
        return self.builder.constant(operand) if isinstance(operand, Constant) else operand

    def _one(self, name: str) -> Operand:
        (operand,) = self.operation.arguments[name]
        return operand

    def _literal(self, name: str) -> Constant:
        operand = self._one(name)
        if isinstance(operand, str):
            raise Unlowered(f"a computed '{name}'")
        return operand


Translation = Callable[[Source], "str | Sequence[str]"]


class Translations:
    """The operation types of one format that can be lowered."""

    def __init__(self) -> None:
        self._functions: dict[str, Translation] = {}

    def lowering(self, *types: str) -> Callable[[Translation], Translation]:
        """Decorate a function with the operation types it translates.

        It returns the name of its result, or as many as the operation has outputs. Each must be of
        the declared family: float32, int32 (of all integers) or bool.
        """

        def register(function: Translation) -> Translation:
            for name in types:
                assert name not in self._functions, f"{name} is registered twice"
                self._functions[name] = function
            return function

        return register

    def __call__(self, source: Source) -> str | Sequence[str]:
        return self._functions[source.kind](source)

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


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
    from fer_convert.coreml_runtime.fast.layers import LAYERS
    from fer_convert.coreml_runtime.fast.mil import MIL

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
