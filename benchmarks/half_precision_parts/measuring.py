"""A trained checkpoint -> its Core ML files -> how far each rounding moves the answers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert import coreml_runtime
from fer_convert.artefact import FILE_NAMES, ArtefactKind
from fer_convert.coreml_runtime.reference.operations import Precision
from fer_convert.parity.compare import run_all
from fer_convert.parity.fixtures import Fixture, load_fixtures
from fer_convert.parity.measures import decision_margin
from fer_convert.parity.runners import CheckpointRunner, ModuleRunner
from fer_convert.source import Source, load_source

KINDS: tuple[ArtefactKind, ...] = ("mlpackage-fp32", "mlpackage-fp16")
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """Of one way to compute, over all faces: both ``[N, K]``."""

    probabilities: Array
    logits: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far answers are from others.

    Attributes:
        max_dp: largest difference of a probability.
        flips: faces with another top class; widest_flip: the largest margin among them.
        logits: length of the difference of all logits, each face's centred: softmax ignores a
            common constant.
    """

    max_dp: float
    flips: int
    widest_flip: float
    logits: float


def measure(checkpoint: Path, faces: Path) -> dict[str, Any]:
    """Convert, run every way and compare; ``faces`` is a folder the network has not seen."""
    source = load_source(checkpoint)
    images = load_fixtures(faces, spec=source.preprocess)
    truth = _torch(CheckpointRunner(source), images)
    native = _torch(ModuleRunner(source, half=True), images)
    with tempfile.TemporaryDirectory(prefix="half-precision.") as folder:
        _convert(source, Path(folder))
        fp32, fp16 = (Path(folder) / FILE_NAMES[kind] for kind in KINDS)
        ways = {
            "fp32": _portable(fp32, images, "declared"),
            "weights": _portable(fp16, images, "fp32"),
            "declared": _portable(fp16, images, "declared"),
            "rounded": _portable(fp16, images, "fp16"),
            "native": native,
        }
    return {
        "faces": len(images),
        "distances": {name: asdict(distance(a, truth)) for name, a in ways.items()},
        "emulation_to_native": asdict(distance(ways["declared"], native)),
        "median_margin": float(np.median([decision_margin(p) for p in truth.probabilities])),
    }


def distance(seen: Answers, truth: Answers) -> Distance:
    """Measure ``seen`` against ``truth``.

    Raises:
        ValueError: an answer is NaN or infinite.
    """
    if not all(np.isfinite(values).all() for values in (seen.logits, truth.logits)):
        raise ValueError("A network answered NaN or infinity.")
    flipped = seen.probabilities.argmax(axis=1) != truth.probabilities.argmax(axis=1)
    margins = [decision_margin(p) for p in truth.probabilities[flipped]]
    error = _centred(seen.logits) - _centred(truth.logits)
    return Distance(
        max_dp=float(np.abs(seen.probabilities - truth.probabilities).max()),
        flips=int(flipped.sum()),
        widest_flip=max(margins, default=0.0),
        logits=float(np.linalg.norm(error)),
    )


def _centred(logits: Array) -> Array:
    centred: Array = logits - logits.mean(axis=1, keepdims=True)
    return centred


def _torch(runner: CheckpointRunner | ModuleRunner, images: Sequence[Fixture]) -> Answers:
    predictions, _ = run_all(runner, images)
    return Answers(
        np.stack([p.probabilities for p in predictions]), np.stack([p.logits for p in predictions])
    )


def _portable(path: Path, images: Sequence[Fixture], precision: Precision) -> Answers:
    """Run a saved file in the reference engine."""
    program = coreml_runtime.load_program(path)
    name = program.logits_name
    assert name is not None
    probabilities, logits = [], []
    for image in images:
        values = program.run({"image": image.image}, precision=precision, capture=[name])
        probabilities.append(values[program.probabilities_name].ravel().astype(np.float64))
        logits.append(values[name].ravel().astype(np.float64))
    return Answers(np.stack(probabilities), np.stack(logits))


def _convert(source: Source, folder: Path) -> None:
    """As ``ferconv build`` does."""
    from fer_convert.artefact import contract_record, contract_text, describe
    from fer_convert.export.artefacts import convert_all
    from fer_convert.progress import Progress

    description = describe(
        source,
        contract=contract_text(contract_record(source, demo=True)),
        author="benchmark",
        license="MIT",
        version="1",
        demo=True,
    )
    convert_all(
        source,
        folder,
        kinds=KINDS,
        description=description,
        storage="dense",
        progress=Progress(quiet=True),
    )
