"""Reports made of invented answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.artefact import PublishChoice
from fer_convert.parity.fixtures import Fixture
from fer_convert.parity.publication import decide
from fer_convert.report import CheckpointInfo, Report, Stage, Subject, assemble_report

LABELS = ("anger", "disgust", "fear")


#: A file name is the one text in a report that strangers choose.
HOSTILE = "<script>alert('x')</script>|`\x07.png"


CONTRACT: dict[str, Any] = {
    "schema": "emotionkit.contract",
    "version": 1,
    "labels": list(LABELS),
    "preprocess": {"input_size": 32, "color": "gray", "mean": [0.5, 0.5, 0.5]},
    "temperature": 1.375,
}


def fixture(name: str, *, label: str | None = None, side: int = 32) -> Fixture:
    image = np.random.default_rng(len(name)).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return Fixture(
        name=name, kind="face" if label else "hard", label=label, image=image, path=Path(name)
    )


IMAGES = [fixture("anger-0.png", label="anger"), fixture("noise.png"), fixture(HOSTILE)]


def make_report(
    subjects: list[Subject], *, gated: bool = True, choice: PublishChoice = "auto"
) -> Report:
    return assemble_report(
        checkpoint=CheckpointInfo(
            file="best.pt",
            sha256="cd" * 32,
            arch="efficientnet_b0",
            metrics={"validation": {"accuracy": 0.5}, "epoch": 3},
            sparsity={"global": 0.3},
        ),
        contract=CONTRACT,
        subjects=subjects,
        images=IMAGES,
        stages=[Stage(name="trace", seconds=0.5, peak_bytes=2_000_000)],
        versions={"torch": "2.7.1"},
        publication=decide([subject.parity for subject in subjects], choice=choice),
        gated=gated,
        created_at="2026-01-01T00:00:00Z",
    )
