"""TorchScript -> ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_convert.artefact import INPUT_NAME, SCHEMA, Description
from fer_convert.export.refusal import reason_in_one_line
from fer_convert.source.model import Source
from fer_train.contract.files import atomic_write

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Old enough for every onnxruntime of the last years, new enough for all six networks.
OPSET = 17

#: The logits are divided by the checkpoint's temperature: the probabilities are their softmax.
OUTPUT_NAMES = ("probabilities", "logits")

#: onnxruntime's severity above which it logs nothing.
_FATAL = 4


def save_onnx(
    traced: torch.jit.ScriptModule, path: Path, *, source: Source, description: Description
) -> str:
    """Write an ONNX file with the contract in ``metadata_props``.

    Its batch axis is free where the exporter can make it so, and where the file then gives every
    picture of a batch the answer that it gives it alone; else it takes one picture at a time.

    Returns:
        A note for the report: empty, or why the batch is fixed.
    """
    from fer_convert.export.network import example_input

    example = example_input(source)
    with atomic_write(path) as temporary:
        try:
            _export(traced, temporary, example, free_batch=True)
            trouble = _batch_trouble(temporary, tuple(example.shape[1:]))
        except MemoryError:
            raise
        except Exception as error:  # torch and onnxruntime have their own kinds
            trouble = reason_in_one_line(error)
        if trouble is not None:
            _export(traced, temporary, example, free_batch=False)
        fixed = "" if trouble is None else "It takes one picture at a time"
        _describe(temporary, description, remark=fixed)
    return f"{fixed}: {trouble}" if fixed else ""


def _export(
    traced: torch.jit.ScriptModule, path: Path, example: Tensor, *, free_batch: bool
) -> None:
    import torch

    names = (INPUT_NAME, *OUTPUT_NAMES)
    # dynamo=False: the exporter for TorchScript; the other one needs onnxscript.
    torch.onnx.export(
        traced,
        (example,),
        str(path),
        opset_version=OPSET,
        input_names=[INPUT_NAME],
        output_names=list(OUTPUT_NAMES),
        dynamic_axes={name: {0: "batch"} for name in names} if free_batch else None,
        dynamo=False,
    )


def _batch_trouble(path: Path, shape: tuple[int, ...]) -> str | None:
    """Run two pictures together and alone; return what is wrong with the answers, if anything is.

    Raises:
        Exception: whatever onnxruntime raises for a batch that does not fit.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL  # that a batch does not run is no error here
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    pictures = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    together = session.run(list(OUTPUT_NAMES), {INPUT_NAME: pictures})
    alone = [session.run(list(OUTPUT_NAMES), {INPUT_NAME: one[None]}) for one in pictures]
    for output, *single in zip(together, *alone, strict=True):
        expected = np.concatenate(single)
        if output.shape != expected.shape or not np.allclose(
            output, expected, rtol=1e-3, atol=1e-4, equal_nan=True
        ):
            return "two pictures are answered in another way together than alone."
    return None


def _describe(path: Path, description: Description, *, remark: str) -> None:
    import onnx

    model = onnx.load(str(path))
    model.doc_string = f"{description.summary} {remark}".strip()
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
    path.write_bytes(model.SerializeToString())
