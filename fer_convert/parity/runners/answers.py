"""What goes into every runner and what comes out: pixels, logits, probabilities, names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.artefact import SCHEMA
from fer_convert.parity.result import Prediction, Runner
from fer_train.contract.errors import ArtefactError
from fer_train.contract.preprocess import PreprocessSpec

Image = NDArray[np.uint8]  # [S, S, 3] RGB
Images = NDArray[np.uint8]  # [N, S, S, 3] RGB
Scores = NDArray[np.float64]  # [N, K]


def predict_one(runner: Runner, image: Image) -> Prediction:
    """Return a runner's answer to one image."""
    (answer,) = runner.run_many(image[None])
    return answer


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


def planes(images: Images) -> Images:
    """Return ``[N, 3, S, S]``: what an exported network takes, still 0 to 255."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities in float64, along the last axis."""
    exponentials: NDArray[np.float64] = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
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


def predictions(
    labels: tuple[str, ...], answers: tuple[NDArray[Any], NDArray[Any]]
) -> list[Prediction]:
    """Build one `Prediction` per row of (logits, probabilities), each ``[N, K]``."""
    rows: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(*answers, strict=True)
    return [prediction(labels, logits=logits, probabilities=p) for logits, p in rows]


def labels_in(metadata: dict[str, str], path: Path) -> tuple[str, ...]:
    """Return the class names that an artefact's own contract lists.

    Raises:
        ArtefactError: it carries no readable contract.
    """
    try:
        return tuple(json.loads(metadata[SCHEMA])["labels"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path.name} carries no readable {SCHEMA}.") from error


def release(package: str) -> str:
    """Return a version without its build tag: ``2.7.1`` for ``2.7.1+cu126``."""
    return version(package).partition("+")[0]
