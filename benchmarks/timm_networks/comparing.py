"""The logits of the files that `building` made, against those of PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision_networks.networks import Classifier, as_batch, pictures

from fer_convert.parity.runners import open_runner, predict_one
from fer_convert.source.model import named_network
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.timm_networks import PREFIX
from timm_networks.building import IMAGES, LABELS, PICTURES_SEED, result_path
from timm_networks.networks import SIZES


def logits_path(work: Path, name: str) -> Path:
    return work / f"{name}.logits.json"


def compare(work: Path, name: str) -> None:
    """Keep the largest difference of a logit for every format that was built.

    Logits count up to a constant, the same for all classes: their mean is taken off first.
    """
    report = json.loads(result_path(work, name).read_text())
    images = pictures(SIZES[name], IMAGES, PICTURES_SEED)
    expected = _pytorch(work / name / "weights.pt", name, images)
    found: dict[str, float | str] = {}
    for artefact in report.get("artefacts", ()):
        kind, file = artefact["kind"], artefact["file"]
        if file is None or kind in found:
            continue
        try:
            runner = open_runner(kind, work / name / "build" / file["name"])
            answers = np.stack([predict_one(runner, image).logits for image in images])
        except Exception as error:  # whatever keeps a file from running is a cell of the table
            found[kind] = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        found[kind] = float(np.abs(_centred(answers) - _centred(expected)).max())
    kept = {"differences": found, "spread": float(_centred(expected).std())}
    logits_path(work, name).write_text(json.dumps(kept, indent=1))


def _pytorch(weights: Path, name: str, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Logits ``[images, classes]`` of PyTorch in fp32, one picture at a time."""
    state = torch.load(weights, weights_only=True)
    network = Classifier(named_network(PREFIX + name, len(LABEL_ORDERS[LABELS]), state))
    with torch.no_grad():
        return torch.cat([network(as_batch(image[None]))[1] for image in images]).double().numpy()


def _centred(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return logits - logits.mean(axis=1, keepdims=True)
