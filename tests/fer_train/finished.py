"""Run folders as a finished training leaves them, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_train.config.options import TrainConfig
from fer_train.contract.labels import EMOTIONS
from fer_train.learning.metrics import Answers, confusion_matrix, summarise
from fer_train.run_folder import RunFolder

LABELS = tuple(EMOTIONS)


def made_answers(
    hits: Sequence[bool], *, sure: float = 3.0, classes: int = 8, labels: Sequence[int] = ()
) -> Answers:
    """Return answers that are right where ``hits`` says so; wrong ones name the next class.

    Args:
        sure: the logit of the class said; all others are 0.
        labels: true classes; else 0, 1, 2 … in turn.
    """
    targets = np.array(labels or [i % classes for i in range(len(hits))], dtype=np.int64)
    said = np.where(hits, targets, (targets + 1) % classes)
    logits = np.zeros((len(hits), classes), dtype=np.float32)
    logits[np.arange(len(hits)), said] = sure
    return Answers(logits=logits, targets=targets)


def row(epoch: int, **figures: Any) -> dict[str, Any]:
    """Return one epoch of history.csv."""
    usual = {
        "phase": 1,
        "stage": "dense",
        "lr": 1e-3,
        "train_loss": 1.0,
        "train_accuracy": 0.5,
        "train_balanced_accuracy": 0.5,
        "train_macro_f1": 0.5,
        "grad_norm": 1.0,
        "seconds": 10.0,
        "images_per_second": 100.0,
        "val_loss": 1.0,
        "val_accuracy": 0.5,
        "val_balanced_accuracy": 0.5,
        "val_macro_f1": 0.5,
        "val_cross_entropy": 1.0,
        "sparsity": 0.0,
    }
    return {"epoch": epoch, **usual, **figures}


def figures_of(answers: Answers, labels: Sequence[str] = LABELS) -> dict[str, Any]:
    """Return the figures that metrics.json has of one split."""
    said = answers.logits.argmax(axis=1)
    figures = summarise(confusion_matrix(answers.classes, said, len(labels)), labels)
    return {"loss": 1.0, "cross_entropy": 1.0, **figures}


def write_run(
    root: Path,
    *,
    answers: Mapping[str, Answers],
    history: Sequence[Mapping[str, Any]] = (),
    labels: Sequence[str] = LABELS,
    options: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
) -> RunFolder:
    """Write a run folder; without ``answers`` it is one that was stopped."""
    root.mkdir(parents=True)
    run = RunFolder(root)
    config = TrainConfig(data="faces", arch="efficientnet_b0", weights="none").to_dict()
    run.write_record(
        "config",
        {
            "options": config | dict(options or {}),
            "resolved": {
                "phases": [{"trains": "all", "epochs": 30, "lr": 1e-3, "backbone_lr": None}],
                "device": "cpu",
                "preprocess": {"input_size": 32, "color": "gray", "crop_margin": 0.3},
            },
        },
    )
    counts = {name: dict.fromkeys(labels, 5) for name in ("train", *answers)}
    run.write_record(
        "data",
        {"root": "faces", "layout": "folders", "counts": counts, "sha256": "ab" * 32}
        | dict(data or {}),
    )
    run.write_history(history)
    for split, given in answers.items():
        paths = list(names) or [f"{split}/{i}.png" for i in range(len(given.logits))]
        run.write_answers(split, given, labels=labels, paths=paths)
    if answers:
        record = {
            "metrics": {"split": "val", "epoch": 1, **figures_of(answers["val"], labels)},
            "pruning": None,
            "test": figures_of(answers["test"], labels) if "test" in answers else None,
        }
        run.write_record("metrics", record | dict(metrics or {}))
    return run


def noise(size: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return ``size`` pictures of noise, RGB [N, 32, 32, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
