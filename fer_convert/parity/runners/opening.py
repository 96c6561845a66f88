"""Which runtime judges which kind of artefact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fer_convert.artefact import ArtefactKind
from fer_convert.parity.result import Runner
from fer_convert.parity.runners.onnx_file import OnnxRunner
from fer_convert.parity.runners.portable import PortableRunner
from fer_convert.parity.runners.pytorch import TorchScriptRunner


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
