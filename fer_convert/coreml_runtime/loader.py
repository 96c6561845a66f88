"""From a path to a `Program`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.coreml_runtime.description import read_description
from fer_convert.coreml_runtime.errors import UnsupportedOperation
from fer_convert.coreml_runtime.mil_reader import read_program
from fer_convert.coreml_runtime.nn_reader import FLAVOURS, read_network
from fer_convert.coreml_runtime.package import open_model
from fer_convert.coreml_runtime.program import Format, Program

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.registry import Table


def load(path: Path | str) -> Program:
    """Read a saved ``.mlmodel`` or ``.mlpackage`` and check it as far as possible without running
    it.

    The layout is recognised by content, not by suffix. Weights of an ML Program stay in the mapped
    file until the first run.

    Raises:
        NotFound: nothing is at ``path``.
        ArtefactError: not a Core ML model, truncated, damaged, or reaching outside its folder.
        UnsupportedOperation: operations (all are named) or features that the runtime lacks.
    """
    saved = open_model(path)
    kind = saved.spec.WhichOneof("Type")
    description = read_description(saved.spec)
    table: Table
    format_name: Format
    if kind == "mlProgram":
        from fer_convert.coreml_runtime.mil_ops import MIL as table

        format_name, graph = "mlprogram", read_program(saved)
    elif kind in FLAVOURS:
        from fer_convert.coreml_runtime.nn_layers import LAYERS as table

        format_name, graph = "neuralnetwork", read_network(saved.spec, description)
    else:
        raise UnsupportedOperation(
            f"{path} holds a {kind}; supported are mlProgram, {', '.join(FLAVOURS)}."
        )
    table.check(operation.type for operation in graph.operations)
    return Program(
        path=saved.path,
        format=format_name,
        spec_version=int(saved.spec.specificationVersion),
        description=description,
        graph=graph,
        table=table,
    )
