"""What an operation's function sees, what it returns, and the tables that hold such functions.

A function is called once, when a plan is made: it reads its constants and options and returns a
`Call`, the closure that the plan runs for every image. Adding an operation is writing one function
and decorating it with the format's table: see docs/adding-an-operation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from fer_convert.coreml_runtime.element_types import Array, ElementType
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Constant, Operation, Value
from fer_convert.coreml_runtime.registry import Registry

Precision = Literal["declared", "fp32", "fp16"]


Kernel = Callable[..., Tensor | tuple[Tensor, ...]]


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call:
    """``kernel`` applied to the values named ``reads``.

    It returns one tensor, or a tuple of as many as the operation has outputs; the plan converts
    each to its declared type.

    ``exact`` marks a kernel that only selects or moves values: its result is fp16 when its operands
    are.
    """

    kernel: Kernel
    reads: tuple[str, ...]
    exact: bool


class View:
    """One operation as its function sees it: options as Python values, weights as tensors."""

    def __init__(self, operation: Operation, *, precision: Precision) -> None:
        self.operation = operation
        self._precision = precision

    @property
    def half(self) -> bool:
        """Whether the first result is rounded to fp16."""
        return rounds(self.operation.outputs[0], self._precision)

    def has(self, name: str) -> bool:
        return name in self.operation.arguments

    def option(self, name: str, kind: type[_T], default: _T | None = None) -> _T:
        """A scalar option; ``default`` None means that it is required."""
        if default is not None and not self.has(name):
            return default
        value = self._literal(name).reshape(-1)
        # Integers stand for numbers and truth values, not for text.
        taken = kind if kind is str else (kind, int)
        if value.size != 1 or not isinstance(value.tolist()[0], taken):
            raise self.refuse(f"option '{name}' is {value.tolist()!r}, not one {kind.__name__}")
        return kind(value.tolist()[0])  # type: ignore[call-arg]

    def integers(self, name: str, default: Iterable[int] | None = None) -> tuple[int, ...]:
        """A vector of integers; ``default`` None means that it is required."""
        if default is not None and not self.has(name):
            return tuple(default)
        value = self._literal(name)
        if value.dtype.kind not in "iu":
            raise self.refuse(f"option '{name}' holds {value.dtype}, not integers")
        return tuple(value.reshape(-1).tolist())

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        """A constant as a contiguous tensor, in ``shape`` if given.

        Floating types come as fp32, holding what the plan's precision can hold.
        """
        constant = self._constant(name)
        if constant.read_as is not None and shape is not None:
            array = constant.read_as(shape)
            constant = replace(constant, shape=shape, read=lambda: array)
        tensor = self._tensor(constant)
        if shape is None:
            return tensor
        if tensor.numel() != prod(shape):
            raise self.refuse(f"'{name}' holds {tensor.numel()} values, {list(shape)} are needed")
        return tensor.reshape(shape)

    def optional_weight(self, name: str) -> Tensor | None:
        return self.weight(name) if self.has(name) else None

    def call(self, kernel: Kernel, *names: str, exact: bool = False) -> Call:
        """Bind ``kernel`` to the operands of the arguments ``names``, in that order.

        An operand may be computed or constant; a variadic argument contributes all its operands. A
        name ending in ``?`` is optional: without it the kernel gets None at its place.
        """
        operands = [operand for name in names for operand in self._bound_or_none(name)]
        reads = tuple(operand for operand in operands if isinstance(operand, str))
        if len(reads) == len(operands):
            return Call(kernel, reads, exact)
        slots = [self._tensor(o) if isinstance(o, Constant) else o for o in operands]

        def with_constants(*computed: Tensor) -> Tensor | tuple[Tensor, ...]:
            supply = iter(computed)
            return kernel(*(next(supply) if isinstance(slot, str) else slot for slot in slots))

        return Call(with_constants, reads, exact)

    def refuse(self, seen: str) -> ArtefactError:
        return ArtefactError(f"{self.operation.label}: {seen}.")

    def unsupported(self, option: str) -> UnsupportedOperation:
        return UnsupportedOperation(
            f"{self.operation.label} uses {option}, which the portable runtime does not have."
        )

    def _bound(self, name: str) -> tuple[str | Constant, ...]:
        if not self.operation.arguments.get(name):
            raise self.refuse(f"the argument '{name}' is missing")
        return self.operation.arguments[name]

    def _bound_or_none(self, name: str) -> tuple[str | Constant | None, ...]:
        required = name.removesuffix("?")
        return (None,) if name != required and not self.has(required) else self._bound(required)

    def _constant(self, name: str) -> Constant:
        bound = self._bound(name)
        if len(bound) != 1 or isinstance(bound[0], str):
            raise self.unsupported(f"an argument '{name}' that is not one constant")
        return bound[0]

    def _literal(self, name: str) -> Array:
        return self._constant(name).read()

    def _tensor(self, constant: Constant) -> Tensor:
        if constant.element.name == "string":
            raise self.refuse(f"'{constant.name}' is text where numbers are needed")
        array = np.asarray(constant.read())
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        tensor = torch.from_numpy(np.ascontiguousarray(array)).reshape(constant.shape)
        tensor = tensor.to(torch_type(constant.element))
        if tensor.data_ptr() != array.ctypes.data:
            constant.release()
        if not tensor.is_floating_point():
            return tensor
        rounds = self._precision == "fp16" and not constant.number
        return round_to_half(tensor) if rounds else tensor


Function = Callable[[View], Call]


class Table(Registry[Function]):
    """Operations by the specification's own names; `mil` joins those of its modules."""

    def prepare(self, view: View) -> Call:
        return self.functions[view.operation.type](view)


def torch_type(element: ElementType) -> torch.dtype:
    """The torch type in which values of ``element`` are computed: fp32 for every float; the wider
    unsigned integers, for which torch has no arithmetic, as the next signed type."""
    if element.is_float:
        return torch.float32
    if element.name not in _TORCH_TYPES:
        raise UnsupportedOperation(f"A value of type {element.name} cannot be computed.")
    return _TORCH_TYPES[element.name]


_TORCH_TYPES = {
    "bool": torch.bool,
    "int4": torch.int8, "int8": torch.int8, "int16": torch.int16, "int32": torch.int32,
    "int64": torch.int64, "uint8": torch.uint8, "uint16": torch.int32, "uint32": torch.int64,
    "uint64": torch.int64,
    **dict.fromkeys(("uint1", "uint2", "uint3", "uint4", "uint6"), torch.uint8),
}  # fmt: skip


def rounds(value: Value, precision: Precision) -> bool:
    """Whether a plan of this precision rounds ``value`` to fp16."""
    if value.inner:
        return False
    if precision == "declared":
        return value.element.name == "fp16"
    return precision == "fp16" and value.element.is_float


def round_to_half(tensor: Tensor) -> Tensor:
    """Round fp32 to the nearest fp16 value; beyond 65504 it becomes infinite, as in fp16."""
    return tensor.half().float()
