"""Saved packages with chosen bytes changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_convert.coreml_runtime.read.proto import proto_module

SPEC = Path("Data/com.apple.CoreML/model.mlmodel")


def edit_block(package: Path, edit: Callable[[Any], None]) -> None:
    spec = proto_module("Model_pb2").Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    main = spec.mlProgram.functions["main"]
    edit(main.block_specializations[main.opset])
    (package / SPEC).write_bytes(spec.SerializeToString())


def first_blob(block: Any) -> Any:
    return next(
        op.attributes["val"].blobFileValue
        for op in block.operations
        if op.type == "const" and op.attributes["val"].WhichOneof("value") == "blobFileValue"
    )
