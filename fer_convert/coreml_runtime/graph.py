"""The typed graph that both readers produce and the plan executes.

An ML Program and a NeuralNetwork differ in how they are written, not in what they are: a list of
operations in executable order, each reading named values and writing named values. Everything
specific to a format stays in its reader and its registry of operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fer_convert.coreml_runtime.element_types import Array, ElementType


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A declared value: ``shape`` is None when its rank is not declared, and a dimension is None
    when it is only known at run time.

    ``typed`` is false in a NeuralNetwork, which declares no types inside: everything is a float,
    indices and truth values as well.
    """

    name: str
    element: ElementType
    shape: tuple[int | None, ...] | None
    typed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A constant, checked when the file was loaded and decoded only when it is read.

    ``read_as`` takes the place of ``read`` where the file does not say how many elements it holds
    and only the operation knows: it decodes them in the shape it is given. ``expansions`` counts
    the compressed constants that one reading expands. ``release`` gives the memory of the file's
    own bytes back, for who has made something else of them.
    """

    name: str
    element: ElementType
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False)
    read_as: Callable[[tuple[int, ...]], Array] | None = field(default=None, repr=False)
    expansions: int = 0
    release: Callable[[], None] = field(default=lambda: None, repr=False)


Operand = str | Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation or layer.

    ``arguments`` maps the specification's own argument names to what is bound there (several
    operands for a variadic argument). A layer's inputs are the argument ``input``, its weights
    carry their field names (``weights``, ``bias``, ``PReLU.alpha``), and ``params`` is the layer's
    message (None in an ML Program).
    """

    type: str
    name: str
    arguments: Mapping[str, tuple[Operand, ...]]
    outputs: tuple[Value, ...]
    params: Any = None

    @property
    def label(self) -> str:
        """Type and name, for messages."""
        return f"{self.type} '{self.name}'"

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(o for bound in self.arguments.values() for o in bound if isinstance(o, str))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """How scores become a label: ``scores`` is the value whose elements follow ``labels``."""

    scores: str
    labels: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """``counts`` counts every operation type of the file, constants included."""

    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    classifier: Classifier | None
    counts: Mapping[str, int]
