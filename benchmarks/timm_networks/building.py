"""One network: weights in a file, and ``ferconv build`` as a person would type it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision_networks.networks import pictures

from fer_train.contract.errors import FerError
from fer_train.contract.labels import LABEL_ORDERS
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.contract.timm_networks import PREFIX
from timm_networks.networks import SIZES, seeded

LABELS = "fer2013"
IMAGES = 8
PICTURES_SEED = 3


def result_path(work: Path, name: str) -> Path:
    return work / f"{name}.json"


def build(work: Path, name: str, limit: float) -> None:
    """Build all formats of a network, and keep its report or the reason why there is none."""
    start = time.perf_counter()
    folder = work / name
    folder.mkdir(exist_ok=True)
    try:
        network = seeded(name, classes=len(LABEL_ORDERS[LABELS]))
        torch.save(network.state_dict(), folder / "weights.pt")
        result = _ferconv(folder, name, limit)
    except FerError as error:
        result = {"error": error.message}
    result["seconds"] = time.perf_counter() - start
    result_path(work, name).write_text(json.dumps(result, indent=1))
    print(f"{name}: {result.get('error') or result['verdict']} ({result['seconds']:.0f} s)")


def _ferconv(folder: Path, name: str, limit: float) -> dict[str, Any]:
    side = SIZES[name]
    faces = folder / "pictures"
    faces.mkdir(exist_ok=True)
    for index, picture in enumerate(pictures(side, IMAGES, PICTURES_SEED)):
        Image.fromarray(picture).save(faces / f"{index}.png")
    half = (0.5, 0.5, 0.5)  # what `Classifier` does to pixels
    spec = PreprocessSpec(input_size=side, color="rgb", mean=half, std=half)
    command = [
        *(sys.executable, "-m", "fer_convert", "build", "--checkpoint", folder / "weights.pt"),
        *("--arch", PREFIX + name, "--labels", LABELS, "--preprocess", json.dumps(spec.to_dict())),
        *("--fixtures", faces, "--out", folder / "build", "--no-package", "--quiet"),
    ]
    try:
        ran = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no result after {limit:.0f} s"}
    report = folder / "build" / "report.json"
    if not report.is_file():
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        return {"error": lines[0] if lines else f"exit code {ran.returncode}"}
    kept: dict[str, Any] = json.loads(report.read_text())
    for image in kept["images"]:
        del image["thumbnail"]
    return kept
