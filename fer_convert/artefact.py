"""What an export leaves on disk, and how each kind of artefact is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ArtefactKind = Literal["torchscript", "onnx", "mlmodel", "mlpackage-fp32", "mlpackage-fp16"]
Precision = Literal["fp32", "fp16"]

#: File or folder name of each kind inside the build folder.
FILE_NAMES: dict[ArtefactKind, str] = {
    "torchscript": "EmotionNet.torchscript.pt",
    "onnx": "EmotionNet.onnx",
    "mlmodel": "EmotionNet.mlmodel",
    "mlpackage-fp32": "EmotionNet-fp32.mlpackage",
    "mlpackage-fp16": "EmotionNet.mlpackage",
}

#: Git hosts refuse a file above this, and SwiftPM users clone whatever a package tracks.
GIT_HOST_LIMIT_BYTES = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One exported file or folder.

    Attributes:
        path: where it lies.
        precision: of the stored weights and, for ``fp16``, of every value.
        storage: ``dense``, or ``sparse`` when pruned weights are stored as mask and non-zeros.
        bytes: real size on disk (the sum of a folder's files).
        sha256: of the file, or of the folder's tree (see ``contract.files.sha256_tree``).
        seconds: wall time of the conversion.
    """

    kind: ArtefactKind
    path: Path
    precision: Precision
    storage: Literal["dense", "sparse"]
    bytes: int
    sha256: str
    seconds: float
