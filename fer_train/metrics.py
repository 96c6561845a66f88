"""Figures of a classifier, all derived from one confusion matrix on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Confusion = NDArray[np.int64]  # [true class, predicted class]

#: Chooses the best epoch and drives the plateau schedule. Unlike accuracy it cannot be had by
#: ignoring rare classes, and unlike balanced accuracy not by predicting them everywhere.
SELECTION = "macro_f1"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over the batches seen so far; plain numbers, so a resumed epoch continues exactly."""

    num_classes: int
    weighted_loss: float = 0.0
    weight: float = 0.0
    plain_loss: float = 0.0
    grad_norm: float = 0.0
    batches: int = 0
    confusion: Confusion = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)

    def add(
        self,
        *,
        weighted_loss: float,
        weight: float,
        plain_loss: float,
        targets: NDArray[np.int64],
        predictions: NDArray[np.int64],
        grad_norm: float = 0.0,
    ) -> None:
        """Count one batch."""
        self.weighted_loss += weighted_loss
        self.weight += weight
        self.plain_loss += plain_loss
        self.grad_norm += grad_norm
        self.batches += 1
        self.confusion += confusion_matrix(targets, predictions, self.num_classes)

    @property
    def seen(self) -> int:
        """Images counted."""
        return int(self.confusion.sum())

    @property
    def loss(self) -> float:
        """The training objective: class-weighted cross-entropy."""
        return self.weighted_loss / self.weight if self.weight else 0.0

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly, 0..1."""
        return int(np.trace(self.confusion)) / self.seen if self.seen else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain primitives for last.pt."""
        return {
            "weighted_loss": self.weighted_loss,
            "weight": self.weight,
            "plain_loss": self.plain_loss,
            "grad_norm": self.grad_norm,
            "batches": self.batches,
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tally:
        """Rebuild a tally from `to_dict`'s output."""
        sums = {key: value for key, value in values.items() if key != "confusion"}
        tally = cls(num_classes=len(values["confusion"]), **sums)
        tally.confusion = np.array(values["confusion"], dtype=np.int64)
        return tally


def confusion_matrix(
    targets: NDArray[np.int64], predictions: NDArray[np.int64], num_classes: int
) -> Confusion:
    """Return counts ``[true, predicted]``."""
    pairs = targets * num_classes + predictions
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def summarise(tally: Tally, labels: Sequence[str]) -> dict[str, Any]:
    """Return loss, accuracy, balanced accuracy, macro-F1, per-class figures; all shares 0..1.

    A class that was never predicted has precision 0 and F1 0.
    """
    confusion = tally.confusion
    hits = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits / np.maximum(support, 1)
    precision = hits / np.maximum(predicted, 1)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    return {
        "loss": tally.loss,
        "cross_entropy": tally.plain_loss / max(tally.seen, 1),
        "accuracy": tally.accuracy,
        "balanced_accuracy": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "images": tally.seen,
        "per_class": {
            label: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, label in enumerate(labels)
        },
        "confusion": confusion.tolist(),
    }
