"""The typed graph that both readers produce and the plan executes.

An ML Program and a NeuralNetwork differ in how they are written, not in what they are: a list of
operations in executable order, each reading named values and writing named values. Everything
specific to a format stays in its reader and its registry of operations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fer_convert.coreml_runtime.element_types import Array, ElementType


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A declared value: ``shape`` is None when its rank is not declared, and a dimension is None
    when it is only known at run time.

    ``inner`` marks a value between the operations that one layer of a NeuralNetwork becomes: no
    precision rounds it, as if the layer were a single operation, and nobody can ask for it.
    """

    name: str
    element: ElementType
    shape: tuple[int | None, ...] | None
    inner: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A constant, checked when the file was loaded and decoded only when it is read.

    ``read_as`` takes the place of ``read`` where the file does not say how many elements it holds
    and only the operation knows: it decodes them in the shape it is given. ``expansions`` counts
    the compressed constants that one reading expands. ``release`` gives the memory of the file's
    own bytes back, for who has made something else of them. ``number`` marks one that a layer's
    message holds beside its weights: no precision rounds it.
    """

    name: str
    element: ElementType
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False)
    read_as: Callable[[tuple[int, ...]], Array] | None = field(default=None, repr=False)
    expansions: int = 0
    release: Callable[[], None] = field(default=lambda: None, repr=False)
    number: bool = False


Operand = str | Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """How many dimensions an operand may have, and what a message says of another: a template of
    ``shape``, ``rank`` and ``least``."""

    least: int
    most: int = sys.maxsize
    otherwise: str = "its input has rank {rank}, {least} or more is needed"

    def check(self, shape: Sequence[int | None]) -> None:
        """Raise a ValueError with the message where ``shape`` has another number of dimensions."""
        if not self.least <= len(shape) <= self.most:
            raise ValueError(
                self.otherwise.format(shape=list(shape), rank=len(shape), least=self.least)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of an ML Program, or part of what a layer of a NeuralNetwork becomes.

    ``arguments`` maps the specification's own argument names to what is bound there (several
    operands for a variadic argument).

    Of a layer: ``layer`` is its type and ``name`` its own, for messages; its ranks are only known
    at run time, so ``rank`` says what the first computed operand must have, and ``trailing`` counts
    the dimensions D of a first operand ``[*, *D]`` for which the operation, written for ``[N,
    *D]``, is meant.
    """

    type: str
    name: str
    arguments: Mapping[str, tuple[Operand, ...]]
    outputs: tuple[Value, ...]
    layer: str = ""
    rank: Rank | None = None
    trailing: int = 0

    @property
    def kind(self) -> str:
        """The type that the file gives it."""
        return self.layer or self.type

    @property
    def label(self) -> str:
        """Type and name, for messages."""
        return f"{self.kind} '{self.name}'"

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
    """``counts`` counts every operation type of the file, constants included; ``renamed`` has the
    values of outputs that are called otherwise: an input may have the same name."""

    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    classifier: Classifier | None
    counts: Mapping[str, int]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def value_of(self, output: str) -> str:
        """The name of the value that an output hands out."""
        return self.renamed.get(output, output)
