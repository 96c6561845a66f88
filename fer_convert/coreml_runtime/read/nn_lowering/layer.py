"""What a recipe sees of a layer, and the operations that it adds.

A recipe is a function of a `Layer` that returns the layer's results. Its `Layer.add` takes the
names that the ML Program's specification gives operations and arguments, or one of the internal
operations ``layer:…``. The ranks of values are not known when a file is read, so axes are counted
from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import TYPES, Array
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant, Operand, Operation, Rank, Value
from fer_convert.coreml_runtime.registry import Registry

#: What a recipe may bind to an argument: a value, several, a weight, or a number, text or vector.
Argument = (
    Value | Constant | bool | int | float | str | Sequence[Value] | Sequence[int] | Array | None
)

Recipe = Callable[["Layer"], "Value | Sequence[Value]"]

#: The rank of layers that work on ``[*, C, H, W]`` by the text of NeuralNetwork.proto ("a blob with
#: rank at least 3"); most arithmetic would broadcast fewer dimensions to some result.
IMAGE = Rank(least=3)


class Recipes(Registry[Recipe]):
    """Layer types and what becomes of each; `nn_lowering` joins those of its modules."""

    def register(self, name: str, recipe: partial[Value], summary: str) -> None:
        """One of several recipes that a function makes; ``summary`` is its docstring."""
        recipe.__doc__ = summary
        self._add(name, recipe)


class Layer:
    """One layer of the file.

    Attributes:
        kind: its type, ``activation.ReLU`` for a nonlinearity.
        params: its message, without weights.
        inputs: fp32 values, all that a NeuralNetwork has.
        count: how many outputs the file names.
        rank: what the first input must have; a recipe sets it before it adds operations.
    """

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        params: Any,
        inputs: Sequence[Value],
        weights: Mapping[str, Constant],
        count: int,
        inner_name: Callable[[], str],
    ) -> None:
        self.kind, self.name, self.params, self.count = kind, name, params, count
        self.inputs = tuple(inputs)
        self.rank: Rank | None = None
        self._weights = weights
        self._inner_name = inner_name
        self._operations: list[Operation] = []

    @property
    def x(self) -> Value:
        """The input of a layer with one."""
        if len(self.inputs) != 1:
            raise self.refuse(f"{len(self.inputs)} inputs where one is needed")
        return self.inputs[0]

    @property
    def all_inputs(self) -> list[Value]:
        """The inputs of a layer that takes any number of them."""
        if not self.inputs:
            raise self.refuse("it has no inputs")
        return list(self.inputs)

    def inputs_between(self, least: int, most: int) -> tuple[Value, ...]:
        """The inputs of a layer that takes from ``least`` to ``most`` of them."""
        if not least <= len(self.inputs) <= most:
            counts = f"{least}" if least == most else f"{least} to {most}"
            raise self.refuse(f"{len(self.inputs)} inputs where {counts} are needed")
        return self.inputs

    def has(self, weight: str) -> bool:
        return weight in self._weights

    def weight(self, name: str, shape: tuple[int, ...], *, transposed: bool = False) -> Constant:
        """The weights of field ``name`` in ``shape``, ``transposed`` its axes then turned round;
        their number is checked when they are read.

        Raises:
            ArtefactError: the file holds none.
        """
        stored = self.stored(name)

        def read() -> Array:
            array = stored.read_as(shape) if stored.read_as else stored.read()
            if array.size != prod(shape):
                raise self.refuse(f"'{name}' holds {array.size} values, {list(shape)} are needed")
            return array.reshape(shape).T if transposed else array.reshape(shape)

        return replace(stored, shape=shape[::-1] if transposed else shape, read=read, read_as=None)

    def stored(self, name: str) -> Constant:
        """The weights of field ``name`` as they lie in the file, for an operation that knows their
        shape only when it runs.

        Raises:
            ArtefactError: the file holds none.
        """
        if name not in self._weights:
            raise self.refuse(f"the argument '{name}' is missing")
        return self._weights[name]

    def add(
        self,
        operation: str,
        *,
        element: str = "fp32",
        trailing: int = 0,
        **arguments: Argument,
    ) -> Value:
        """Add an operation of one result, of the type ``element``.

        Args:
            trailing: see `Operation`.
            arguments: by the specification's names; None is left out.
        """
        return self.add_many(operation, [element], trailing=trailing, **arguments)[0]

    def add_many(
        self, operation: str, elements: Sequence[str], *, trailing: int = 0, **arguments: Argument
    ) -> tuple[Value, ...]:
        """As `add`, of an operation with a result of each type in ``elements``."""
        bound = {k: self._bound(k, v) for k, v in arguments.items() if v is not None}
        reads = [operand for operands in bound.values() for operand in operands]
        rank = self.rank if self.inputs and self.inputs[0].name in reads[:1] else None
        self.rank = None if rank is not None else self.rank
        outputs = tuple(
            Value(name=self._inner_name(), element=TYPES[element], shape=None, inner=True)
            for element in elements
        )
        self._operations.append(
            Operation(
                type=operation,
                name=self.name,
                arguments=bound,
                outputs=outputs,
                layer=self.kind,
                rank=rank,
                trailing=trailing,
            )
        )
        return outputs

    def cast(self, value: Value, element: str) -> Value:
        """``value`` as fp32, int32 (its fraction is dropped) or bool (whether it is not 0)."""
        return self.add("cast", element=element, x=value, dtype=element)

    def refuse(self, seen: str) -> ArtefactError:
        return ArtefactError(f"{self.kind} '{self.name}': {seen}.")

    def unsupported(self, option: str) -> UnsupportedOperation:
        return UnsupportedOperation(
            f"{self.kind} '{self.name}' uses {option}, which the portable runtime does not have."
        )

    def _bound(self, name: str, argument: Argument) -> tuple[Operand, ...]:
        if isinstance(argument, Value):
            return (argument.name,)
        if isinstance(argument, Constant):
            return (argument,)
        if isinstance(argument, list) and argument and isinstance(argument[0], Value):
            return tuple(value.name for value in argument)
        return (_number(f"{self.name}.{name}", argument),)


def lower_layer(recipe: Recipe, layer: Layer, outputs: Sequence[str]) -> list[Operation]:
    """What ``layer`` becomes: operations of which the last ones write ``outputs``, as fp32.

    Raises:
        ArtefactError: fields that do not fit together, or another number of results.
        UnsupportedOperation: an option that the runtime does not have.
    """
    computed = recipe(layer)
    results = (computed,) if isinstance(computed, Value) else tuple(computed)
    if len(results) != len(outputs):
        raise layer.refuse(f"it computes {len(results)} values; the file declares {len(outputs)}")
    free = {output.name for operation in layer._operations for output in operation.outputs}
    free -= {name for operation in layer._operations for name in operation.reads}
    finished = []
    for value in results:
        if value.element.name != "fp32":
            value = layer.cast(value, "fp32")
        elif value.name not in free:  # an input, or read inside of the layer as well
            value = layer.add("identity", x=value)
        free.discard(value.name)
        finished.append(value)
    assert layer.rank is None, f"{layer.kind} never reads its first input first"
    names = {value.name: name for value, name in zip(finished, outputs, strict=True)}
    return [
        replace(
            operation,
            outputs=tuple(
                replace(o, name=names[o.name], inner=False) if o.name in names else o
                for o in operation.outputs
            ),
        )
        for operation in layer._operations
    ]


def _number(name: str, argument: Any) -> Constant:
    """A number of the layer's message as a constant; fp32 is kept in double until it is used."""
    array = np.asarray(argument)
    if array.dtype.kind == "U":
        element, array = "string", array.astype(object)
    elif array.dtype.kind == "b":
        element = "bool"
    elif array.dtype.kind == "f" and array.size:
        element = "fp32"
    else:
        array = array.astype(np.int64)
        small = array.size == 0 or -(1 << 31) <= array.min() <= array.max() < 1 << 31
        element = "int32" if small else "int64"
    return Constant(
        name=name, element=TYPES[element], shape=array.shape, read=lambda: array, number=True
    )
