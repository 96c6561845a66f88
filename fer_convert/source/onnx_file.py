"""Read an ONNX file: FER models are often published only so. The labels and pixels must be given.

The package ``onnx2torch`` (extra ``onnx-in``) makes a PyTorch network of it, from which everything
else is built; but what judges the artefacts is onnxruntime on the file as it was given.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_convert.source.form import Form, find_form
from fer_convert.source.given import Given, assumptions, require_words
from fer_convert.source.model import Source, make_source
from fer_convert.source.onnx_pads import with_numbers
from fer_convert.source.onnx_session import OnnxSession
from fer_convert.source.scores import adapt
from fer_convert.source.tracing import trace_in_form
from fer_train.contract.errors import (
    CheckpointCorrupt,
    CheckpointError,
    ConversionFailed,
    InstallationBroken,
    NonFiniteWeights,
)

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

#: The oldest opset whose operations onnx2torch has; older files are brought up to the second.
_OLDEST_OPSET, _BROUGHT_TO = 9, 13


def from_onnx(file: Path, given: Given) -> Source:
    """Load an ONNX file as a network that takes one image.

    Raises:
        CheckpointError: something is not given, or it is no classifier of one float image.
        CheckpointCorrupt, NonFiniteWeights, LabelMismatch: see the contract.
        ConversionFailed: it has an operation that onnx2torch lacks.
        InstallationBroken: onnx2torch is not installed.
    """
    labels, spec = require_words(file, given, kind="an ONNX file")
    model = _read(file)
    _refuse_training(file, model)
    _refuse_broken_weights(file, model)
    session = OnnxSession(file)
    form = find_form(file, session.run, spec=spec, batches=session.batch_sizes)
    network = _to_torch(file, model, form, spec.input_size)
    program = trace_in_form(file, network, form=form, spec=spec)
    adapted = adapt(
        program,
        spec=spec,
        labels=labels,
        output=session.position(given.output),
        file=file,
        form=form,
    )
    return make_source(
        file,
        kind="onnx",
        architecture=given.arch or "onnx",
        labels=labels,
        spec=spec,
        network=adapted.network.eval(),
        reference=session.classifier(form=form, way=adapted.way, kind=adapted.kind),
        notes=(
            f"Read by onnx2torch; judged against {session.name} on {file.name} itself.",
            *assumptions(given),
            *adapted.notes,
        ),
    )


def _read(file: Path) -> ModelProto:
    import onnx

    try:
        return onnx.load(str(file))  # whether its graph is sound, onnxruntime says
    except Exception as error:  # protobuf's DecodeError lives in another module per implementation
        lines = str(error).strip().splitlines()
        raise CheckpointCorrupt(
            f"{file} is no readable ONNX file: {lines[0] if lines else 'it is cut or damaged'}.",
            hint="Weights in a file of their own (model.onnx.data) must lie beside it.",
        ) from error


def _refuse_training(file: Path, model: ModelProto) -> None:
    """Refuse BatchNorm and dropout that were exported in training mode."""
    found = []
    for node in model.graph.node:
        trains = any(a.name == "training_mode" and a.i for a in node.attribute)
        if node.op_type == "BatchNormalization" and (trains or len(node.output) > 1):
            found.append("BatchNormalization")
        if node.op_type == "Dropout" and len(node.input) > 2 and _is_true(model, node.input[2]):
            found.append("Dropout")
    if found:
        raise CheckpointError(
            f"{file} was exported in training mode: {', '.join(dict.fromkeys(found))} work in it "
            "as in training, so that its answers depend on chance or on the other images.",
            hint="Call model.eval() before torch.onnx.export, and leave out its training option.",
        )


def _is_true(model: ModelProto, name: str) -> bool:
    from onnx import numpy_helper

    constants = [t for t in model.graph.initializer if t.name == name]
    constants += [
        node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant" and node.output[0] == name and node.attribute
    ]
    return any(bool(numpy_helper.to_array(tensor).any()) for tensor in constants)


def _refuse_broken_weights(file: Path, model: ModelProto) -> None:
    import numpy as np
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise NonFiniteWeights(f"{file} holds NaN or infinite values, first in {tensor.name}.")


def _to_torch(file: Path, model: ModelProto, form: Form, side: int) -> nn.Module:
    try:
        from onnx2torch import convert
    except ImportError as error:
        raise InstallationBroken(
            f"{file} is an ONNX file; reading it needs the package onnx2torch.",
            hint="pip install 'fer-toolchain[onnx-in]'",
        ) from error
    try:
        network: nn.Module = convert(_folded(with_numbers(_modern(_with_shape(model, form, side)))))
    except Exception as error:  # a converter of many parts, each with its own exceptions
        lines = str(error).strip().splitlines()
        raise ConversionFailed(
            f"{file}: onnx2torch refuses this network.",
            hint=f"{type(error).__name__}: {lines[0] if lines else 'no message'}\n  If you have "
            "the network in PyTorch, give the TorchScript file that torch.jit.trace makes of it.",
        ) from error
    return network.float().eval().requires_grad_(False)


def _with_shape(model: ModelProto, form: Form, side: int) -> ModelProto:
    """Return a copy whose input has the one shape that is used, and no symbols."""
    copy: Any = type(model)()
    copy.CopyFrom(model)
    weights = {tensor.name for tensor in copy.graph.initializer}
    for value in copy.graph.input:
        if value.name not in weights:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for size in form.shape(side):
                shape.dim.add().dim_value = size
    result: ModelProto = copy
    return result


def _modern(model: ModelProto) -> ModelProto:
    """Bring a file of an old opset up to one whose operations onnx2torch has."""
    from onnx import version_converter

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    if opset >= _OLDEST_OPSET:
        return model
    return version_converter.convert_version(model, _BROUGHT_TO)


def _folded(model: ModelProto) -> ModelProto:
    """Return the graph with its constants computed, by onnxruntime's basic optimisation.

    onnx2torch wants weights to be initializers; exporters hide them behind Identity, and shapes
    behind arithmetic.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "folded.onnx")
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(str(path))
