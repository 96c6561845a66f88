"""ML Program (MIL) to graph: one function, its one block, constants folded away.

A program is a list of operations whose arguments are bound by name, either to an earlier result or
to a literal. Constants are operations too (``const``, and the ``constexpr_*`` family that stores
weights compressed); they become `Constant` arguments here, so what is left to execute computes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from fer_convert.coreml_runtime.element_types import MIL_TYPES, TYPES, ElementType
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import (
    Classifier,
    Constant,
    Graph,
    Operand,
    Operation,
    Value,
)
from fer_convert.coreml_runtime.limits import check_labels, check_weights
from fer_convert.coreml_runtime.read.compressed import EXPANSIONS
from fer_convert.coreml_runtime.read.mil_constants import ConstantReader
from fer_convert.coreml_runtime.read.saved_model import SavedModel
from fer_convert.coreml_runtime.sizes import check_shape

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.reference.operations import Table


OPSETS: Mapping[str, str] = {
    "CoreML5": "iOS 15", "CoreML6": "iOS 16", "CoreML7": "iOS 17", "CoreML8": "iOS 18",
    "CoreML9": "iOS 26",
}  # fmt: skip


def read_program(saved: SavedModel, function: str, table: Table) -> Graph:
    """Read one function of ``Model.mlProgram``.

    Raises:
        ArtefactError: the program is inconsistent, or a constant cannot be read.
        UnsupportedOperation: operations that ``table`` lacks, all of them named; an unknown opset,
            or more weights than fit in memory.
    """
    functions = saved.spec.mlProgram.functions
    if function not in functions:  # asking a protobuf map for a missing key would create it
        raise ArtefactError(
            f"The program has the functions {sorted(functions)}, and no '{function}'."
        )
    main = functions[function]
    if main.opset not in OPSETS:
        raise UnsupportedOperation(
            f"The program's function '{function}' is written in the opset '{main.opset}'; known "
            f"are {', '.join(f'{name} ({system})' for name, system in OPSETS.items())}."
        )
    if main.opset not in main.block_specializations:
        raise ArtefactError(f"The program's function has no block for its opset '{main.opset}'.")
    block = main.block_specializations[main.opset]
    # First of all: what the runtime lacks may hold blocks, lists or states that cannot be read.
    table.check(
        (message.type, _operation_name(message))
        for message in _with_nested(block)
        if message.type not in {"const", "classify", *EXPANSIONS}
    )
    reader = _BlockReader(ConstantReader(saved.folder), [_value(i) for i in main.inputs])
    for message in block.operations:
        reader.add(message)
    return reader.finish(outputs=tuple(block.outputs))


# Arguments that every operation takes as integers, and the one exception.
_INTEGERS = frozenset((
    "axes", "axis", "batch_dims", "begin", "box_indices", "dilations", "end", "groups", "indices",
    "kernel_sizes", "lengths", "one_hot_vector_size", "pad", "perm", "reps", "shape", "size",
    "split_sizes", "stride", "strides",
))  # fmt: skip


_NUMBER = ("range_1d", "end")


class _BlockReader:
    """Collects operations in file order; every name is defined once, before it is used."""

    def __init__(self, constants: ConstantReader, inputs: list[Value]) -> None:
        self._constants = constants
        self._inputs = tuple(inputs)
        self._known: dict[str, Operand] = {value.name: value.name for value in inputs}
        self._elements = {value.name: value.element for value in inputs}
        self._operations: list[Operation] = []
        self._classifier: Classifier | None = None
        self._label_outputs: set[str] = set()
        self._counts: Counter[str] = Counter()

    def add(self, message: Any) -> None:
        self._counts[message.type] += 1
        name = _operation_name(message)
        if message.blocks:
            raise UnsupportedOperation(
                f"{message.type} '{name}' holds operations of its own; the portable runtime has no "
                "control flow."
            )
        operation = Operation(
            type=message.type,
            name=name,
            arguments=self._arguments(message, name),
            outputs=tuple(_value(o) for o in message.outputs if _is_tensor(o))
            if message.type != "const"
            else (),
        )
        if message.type == "const":
            self._define(_only(message.outputs, name).name, self._const(message, name))
        elif message.type in EXPANSIONS:
            for constant in EXPANSIONS[message.type](operation):
                self._define(constant.name, constant)
        elif message.type == "classify":
            self._classifier = _classifier(operation)
            self._label_outputs |= {output.name for output in message.outputs}
        else:
            self._check_integers(operation)
            self._operations.append(operation)
            self._elements |= {output.name: output.element for output in operation.outputs}
            for output in operation.outputs:
                self._define(output.name, output.name)

    def finish(self, outputs: tuple[str, ...]) -> Graph:
        tensors = tuple(name for name in outputs if name not in self._label_outputs)
        for name in dict.fromkeys(tensors):
            if name not in self._known:
                raise ArtefactError(f"The program's output '{name}' is not computed by it.")
            constant = self._known[name]
            if isinstance(constant, Constant):
                self._operations.append(_handed_out(name, constant))
        check_weights(sum(map(_constant_elements, self._operations)))
        return Graph(
            inputs=self._inputs,
            outputs=tensors,
            operations=tuple(self._operations),
            classifier=self._classifier,
            counts=self._counts,
        )

    def _const(self, message: Any, name: str) -> Constant:
        if "val" not in message.attributes:
            raise ArtefactError(f"Constant '{name}' has no value.")
        return self._constants.read(message.attributes["val"], name)

    def _arguments(self, message: Any, name: str) -> dict[str, tuple[Operand, ...]]:
        bound = {
            key: tuple(self._operand(b, f"{name}.{key}") for b in argument.arguments)
            for key, argument in message.inputs.items()
        }
        # iOS 16's constexpr operations keep their data in attributes instead of inputs.
        for key, value in message.attributes.items():
            if key not in {"name", "val"}:
                bound[key] = (self._constants.read(value, f"{name}.{key}"),)
        return bound

    def _operand(self, binding: Any, where: str) -> Operand:
        if binding.WhichOneof("binding") == "value":
            return self._constants.read(binding.value, where)
        if binding.name not in self._known:
            raise ArtefactError(
                f"Argument {where} reads '{binding.name}', which nothing before it defines."
            )
        return self._known[binding.name]

    def _check_integers(self, operation: Operation) -> None:
        for name in _INTEGERS & operation.arguments.keys():
            for operand in operation.arguments[name]:
                element = self._elements[operand] if isinstance(operand, str) else operand.element
                if element.is_float and (operation.type, name) != _NUMBER:
                    raise ArtefactError(
                        f"{operation.label} has {element.name} as '{name}', which takes integers."
                    )

    def _define(self, name: str, operand: Operand) -> None:
        if name in self._known:
            raise ArtefactError(f"The value '{name}' is defined twice.")
        self._known[name] = operand


def _with_nested(block: Any) -> Iterator[Any]:
    """The operations of a block and of the blocks inside them, however deep."""
    blocks = [block]
    while blocks:
        for message in blocks.pop().operations:
            yield message
            blocks += message.blocks


def _handed_out(name: str, constant: Constant) -> Operation:
    """An operation that computes an output which is a constant."""
    value = Value(name=name, element=_computed(constant.element, name), shape=constant.shape)
    return Operation(type="identity", name=name, arguments={"x": (constant,)}, outputs=(value,))


def _constant_elements(operation: Operation) -> int:
    bound = (operand for operands in operation.arguments.values() for operand in operands)
    return sum(prod(operand.shape) for operand in bound if isinstance(operand, Constant))


def _classifier(operation: Operation) -> Classifier:
    scores = operation.arguments.get("probabilities", ())
    classes = operation.arguments.get("classes", ())
    if len(scores) != 1 or not isinstance(scores[0], str):
        raise ArtefactError(f"classify '{operation.name}' does not read computed probabilities.")
    if len(classes) != 1 or not isinstance(classes[0], Constant):
        raise ArtefactError(f"classify '{operation.name}' has no constant list of classes.")
    if classes[0].element.name not in {"string", "int64"}:
        raise UnsupportedOperation(
            f"classify '{operation.name}' has {classes[0].element.name} labels; only strings and "
            "int64 are supported."
        )
    check_labels(prod(classes[0].shape))
    kind = str if classes[0].element.name == "string" else int
    return Classifier(scores=scores[0], labels=tuple(map(kind, classes[0].read().reshape(-1))))


def _value(message: Any) -> Value:
    if not _is_tensor(message):
        kind = message.type.WhichOneof("type")
        raise UnsupportedOperation(
            f"The value '{message.name}' is {kind or 'of no type'}, not a tensor; models with "
            "state, and lists, are not supported."
        )
    tensor = message.type.tensorType
    element = _element(tensor.dataType, message.name)
    # The rank itself is only known at run time.
    if tensor.rank < 0 or any(d.unknown.variadic for d in tensor.dimensions):
        return Value(name=message.name, element=element, shape=None)
    shape = tuple(
        int(d.constant.size) if d.WhichOneof("dimension") == "constant" else None
        for d in tensor.dimensions
    )
    check_shape([size or 0 for size in shape], f"The value '{message.name}'")
    return Value(name=message.name, element=element, shape=shape)


def _element(number: int, name: str) -> ElementType:
    if number not in MIL_TYPES:
        raise UnsupportedOperation(f"The value '{name}' has element type {number} of MIL.proto.")
    return _computed(TYPES[MIL_TYPES[number]], name)


def _computed(element: ElementType, name: str) -> ElementType:
    if element.only_stored:
        raise UnsupportedOperation(
            f"The value '{name}' is computed as {element.name}; the portable runtime only reads "
            "constants of that type."
        )
    return element


def _is_tensor(message: Any) -> bool:
    return bool(message.type.WhichOneof("type") == "tensorType")


def _operation_name(message: Any) -> str:
    stored = (
        message.attributes["name"].immediateValue.tensor.strings.values
        if ("name" in message.attributes)
        else ()
    )
    if stored:
        return str(stored[0])
    return str(message.outputs[0].name) if message.outputs else f"unnamed {message.type}"


def _only(outputs: Iterable[Any], name: str) -> Any:
    found = list(outputs)
    if len(found) != 1:
        raise ArtefactError(f"Operation '{name}' has {len(found)} outputs instead of one.")
    return found[0]
