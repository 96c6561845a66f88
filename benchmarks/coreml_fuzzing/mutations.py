"""Damage to a saved model: bytes, fields of its messages, records of its weights, its files."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from coreml_fuzzing.messages import Case, immediate

_INTEGERS = (
    0, 1, 2, 3, 5, 7, 8, 63, 64, 65, 100, 255, 256, 1000, 65535, 65536, 1 << 20, 1 << 28,
    (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 53, 1 << 62, (1 << 63) - 1,
    1 << 63, (1 << 64) - 64, (1 << 64) - 1,
)  # fmt: skip
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, 3.5e38, float("inf"), float("-inf"), float("nan"))
_TEXTS = (
    "", "x", "main", "CoreML8", "\0", "../" * 8 + "etc/passwd", "/etc/passwd", "@model_path/",
    "@model_path/weights", "@model_path/../model.mlmodel", "@model_path/model.mlmodel", "é" * 50,
    "a" * 100_000, "same", "valid", "custom", "fp16", "int32", "const", "classify", "name", "val",
    "{0}", "%s",
)  # fmt: skip
_ARGUMENTS = (
    "x", "y", "a", "b", "axis", "axes", "shape", "perm", "begin", "end", "size", "indices", "cond",
    "data", "values", "mode", "pad", "reps", "alpha", "beta", "epsilon", "weight", "bias", "gamma",
    "dtype", "keep_dims", "num_splits", "split_sizes", "kernel_sizes", "strides", "pad_type",
)  # fmt: skip
_IMMEDIATES: tuple[Any, ...] = (
    0, 1, -1, 2, 7, -8, 1 << 30, -(1 << 31), True, False, 0.5, float("nan"), (), (0,), (-1,),
    (1, 2), (0, 0), (2, 3), (-1, -1), (1, 1, 1), (0, 1, 2, 3), (1, 1, 1, 1), (1 << 30, 1 << 30),
    (0, 2, 3, 1), (5,) * 4, tuple(range(40)), (0.5, 2.0), (True, False), "=same", "=fp16",
    "=constant", "=nonsense", "=BILINEAR",
)  # fmt: skip


def mutate(case: Case, rng: random.Random, *, types: Sequence[str], donors: Sequence[Case]) -> Case:
    """A damaged copy of ``case``.

    Args:
        types: operation types the runtime knows, to rename operations to.
        donors: models whose messages may be grafted in.
    """
    case = case.copy()
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if isinstance(case.spec, bytes):
            break
        _message(case, rng, types, donors)
    dice = rng.random()
    if dice < 0.15:
        spec = case.spec if isinstance(case.spec, bytes) else case.spec.SerializePartialToString()
        case.spec = _bytes(spec, rng)
    if case.weights is not None:
        if dice < 0.3:
            case.weights = rng.choice((_bytes, _record))(case.weights, rng)
        if 0.15 < dice < 0.2:
            case.manifest = rng.choice((_bytes, _json))(case.manifest, rng)
        if dice > 0.98:
            case.links = (rng.choice(_LINKS),)
    return case


_LINKS = (
    ("Manifest.json", "/dev/zero"),
    ("Manifest.json", "Manifest.json"),
    ("Data", "/etc"),
    ("Data", "/"),
    ("Data", "../moved"),
    ("Data/com.apple.CoreML/weights/weight.bin", "/dev/zero"),
    ("Data/com.apple.CoreML/weights/weight.bin", "weight.bin"),
    ("Data/com.apple.CoreML/weights/weight.bin", ".."),
    ("Data/com.apple.CoreML/weights", "/etc"),
    ("Data/com.apple.CoreML/model.mlmodel", "/dev/zero"),
    ("Data/com.apple.CoreML/model.mlmodel", "weights/weight.bin"),
    ("Data/com.apple.CoreML/model.mlmodel", "."),
)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(content) + 1)
        span = slice(at, at + rng.choice((1, 1, 4, 16, 64)))
        choice = rng.randrange(6)
        if choice == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif choice == 1 and at < len(content):
            content[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif choice == 2:
            del content[span]
        elif choice == 3:
            content[at:at] = content[span]
        elif choice == 4:
            content[at:at] = rng.randbytes(rng.choice((1, 4, 16)))
        elif choice == 5 and rng.random() < 0.3:
            del content[at:]
    return bytes(content)


def _record(data: bytes, rng: random.Random) -> bytes:
    """One number of one record of the weight file, or of its header."""
    content = bytearray(data)
    starts = [i for i in range(0, len(data) - 63, 64) if data[i : i + 4] == b"\xef\xbe\xad\xde"]
    at = rng.choice([0, *starts])
    code, offset = rng.choice((("<I", 0), ("<I", 4), ("<Q", 8), ("<Q", 16), ("<Q", 24)))
    limit = 1 << (32 if code == "<I" else 64)
    old = int.from_bytes(content[at + offset : at + offset + struct.calcsize(code)], "little")
    struct.pack_into(code, content, at + offset, _integer(rng, old) % limit)
    return bytes(content)


def _json(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        (
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"1" * 10_000,
            data.replace(b'"A"', rng.choice((b"null", b"[]", b"{}", b"1e999", b"NaN", b'"B"'))),
            data.replace(b"com.apple.CoreML/model.mlmodel", rng.choice(_TEXTS).encode()),
            data.replace(b'"com.apple.CoreML/model.mlmodel"', b'["\\ud800"]'),
            data.replace(b"com.apple.CoreML/model.mlmodel", b"\\ud800"),
            data.replace(b"com.apple.CoreML/model.mlmodel", b"\\u0000"),
            b"\xff\xfe" + data,
            data.decode("utf-8", "replace").encode("utf-16"),
        )
    )


def _message(case: Case, rng: random.Random, types: Sequence[str], donors: Sequence[Case]) -> None:
    messages = list(_walk(case.spec))
    action: Callable[[], None] = rng.choice(
        (
            lambda: _field(messages, rng),
            lambda: _field(messages, rng),
            lambda: _field(messages, rng),
            lambda: _repeat(messages, rng),
            lambda: _graft(messages, rng, donors),
            lambda: _operation(messages, rng, types),
            lambda: _operation(messages, rng, types),
            lambda: _nest(case, messages, rng),
        )
    )
    action()


def _walk(message: Any, depth: int = 0) -> Iterator[Any]:
    yield message
    if depth > 60:
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in sorted(value):
                    yield from _walk(value[key], depth + 1)
        elif _repeated(field):
            for item in value:
                yield from _walk(item, depth + 1)
        else:
            yield from _walk(value, depth + 1)


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _scalar(field: Any, rng: random.Random, old: Any) -> Any:
    kinds = field.__class__
    if field.cpp_type in {kinds.CPPTYPE_INT32, kinds.CPPTYPE_INT64, kinds.CPPTYPE_ENUM}:
        bits = 64 if field.cpp_type == kinds.CPPTYPE_INT64 else 32
        value = _integer(rng, old) % (1 << bits)
        return value - (1 << bits) if value >> (bits - 1) else value
    if field.cpp_type in {kinds.CPPTYPE_UINT32, kinds.CPPTYPE_UINT64}:
        return _integer(rng, old) % (1 << (64 if field.cpp_type == kinds.CPPTYPE_UINT64 else 32))
    if field.cpp_type in {kinds.CPPTYPE_FLOAT, kinds.CPPTYPE_DOUBLE}:
        return rng.choice(_FLOATS)
    if field.cpp_type == kinds.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if field.type == kinds.TYPE_BYTES:
        return _bytes(bytes(old), rng)
    return rng.choice(_TEXTS)


def _integer(rng: random.Random, old: int) -> int:
    close = old + rng.choice((-64, -1, 1, 64))
    return rng.choice((close, close, -old, old * 2, rng.choice(_INTEGERS), rng.choice(_INTEGERS)))


def _field(messages: list[Any], rng: random.Random) -> None:
    """Change, clear or set one field that holds a scalar."""
    message = rng.choice(messages)
    fields = [f for f in message.DESCRIPTOR.fields if f.message_type is None]
    present = [f for f, _ in message.ListFields() if f.message_type is None]
    if not fields:
        return
    field = rng.choice(present) if present and rng.random() < 0.8 else rng.choice(fields)
    if rng.random() < 0.1:
        message.ClearField(field.name)
        return
    if not _repeated(field):
        setattr(message, field.name, _scalar(field, rng, getattr(message, field.name)))
        return
    values = getattr(message, field.name)
    if len(values) and rng.random() < 0.7:
        at = rng.randrange(len(values))
        values[at] = _scalar(field, rng, values[at])
    else:
        filler = values[0] if len(values) else b"" if field.type == field.TYPE_BYTES else 0
        values.extend([_scalar(field, rng, filler)] * rng.choice((1, 1, 2, 40)))


def _repeat(messages: list[Any], rng: random.Random) -> None:
    """Drop, double or swap elements of one repeated field."""
    choices = [
        (m, f)
        for m in messages
        for f, _ in m.ListFields()
        if _repeated(f) and not (f.message_type and f.message_type.GetOptions().map_entry)
    ]
    if not choices:
        return
    message, field = rng.choice(choices)
    values = getattr(message, field.name)
    items = list(values)
    at, other = rng.randrange(len(items)), rng.randrange(len(items))
    choice = rng.randrange(4)
    if choice == 0:
        del items[at]
    elif choice == 1:
        items.insert(other, items[at])
    elif choice == 2:
        items[at], items[other] = items[other], items[at]
    else:
        items = []
    kept = [type(item).FromString(item.SerializePartialToString()) if field.message_type else item
            for item in items]  # fmt: skip
    del values[:]
    values.extend(kept)


def _graft(messages: list[Any], rng: random.Random, donors: Sequence[Case]) -> None:
    """Replace a message by another of its type, or clear it."""
    message = rng.choice(messages[1:] or messages)
    if rng.random() < 0.2:
        message.Clear()
        return
    foreign = rng.choice(donors).spec
    pool = [*_walk(foreign), *messages]
    same = [m for m in pool if m.DESCRIPTOR.full_name == message.DESCRIPTOR.full_name]
    donor = rng.choice(same)
    content = donor.SerializePartialToString()
    message.Clear()
    message.MergeFromString(content)


def _operation(messages: list[Any], rng: random.Random, types: Sequence[str]) -> None:
    """Rename an operation, or bind, unbind or replace one of its arguments; of a layer, change the
    type or the connections."""
    operations = [m for m in messages if m.DESCRIPTOR.name == "Operation"]
    if not operations:
        _layer(messages, rng)
        return
    operation = rng.choice(operations)
    choice = rng.randrange(6)
    if choice == 0:
        operation.type = rng.choice(types)
    elif choice == 1 and operation.inputs:
        del operation.inputs[rng.choice(sorted(operation.inputs))]
    elif choice == 2:
        names = [o.name for op in operations for o in op.outputs] or ["x"]
        argument = operation.inputs[rng.choice((*sorted(operation.inputs), *_ARGUMENTS))]
        argument.arguments.add().name = rng.choice(names)
    elif choice == 3:
        operation.attributes[rng.choice(_ARGUMENTS)].Clear()
    else:
        keys = sorted(operation.inputs) * 3
        argument = operation.inputs[rng.choice((*keys, *_ARGUMENTS))]
        argument.Clear()
        immediate(argument.arguments.add().value, rng.choice(_IMMEDIATES))


def _layer(messages: list[Any], rng: random.Random) -> None:
    layers = [m for m in messages if m.DESCRIPTOR.name == "NeuralNetworkLayer"]
    if not layers:
        return
    layer = rng.choice(layers)
    choice = rng.randrange(3)
    if choice == 0:
        fields = layer.DESCRIPTOR.oneofs_by_name["layer"].fields
        getattr(layer, rng.choice(fields).name).SetInParent()
    elif choice == 1:
        names = [name for m in layers for name in m.output] or ["x"]
        layer.input.append(rng.choice(names))
    elif layer.WhichOneof("layer"):
        params = getattr(layer, layer.WhichOneof("layer"))
        for field in params.DESCRIPTOR.fields:
            if field.message_type is not None and not _repeated(field) and rng.random() < 0.3:
                getattr(params, field.name).SetInParent()


def _nest(case: Case, messages: list[Any], rng: random.Random) -> None:
    """Wrap a recursive message many times; protobuf itself stops near a depth of 100."""
    depth = rng.choice((2, 10, 30, 90, 200, 2000))
    kinds = {"ValueType", "Value", "Operation", "Model"}
    targets = [m for m in messages if m.DESCRIPTOR.name in kinds]
    if not targets:
        return
    message = rng.choice(targets)
    for _ in range(depth):
        name = message.DESCRIPTOR.name
        if name == "ValueType":
            message.listType.type.SetInParent()
            message = message.listType.type
        elif name == "Value":
            message = message.immediateValue.list.values.add()
        elif name == "Operation":
            message = message.blocks.add().operations.add()
        else:
            message = message.pipeline.models.add()
    if depth > 90:  # copying such a message would fail here instead of in the runtime
        case.spec = case.spec.SerializePartialToString()
