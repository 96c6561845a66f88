"""From a path to a `Program` or a `Pipeline` of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fer_convert.coreml_runtime.description import Description, function_name, read_description
from fer_convert.coreml_runtime.errors import ArtefactError, UnsupportedOperation
from fer_convert.coreml_runtime.graph import Graph
from fer_convert.coreml_runtime.pipeline import Pipeline
from fer_convert.coreml_runtime.program import Format, Program
from fer_convert.coreml_runtime.read.mil_program import read_program
from fer_convert.coreml_runtime.read.nn_network import FLAVOURS, read_network
from fer_convert.coreml_runtime.read.saved_model import SavedModel, open_model

_PIPELINES = {"pipeline", "pipelineClassifier", "pipelineRegressor"}


def load(path: Path | str, *, function: str | None = None) -> Program | Pipeline:
    """Read a saved ``.mlmodel`` or ``.mlpackage`` and check it as far as possible without running
    it.

    The layout is recognised by content, not by suffix. Weights of an ML Program stay in the mapped
    file until the first run.

    Args:
        function: which function of an ML Program with several; None takes its default one.

    Raises:
        NotFound: nothing is at ``path``.
        ArtefactError: not a Core ML model, truncated, damaged, or reaching outside its folder.
        UnsupportedOperation: operations (all are named) or features that the runtime lacks.
    """
    saved = open_model(path)
    if saved.spec.WhichOneof("Type") in _PIPELINES:
        if function is not None:
            raise ArtefactError(f"{saved.path} is a pipeline, which has no function '{function}'.")
        return load_pipeline(saved)
    return load_saved(saved, function=function)


def load_program(path: Path | str, *, function: str | None = None) -> Program:
    """`load` where only a single model will do.

    Raises:
        UnsupportedOperation: it is a pipeline. And whatever `load` raises.
    """
    return load_saved(open_model(path), function=function)


def load_pipeline(saved: SavedModel) -> Pipeline:
    """Load every model of a pipeline, which may be pipelines again."""
    spec = saved.spec
    holder = getattr(spec, spec.WhichOneof("Type"))
    members = [
        SavedModel(saved.path, saved.folder, model, saved.payloads)
        for model in (holder if spec.HasField("pipeline") else holder.pipeline).models
    ]
    return Pipeline(
        path=saved.path,
        spec_version=int(spec.specificationVersion),
        description=read_description(spec),
        models=[
            load_pipeline(member)
            if member.spec.WhichOneof("Type") in _PIPELINES
            else load_saved(member)
            for member in members
        ],
    )


def load_saved(saved: SavedModel, *, function: str | None = None) -> Program:
    """`load_program` for a specification that is in memory already."""
    kind = saved.spec.WhichOneof("Type")
    description = read_description(saved.spec, function)
    format_name: Format
    from fer_convert.coreml_runtime.reference.mil import MIL  # which imports torch

    if kind == "mlProgram":
        format_name = "mlprogram"
        graph = read_program(saved, function_name(saved.spec, function), MIL)
    elif kind in FLAVOURS:
        format_name, graph = "neuralnetwork", read_network(saved.spec, description, saved.payloads)
        _check_ranks(graph)
    else:
        raise UnsupportedOperation(
            f"{saved.path} holds a {kind}; supported are mlProgram, {', '.join(FLAVOURS)}, and "
            f"pipelines of them."
        )
    _check_features(graph, description)
    # A value that is handed out twice is one output.
    description = replace(description, outputs=tuple(dict.fromkeys(description.outputs)))
    return Program(
        path=saved.path,
        format=format_name,
        spec_version=int(saved.spec.specificationVersion),
        description=description,
        graph=graph,
        table=MIL,
    )


def _check_ranks(graph: Graph) -> None:
    """A NeuralNetwork knows no scalars: its layers count dimensions from 1 on."""
    for value in graph.inputs:
        if value.shape == ():
            raise ArtefactError(f"The network's input '{value.name}' declares no shape.")


def _check_features(graph: Graph, description: Description) -> None:
    """What the description declares and what the graph reads and computes must be the same."""
    declared = Counter(feature.name for feature in description.outputs)
    handed_out = Counter(graph.outputs)
    names = [
        *_twice(feature.name for feature in description.inputs),
        # One value may be handed out twice: then it is declared twice, both times alike.
        *_twice(feature.name for feature in dict.fromkeys(description.outputs)),
        *(name for name, count in declared.items() if count > max(1, handed_out[name])),
        *_twice(value.name for value in graph.inputs),
    ]
    if names:
        raise ArtefactError(f"The model declares '{names[0]}' more than once.")
    inputs = {feature.name for feature in description.inputs}
    outputs = {feature.name: feature.kind for feature in description.outputs}
    for value in graph.inputs:
        if value.name not in inputs:
            raise ArtefactError(
                f"The program reads the input '{value.name}', which the model does not declare."
            )
    for name in graph.outputs:
        if name not in outputs:
            raise ArtefactError(
                f"The program computes the output '{name}', which the model does not declare."
            )
    for name, kind in outputs.items():
        if kind in {"array", "image"} and name not in graph.outputs:
            raise ArtefactError(
                f"The model declares the output '{name}', which the program does not compute."
            )
    if not graph.outputs and graph.classifier is None:
        raise ArtefactError("The model computes no output.")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
