"""What a network answers for every face: in fp32, in PyTorch's half, and as an fp16 ML Program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.artefact import FILE_NAMES, contract_record, contract_text, describe
from fer_convert.export.artefacts import convert_all
from fer_convert.parity.compare import run_all
from fer_convert.parity.damage.mutations import ARTEFACT_MUTATIONS, PIXEL_MUTATIONS, mutate_artefact
from fer_convert.parity.fixtures import Fixture, load_fixtures
from fer_convert.parity.result import Prediction, Runner
from fer_convert.parity.runners import CheckpointRunner, ModuleRunner, open_runner, softmax
from fer_convert.progress import Progress
from fer_convert.source import Source, load_source
from fer_train.contract.errors import FerError
from fer_train.contract.files import atomic_write

#: Faces on which the damaged copies are judged: a mistake must be seen on few.
DAMAGED_FACES = 45


#: Mistakes that no figure shows here: the contract's labels tell of the one, and these faces are
#: grey, without colours to swap.
UNSEEN = ("labels-swapped", "rgb-bgr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Logits ``[N, K]`` of every way to compute; their softmax is the probabilities.

    Attributes:
        faces: names; truth: labels, one per face.
        ways: ``fp32``, ``half`` (PyTorch's), ``fp16`` (the saved file), and ``damaged: NAME`` of
            the first `DAMAGED_FACES` only.
    """

    labels: tuple[str, ...]
    faces: tuple[str, ...]
    truth: tuple[str, ...]
    ways: Mapping[str, NDArray[np.float64]]

    def predictions(self, way: str) -> list[Prediction]:
        """One per face."""
        return [_prediction(self.labels, row) for row in self.ways[way]]


def answers(
    network: Path, further: Mapping[str, Any], *, faces: Path, count: int, cache: Path
) -> Answers:
    """Ask a network in every way, or read what it answered.

    Args:
        further: of `load_source`.
        faces: folder of pictures, one folder per emotion's name.
        count: how many of them, taken evenly.
    """
    if not cache.exists():
        _ask(network, further, faces=faces, count=count, cache=cache)
    with np.load(cache) as kept:
        texts = {name: tuple(map(str, kept[name])) for name in ("labels", "faces", "truth")}
        ways = {name: kept[name] for name in kept.files if name not in texts}
    return Answers(**texts, ways=ways)


def _ask(
    network: Path, further: Mapping[str, Any], *, faces: Path, count: int, cache: Path
) -> None:
    source = load_source(network, **further)
    every = load_fixtures(faces, spec=source.preprocess)
    # Shuffled, so that the first few show every emotion.
    chosen = np.random.default_rng(0).permutation(len(every))[:count]
    images = [every[index] for index in chosen]
    folder = cache.with_suffix(".files")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAMES["mlpackage-fp16"]
    if not path.exists():
        _convert(source, folder)
    ways = {
        "fp32": _run(CheckpointRunner(source), images),
        "half": _run(ModuleRunner(source, half=True), images),
        "fp16": _run(open_runner("mlpackage-fp16", path), images),
        **_damaged(source, path, images[:DAMAGED_FACES]),
    }
    with atomic_write(cache) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            labels=np.array(source.labels),
            faces=np.array([image.name for image in images]),
            truth=np.array([image.label for image in images]),
            **ways,
        )


def _run(runner: Runner, images: Sequence[Fixture]) -> NDArray[np.float64]:
    return np.stack([answer.logits for answer in run_all(runner, images)[0]])


def _damaged(
    source: Source, path: Path, images: Sequence[Fixture]
) -> dict[str, NDArray[np.float64]]:
    """Every known mistake that leaves something to see in this network."""
    spec, found = source.preprocess, {}
    for name, pixels in PIXEL_MUTATIONS.items():
        if name in UNSEEN:
            continue
        wrong = [pixels.apply(image, spec) for image in images]
        found[f"damaged: pixels {name}"] = _run(open_runner("mlpackage-fp16", path), wrong)
    for name in ARTEFACT_MUTATIONS:
        if name in UNSEEN:
            continue
        copy = path.with_name(f"{name}.mlpackage")
        try:
            mutate_artefact("mlpackage-fp16", path, copy, name=name, spec=spec)
        except (ValueError, FerError):  # nothing to mutate: one std, no temperature
            continue
        found[f"damaged: file {name}"] = _run(open_runner("mlpackage-fp16", copy), images)
    return found


def _convert(source: Source, folder: Path) -> None:
    """As ``ferconv build`` does."""
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
        kinds=("mlpackage-fp16",),
        description=description,
        storage="dense",
        progress=Progress(quiet=True),
    )


def _prediction(labels: tuple[str, ...], logits: NDArray[np.float64]) -> Prediction:
    probabilities = softmax(logits)
    top1 = labels[int(probabilities.argmax())]
    return Prediction(labels=labels, logits=logits, probabilities=probabilities, top1=top1)
