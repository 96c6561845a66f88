"""TorchScript -> ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.artefact import INPUT_NAME, SCHEMA, Description
from fer_convert.source.model import Source
from fer_train.contract.files import atomic_write

if TYPE_CHECKING:
    import torch

#: Old enough for every onnxruntime of the last years, new enough for all six networks.
OPSET = 17

#: The logits are divided by the checkpoint's temperature: the probabilities are their softmax.
OUTPUT_NAMES = ("probabilities", "logits")


def save_onnx(
    traced: torch.jit.ScriptModule, path: Path, *, source: Source, description: Description
) -> None:
    """Write an ONNX file with a dynamic batch axis and the contract in ``metadata_props``."""
    import onnx
    import torch

    from fer_convert.export.network import example_input

    names = (INPUT_NAME, *OUTPUT_NAMES)
    with atomic_write(path) as temporary:
        # dynamo=False: the exporter for TorchScript; the other one needs onnxscript.
        torch.onnx.export(
            traced,
            (example_input(source),),
            str(temporary),
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_axes={name: {0: "batch"} for name in names},
            dynamo=False,
        )
        model = onnx.load(str(temporary))
        model.doc_string = description.summary
        onnx.helper.set_model_props(
            model,
            {
                SCHEMA: description.contract,
                "author": description.author,
                "license": description.license,
                "version": description.version,
            },
        )
        onnx.checker.check_model(model)
        temporary.write_bytes(model.SerializeToString())
