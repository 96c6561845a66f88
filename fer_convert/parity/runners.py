"""One small class per runtime, all with the interface ``parity.result.Runner``.

The checkpoint's runner shares no pixel code with the exported module: its normalisation is written
again in NumPy, in float64, so that comparing the two is a real question.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_convert import __version__
from fer_convert.artefact import (
    INPUT_NAME,
    LABEL_OUTPUT,
    PROBABILITIES_OUTPUT,
    SCHEMA,
    ArtefactKind,
)
from fer_convert.parity.result import Prediction, Runner
from fer_convert.source.model import Source
from fer_train.contract.errors import ArtefactError, ParityNotRun
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import torch


Image = NDArray[np.uint8]  # [S, S, 3] RGB


ComputeUnits = Literal["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"]


COMPUTE_UNITS: tuple[ComputeUnits, ...] = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")


APPLE_RUNTIME = "Apple Core ML"


PORTABLE_RUNTIME = f"portable coreml_runtime {__version__}"


def normalise(image: Image, spec: PreprocessSpec) -> NDArray[np.float64]:
    """Return what the backbone receives, ``[3, S, S]``: the pixel contract, spelled out."""
    rgb = image.astype(np.float64) / 255.0
    if spec.color == "gray":
        luma = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
        rgb = np.stack([luma, luma, luma], axis=-1)
    elif spec.color == "bgr":
        rgb = rgb[..., ::-1]
    normalised = (rgb - np.array(spec.mean)) / np.array(spec.std)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


class CheckpointRunner:
    """The reference: the raw network in float32, fed by `normalise`, its logits divided by the
    checkpoint's temperature in float64. A source with a reference of its own is run in that."""

    metadata: dict[str, str] = {}  # noqa: RUF012 - never written; a checkpoint has none

    def __init__(self, source: Source) -> None:
        self.name = f"torch {_release('torch')} fp32, checkpoint"
        self._source = source

    def predict(self, image: Image) -> Prediction:
        import torch

        source = self._source
        pixels = normalise(image, source.preprocess).astype(np.float32)[None]
        if source.reference is not None:
            raw = source.reference(pixels)
        else:
            with torch.inference_mode():
                raw = source.network(torch.from_numpy(pixels))[0].double().numpy()
        logits = raw / source.temperature
        return prediction(source.labels, logits=logits, probabilities=softmax(logits))


class ModuleRunner:
    """The exportable module in memory, in float32 or in PyTorch's own half precision."""

    metadata: dict[str, str] = {}  # noqa: RUF012 - never written; a module has none

    def __init__(self, source: Source, *, half: bool = False) -> None:
        import copy

        import torch

        from fer_convert.export.network import ExportableNetwork

        self.name = f"torch {_release('torch')} {'fp16' if half else 'fp32'}, exportable module"
        self._labels = source.labels
        self._dtype = torch.float16 if half else torch.float32
        module = ExportableNetwork(source)
        # half() converts in place, and the weights are the reference's own.
        self._module = copy.deepcopy(module).half() if half else module

    def predict(self, image: Image) -> Prediction:
        return _torch_prediction(self._module, image, self._labels, self._dtype)


class TorchScriptRunner:
    """A TorchScript file read back from disk."""

    def __init__(self, path: Path) -> None:
        import torch

        extra = {SCHEMA: ""}
        self.name = f"torch {_release('torch')} TorchScript"
        self._module = torch.jit.load(  # type: ignore[no-untyped-call]
            str(path), map_location="cpu", _extra_files=extra
        )
        # The archive hands extra files back as bytes.
        text = extra[SCHEMA]
        self.metadata = {SCHEMA: text.decode() if isinstance(text, bytes) else text}
        self._labels = labels_in(self.metadata, path)

    def predict(self, image: Image) -> Prediction:
        import torch

        return _torch_prediction(self._module, image, self._labels, torch.float32)


class OnnxRunner:
    """An ONNX file in onnxruntime's CPU provider."""

    def __init__(self, path: Path, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning workers starve the other runtimes' pools between two predictions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.name = f"onnxruntime {_release('onnxruntime')} CPU"
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self._labels = labels_in(self.metadata, path)

    def predict(self, image: Image) -> Prediction:
        pixels = image.astype(np.float32).transpose(2, 0, 1)[None]
        probabilities, logits = self._session.run(["probabilities", "logits"], {INPUT_NAME: pixels})
        return prediction(self._labels, logits=logits[0], probabilities=probabilities[0])


class PortableRunner:
    """A Core ML file in the project's own runtime, in the precision that the file declares."""

    def __init__(self, path: Path) -> None:
        from fer_convert import coreml_runtime

        self.name = PORTABLE_RUNTIME
        self._program = coreml_runtime.load_program(path)
        self.metadata = dict(self._program.metadata.user)
        self.differences = self._program.differences

    def predict(self, image: Image) -> Prediction:
        program = self._program
        logits_name = program.logits_name
        if logits_name is None:
            raise ArtefactError("The artefact has no logits: no softmax feeds its classifier.")
        outputs = program.run({INPUT_NAME: image}, capture=[logits_name])
        # The label is the first largest score: the rule by which the runtime names it, too.
        return prediction(
            tuple(str(label) for label in program.labels),
            logits=outputs[logits_name].ravel(),
            probabilities=outputs[program.probabilities_name],
        )


class AppleRunner:
    """A Core ML file in Apple's runtime, on the compute units given. macOS only."""

    def __init__(self, path: Path, *, units: ComputeUnits) -> None:
        reason = apple_runtime_missing()
        if reason is not None:
            raise ParityNotRun(reason)
        import coremltools as ct

        self.name = f"{APPLE_RUNTIME}, macOS {platform.mac_ver()[0]}, {units}"
        self._model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[units])
        self.metadata = dict(self._model.user_defined_metadata)
        self._labels = labels_in(self.metadata, path)

    def predict(self, image: Image) -> Prediction:
        from PIL import Image as PillowImage

        outputs = self._model.predict({INPUT_NAME: PillowImage.fromarray(image)})
        scores = outputs[PROBABILITIES_OUTPUT]
        probabilities = np.array([scores[label] for label in self._labels], dtype=np.float64)
        # Core ML does not return logits; a softmax's logarithm equals them up to a constant.
        logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        return prediction(
            self._labels,
            logits=logits,
            probabilities=probabilities,
            top1=str(outputs[LABEL_OUTPUT]),
        )


def apple_runtime_missing() -> str | None:
    """Return why Apple's runtime cannot be used here, or None if it can."""
    if sys.platform != "darwin":
        return f"needs macOS; this is {platform.system()}"
    return None


def open_runner(kind: ArtefactKind, path: Path) -> Runner:
    """Open an artefact from disk with the runtime that judges its kind on every machine."""
    import torch

    opener: dict[ArtefactKind, Callable[[], Runner]] = {
        "torchscript": lambda: TorchScriptRunner(path),
        "onnx": lambda: OnnxRunner(path, threads=torch.get_num_threads()),
        "mlmodel": lambda: PortableRunner(path),
        "mlpackage-fp32": lambda: PortableRunner(path),
        "mlpackage-fp16": lambda: PortableRunner(path),
    }
    return opener[kind]()


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities in float64."""
    exponentials: NDArray[np.float64] = np.exp(logits - logits.max())
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum()
    return probabilities


def prediction(
    labels: tuple[str, ...],
    *,
    logits: NDArray[Any] | Sequence[float],
    probabilities: NDArray[Any] | Sequence[float],
    top1: str | None = None,
) -> Prediction:
    """Build a `Prediction`; ``top1`` is the largest probability's label unless the artefact names
    one itself."""
    chances = np.asarray(probabilities, dtype=np.float64)
    return Prediction(
        labels=labels,
        logits=np.asarray(logits, dtype=np.float64),
        probabilities=chances,
        top1=labels[int(chances.argmax())] if top1 is None else top1,
    )


def labels_in(metadata: dict[str, str], path: Path) -> tuple[str, ...]:
    """Return the class names that an artefact's own contract lists.

    Raises:
        ArtefactError: it carries no readable contract.
    """
    try:
        return tuple(json.loads(metadata[SCHEMA])["labels"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path.name} carries no readable {SCHEMA}.") from error


def _torch_prediction(
    module: Any, image: Image, labels: tuple[str, ...], dtype: torch.dtype
) -> Prediction:
    import torch

    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].to(dtype)
    with torch.inference_mode():
        probabilities, logits = module(pixels)
    return prediction(
        labels, logits=logits[0].double().numpy(), probabilities=probabilities[0].double().numpy()
    )


def _release(package: str) -> str:
    """Return a version without its build tag: ``2.7.1`` for ``2.7.1+cu126``."""
    return version(package).partition("+")[0]
