"""From a graph to an ONNX model: the table of translations, and what one of them sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np

from fer_convert.coreml_runtime.element_types import Array, ElementType
from fer_convert.coreml_runtime.fast.onnx_builder import (
    Builder,
    Shape,
    UnknownShapes,
    Unlowered,
    constant_array,
)
from fer_convert.coreml_runtime.graph import Constant, Operand, Operation, Value
from fer_convert.coreml_runtime.registry import Registry

_T = TypeVar("_T")


class Source:
    """One operation as its translation sees it: operands as names of ONNX values.

    Args:
        names: of those values of the graph that ONNX calls otherwise.
    """

    def __init__(
        self,
        operation: Operation,
        builder: Builder,
        values: Mapping[str, Value],
        names: Mapping[str, str],
    ) -> None:
        self.operation = operation
        self.builder = builder
        self._values = values
        self._names = names

    @property
    def kind(self) -> str:
        return self.operation.type

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
        return self.cast(self._enter(operand), np.int64)

    def vector(self, name: str) -> str:
        """As `indices`, of a vector.

        Raises:
            Unlowered: it has another number of dimensions.
        """
        if len(self.shape_of(name)) != 1:
            raise Unlowered(f"'{name}' that is no vector")
        return self.indices(name)

    def number(self, name: str, kind: Any, shape: Sequence[int] = ()) -> str:
        """An operand that holds one number, as ``kind`` in ``shape``: of none or one dimension.

        Raises:
            Unlowered: it is known to hold another count.
        """
        sizes = self.shape_of(name)
        if None not in sizes and prod(size or 0 for size in sizes) != 1:
            raise Unlowered(f"several numbers as '{name}'")
        result: str = self.node("Reshape", self.cast(self.operand(name), kind), self.ints(*shape))
        return result

    def is_constant(self, name: str) -> bool:
        return isinstance(self._one(name), Constant)

    def element(self, name: str) -> ElementType:
        """The element type of an operand."""
        operand = self._one(name)
        return operand.element if isinstance(operand, Constant) else self._values[operand].element

    def only_floats(self, *names: str) -> None:
        """Leave an operation on integers to the reference engine."""
        if not all(self.element(name).is_float for name in names):
            raise Unlowered("integers")

    def shape_of(self, name: str) -> Shape:
        """The shape of an operand.

        Raises:
            Unlowered: not even its rank is known.
        """
        operand = self._one(name)
        return operand.shape if isinstance(operand, Constant) else self.shape(self._enter(operand))

    def shape(self, name: str) -> Shape:
        """The shape of an ONNX value, as the file declares or ONNX infers it."""
        declared = self._values[name].shape if name in self._values else None
        if declared is not None and None not in declared:
            return declared
        inferred = self.builder.shape(name)
        if inferred is None and declared is None:
            raise UnknownShapes("an unknown rank")
        return inferred if inferred is not None else declared or ()

    def rank(self, name: str) -> int | None:
        """How many dimensions a value of the ONNX graph has; None if nothing tells."""
        declared = self._values[name].shape if name in self._values else None
        shape = declared if declared is not None else self.builder.shape(name)
        return None if shape is None else len(shape)

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
        if isinstance(operand, Constant):
            return self.builder.constant(operand)
        return self._names.get(operand, operand)

    def _one(self, name: str) -> Operand:
        (operand,) = self.operation.arguments[name]
        return operand

    def _literal(self, name: str) -> Constant:
        operand = self._one(name)
        if isinstance(operand, str):
            raise Unlowered(f"a computed '{name}'")
        return operand


Translation = Callable[[Source], "str | Sequence[str]"]


class Translations(Registry[Translation]):
    """The operation types that can be lowered."""

    def lowering(self, *types: str) -> Callable[[Translation], Translation]:
        """Decorate a function with the operation types it translates.

        It returns the name of its result, or as many as the operation has outputs. Each must be of
        the declared family: float32, int32 (of all integers) or bool.
        """
        return self.operation(*types)

    def place(self, name: str) -> str:
        """The module that translates an operation type."""
        return self.functions[name].__module__

    def __call__(self, source: Source) -> str | Sequence[str]:
        return self.functions[source.kind](source)

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)
