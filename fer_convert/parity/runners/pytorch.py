"""PyTorch: the checkpoint itself, the exportable module, a TorchScript file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_convert.artefact import SCHEMA
from fer_convert.parity.result import Prediction
from fer_convert.parity.runners.answers import (
    Images,
    labels_in,
    normalise,
    planes,
    predictions,
    release,
    softmax,
)
from fer_convert.parity.runners.together import (
    FULL_TOLERANCE,
    HALF_TOLERANCE,
    Answers,
    Together,
)
from fer_convert.source.model import Source

if TYPE_CHECKING:
    import torch


class CheckpointRunner:
    """The reference: the raw network in float32, fed by `normalise`, its logits divided by the
    checkpoint's temperature in float64. A source with a reference of its own is run in that."""

    metadata: dict[str, str] = {}  # noqa: RUF012 - never written; a checkpoint has none

    def __init__(self, source: Source) -> None:
        self.name = f"torch {release('torch')} fp32, checkpoint"
        self._source = source
        self._ask = Together(self._answer)

    def run_many(self, images: Images) -> list[Prediction]:
        return predictions(self._source.labels, self._ask(images))

    def _answer(self, images: Images) -> Answers:
        import torch

        source = self._source
        pixels = np.stack([normalise(image, source.preprocess) for image in images])
        pixels = pixels.astype(np.float32)
        if source.reference is not None:
            raw = np.stack([source.reference(one[None]) for one in pixels])
        else:
            with torch.inference_mode():
                raw = source.network(torch.from_numpy(pixels)).double().numpy()
        logits = raw / source.temperature
        return logits, softmax(logits)


class ModuleRunner:
    """The exportable module in memory, in float32 or in PyTorch's own half precision."""

    metadata: dict[str, str] = {}  # noqa: RUF012 - never written; a module has none

    def __init__(self, source: Source, *, half: bool = False) -> None:
        import copy

        import torch

        from fer_convert.export.network import ExportableNetwork

        self.name = f"torch {release('torch')} {'fp16' if half else 'fp32'}, exportable module"
        self._labels = source.labels
        self._dtype = torch.float16 if half else torch.float32
        module = ExportableNetwork(source)
        # half() converts in place, and the weights are the reference's own.
        self._module = copy.deepcopy(module).half() if half else module
        self._ask = Together(self._answer, tolerance=HALF_TOLERANCE if half else FULL_TOLERANCE)

    def run_many(self, images: Images) -> list[Prediction]:
        return predictions(self._labels, self._ask(images))

    def _answer(self, images: Images) -> Answers:
        return _torch_answers(self._module, images, self._dtype)


class TorchScriptRunner:
    """A TorchScript file read back from disk, in the float32 it was saved in or in half precision.

    Half precision fails where the trace holds float32 constants.
    """

    def __init__(self, path: Path, *, half: bool = False) -> None:
        import torch

        extra = {SCHEMA: ""}
        self.name = f"torch {release('torch')} TorchScript{', fp16' if half else ''}"
        self._dtype = torch.float16 if half else torch.float32
        self._module = torch.jit.load(  # type: ignore[no-untyped-call]
            str(path), map_location="cpu", _extra_files=extra
        )
        # The archive hands extra files back as bytes.
        text = extra[SCHEMA]
        self.metadata = {SCHEMA: text.decode() if isinstance(text, bytes) else text}
        self._labels = labels_in(self.metadata, path)
        if half:
            self._module = self._module.half()
        self._ask = Together(self._answer, tolerance=HALF_TOLERANCE if half else FULL_TOLERANCE)

    def run_many(self, images: Images) -> list[Prediction]:
        return predictions(self._labels, self._ask(images))

    def _answer(self, images: Images) -> Answers:
        return _torch_answers(self._module, images, self._dtype)


def _torch_answers(module: Any, images: Images, dtype: torch.dtype) -> Answers:
    import torch

    with torch.inference_mode():
        probabilities, logits = module(torch.from_numpy(planes(images)).to(dtype))
    return logits.double().numpy(), probabilities.double().numpy()
