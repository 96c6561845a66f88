"""What an export leaves on disk: its kinds, their names, and what each file says about itself.

Every artefact carries the same two texts: the ``emotionkit.contract``, which software reads and
holds the model to, and a description, which Xcode shows to a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fer_convert.source.model import Source
from fer_train.contract.labels import EMOTIONS

ArtefactKind = Literal["torchscript", "onnx", "mlmodel", "mlpackage-fp32", "mlpackage-fp16"]
Precision = Literal["fp32", "fp16"]

#: What ``--publish`` takes: the form of the model that goes into the Swift package.
PublishedForm = Literal["fp16", "fp32"]
PublishChoice = Literal["auto", "fp16", "fp32"]

#: The artefact of each form, the smallest first: the order in which ``auto`` tries them.
PUBLISHABLE: dict[PublishedForm, ArtefactKind] = {
    "fp16": "mlpackage-fp16",
    "fp32": "mlpackage-fp32",
}

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

#: Name and version of the contract that artefacts carry.
SCHEMA = "emotionkit.contract"
#: 1 is about the eight emotions in any order, 2 about any labels and about BGR. What the first can
#: say is written in it, so that an app with an earlier EmotionKit reads it, too.
VERSIONS = (1, 2)

#: Name of the artefacts' input in every format.
INPUT_NAME = "image"

#: Core ML's names for a classifier's outputs; Vision reads them by these.
LABEL_OUTPUT, PROBABILITIES_OUTPUT = "classLabel", "classLabel_probs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One exported file or folder.

    Attributes:
        path: where it lies.
        precision: of the stored weights and, for ``fp16``, of every value.
        storage: ``dense``, or ``sparse`` when pruned weights are stored as mask and non-zeros.
        bytes: real size on disk (the sum of a folder's files).
        sha256: of the file, or of the folder's tree (see ``contract.files.sha256_tree``).
        seconds: wall time of the conversion; None for a file that was there already.
        note: a sentence on what the converter could not do as it should; mostly empty.
    """

    kind: ArtefactKind
    path: Path
    precision: Precision
    storage: Literal["dense", "sparse"]
    bytes: int
    sha256: str
    seconds: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An artefact that its converter did not make, and why, in one line."""

    kind: ArtefactKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Human-readable metadata, the same in every format.

    Attributes:
        contract: the ``emotionkit.contract`` JSON string.
        summary: one paragraph.
        image: what the input is.
        label: what the label output is.
        probabilities: what the probabilities output is.
    """

    contract: str
    author: str
    license: str
    version: str
    summary: str
    image: str
    label: str
    probabilities: str


def contract_record(source: Source, *, demo: bool) -> dict[str, Any]:
    """Return the contract of a model.

    Args:
        demo: the model was trained on drawn faces and must not be mistaken for a real one.
    """
    return {
        "schema": SCHEMA,
        "version": _version(source),
        "architecture": source.architecture,
        "labels": list(source.labels),
        "preprocess": source.preprocess.to_dict(),
        "temperature": source.temperature,
        "input": INPUT_NAME,
        "outputs": {"label": LABEL_OUTPUT, "probabilities": PROBABILITIES_OUTPUT},
        "checkpoint_sha256": source.sha256,
        "demo": demo,
    }


def _version(source: Source) -> int:
    eight = set(source.labels) == set(EMOTIONS)
    return VERSIONS[0] if eight and source.preprocess.color != "bgr" else VERSIONS[1]


def contract_text(record: Mapping[str, Any]) -> str:
    """Return the contract as the compact JSON string that artefacts carry."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def describe(
    source: Source, *, contract: str, author: str, license: str, version: str, demo: bool
) -> Description:
    """Compose the metadata of a model."""
    spec = source.preprocess
    side = spec.input_size
    colour = {
        "gray": "It is converted to greyscale inside",
        "rgb": "Colour is used inside",
        "bgr": "Its channels are reversed (BGR) inside",
    }[spec.color]
    calibrated = (
        ""
        if source.temperature == 1.0
        else f" Probabilities are calibrated inside, too (temperature {source.temperature:.4g})."
    )
    warning = " DEMONSTRATION: trained on drawn faces, not on people." if demo else ""
    return Description(
        contract=contract,
        author=author,
        license=license,
        version=version,
        summary=(
            f"Facial expression classifier ({source.architecture}, {len(source.labels)} classes). "
            f"Normalisation is inside the model: give it plain pixels."
            f"{calibrated}{warning}"
        ),
        image=(
            f"One face, {side} x {side} RGB: a square of {1 + spec.crop_margin:g} times the longer "
            f"side of the face box, resized bilinearly. {colour} the model."
        ),
        label="The most probable expression.",
        probabilities=f"Probability of each of: {', '.join(source.labels)}.",
    )
