"""Saved models in parts, and a writer of ML Programs as specification messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.coreml_runtime.element_types import BLOB_TYPES, MIL_TYPES, TYPES, ElementType
from fer_convert.coreml_runtime.read.proto import proto_module

SPEC_FILE = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHT_FILE = Path("Data/com.apple.CoreML/weights/weight.bin")
MANIFEST = {
    "fileFormatVersion": "1.0.0",
    "itemInfoEntries": {
        "A": {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel"},
        "B": {"path": "com.apple.CoreML/weights", "name": "weights"},
    },
    "rootModelIdentifier": "A",
}

_NUMBERS = {name: number for number, name in MIL_TYPES.items()}
_BLOB_NUMBERS = {name: number for number, name in BLOB_TYPES.items()}
FP32, FP16, INT32 = 65568, 65552, 131104  # ArrayFeatureType.ArrayDataType


@dataclass
class Case:
    """A saved model in parts. ``spec`` is bytes once its wire form is damaged; ``weights`` None
    makes it a ``.mlmodel`` file, otherwise it is a package; ``links`` are made last."""

    name: str
    spec: Any
    weights: bytes | None = None
    manifest: bytes = b""
    links: tuple[tuple[str, str], ...] = ()

    def copy(self) -> Case:
        return deepcopy(self)

    def write(self, folder: Path) -> Path:
        """Save it below the empty ``folder``; returns what to load."""
        spec = self.spec if isinstance(self.spec, bytes) else self.spec.SerializePartialToString()
        if self.weights is None:
            path = folder / "model.mlmodel"
            path.write_bytes(spec)
            return path
        package = folder / "model.mlpackage"
        (package / WEIGHT_FILE).parent.mkdir(parents=True)
        (package / "Manifest.json").write_bytes(self.manifest)
        (package / SPEC_FILE).write_bytes(spec)
        (package / WEIGHT_FILE).write_bytes(self.weights)
        for name, target in self.links:
            link = package / name
            if link.is_dir():
                link.rename(folder / "moved")
            else:
                link.unlink(missing_ok=True)
            link.symlink_to(target)
        return package


class Block:
    """Writes one ML Program, its immediate values and its weight file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec = proto_module("Model_pb2").Model()
        self.spec.specificationVersion = 9
        self.function = self.spec.mlProgram.functions["main"]
        self.function.opset = "CoreML8"
        self.block = self.function.block_specializations["CoreML8"]
        self.weights = bytearray(struct.pack("<II", 0, 2).ljust(64, b"\0"))

    def input(self, name: str, shape: Sequence[int], element: str = "fp32") -> str:
        entry = self.function.inputs.add(name=name)
        tensor_type(entry.type.tensorType, element, shape)
        return name

    def declare(self, name: str, shape: Sequence[int], data_type: int = FP32) -> Any:
        array = self.spec.description.input.add(name=name).type.multiArrayType
        array.shape.extend(shape)
        array.dataType = data_type
        return array

    def blob(self, name: str, array: Any, element: str = "fp16") -> str:
        """A ``const`` in the weight file; packed types are given as one integer per element, bf16
        and fp8 as their bits."""
        array = np.asarray(array)
        message = self.block.operations.add(type="const")
        message.outputs.add(name=name)
        tensor_type(message.outputs[0].type.tensorType, element, array.shape)
        self.store(message.attributes["val"], array, element)
        return name

    def store(self, value: Any, array: Any, element: str) -> None:
        tensor_type(value.type.tensorType, element, array.shape)
        bits = TYPES[element].bits
        if bits % 8:
            planes = (array.reshape(-1, 1) >> np.arange(bits)) & 1
            data = np.packbits(planes.astype(np.uint8), bitorder="little").tobytes()
        else:
            data = array.astype(_stored(TYPES[element])).tobytes()
        start = len(self.weights)
        kind, padding = _BLOB_NUMBERS[element], -bits * array.size % 8
        record = struct.pack("<IIQQQ", 0xDEADBEEF, kind, len(data), start + 64, padding)
        self.weights += record.ljust(64, b"\0") + data + bytes(-len(data) % 64)
        value.blobFileValue.fileName = "@model_path/weights/weight.bin"
        value.blobFileValue.offset = start

    def do(
        self,
        kind: str,
        name: str,
        shape: Sequence[int | None],
        element: str = "fp32",
        /,  # an argument may be called shape
        **bound: Any,
    ) -> str:
        """One operation; a string names an earlier value, a list several, else an immediate."""
        message = self.operation(kind, name, shape, element)
        for key, value in bound.items():
            for item in value if isinstance(value, list) else [value]:
                binding = message.inputs[key].arguments.add()
                if isinstance(item, str) and not item.startswith("="):
                    binding.name = item
                else:
                    immediate(binding.value, item)
        return name

    def operation(self, kind: str, name: str, shape: Sequence[int | None], element: str) -> Any:
        """The message of an operation without arguments, of one result with its own name."""
        message = self.block.operations.add(type=kind)
        message.attributes["name"].immediateValue.tensor.strings.values.append(name)
        tensor_type(message.attributes["name"].type.tensorType, "string", ())
        tensor_type(message.outputs.add(name=name).type.tensorType, element, shape)
        return message

    def output(self, name: str) -> None:
        self.block.outputs.append(name)
        self.spec.description.output.add(name=name).type.multiArrayType.dataType = FP32

    def case(self) -> Case:
        self.weights[0:4] = struct.pack("<I", bytes(self.weights).count(b"\xef\xbe\xad\xde"))
        return Case(self.name, self.spec, bytes(self.weights), json.dumps(MANIFEST).encode())


def immediate(value: Any, given: Any) -> None:
    """Fill a MIL ``Value`` with a number, text, a truth value or a list of integers."""
    tensor = value.immediateValue.tensor
    if isinstance(given, str):
        tensor_type(value.type.tensorType, "string", ())
        tensor.strings.values.append(given.removeprefix("="))
        return
    array = np.asarray(given)
    kind = {"b": "bool", "i": "int32", "f": "fp32"}[array.dtype.kind]
    tensor_type(value.type.tensorType, kind, array.shape)
    field = {"bool": tensor.bools, "int32": tensor.ints, "fp32": tensor.floats}[kind]
    field.values.extend(array.reshape(-1).tolist())


def _stored(element: ElementType) -> Any:
    return f"<u{element.bits // 8}" if element.only_stored else element.numpy


def tensor_type(message: Any, element: str, shape: Sequence[int | None]) -> None:
    message.dataType = _NUMBERS[element]
    message.rank = len(shape)
    for size in shape:
        if size is None:
            message.dimensions.add().unknown.variadic = False
        else:
            message.dimensions.add().constant.size = size
