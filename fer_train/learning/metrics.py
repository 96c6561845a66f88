"""Figures of a classifier: running sums while it trains, full figures from its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer_train.config.options import Selection
from fer_train.learning.losses import Objective, objective_sums
from fer_train.learning.statistics import Confusion, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a network said about every image of a split, in the split's order.

    Attributes:
        logits: [N, C], float32.
        targets: [N] int64, or [N, C] float32 shares of several annotators.
    """

    logits: NDArray[np.float32]
    targets: NDArray[Any]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The true class, or the most frequent vote, [N]."""
        return hard_targets(self.targets)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over the steps seen so far; plain numbers, so a resumed epoch continues exactly."""

    num_classes: int
    weighted_loss: float = 0.0
    weight: float = 0.0
    plain_loss: float = 0.0
    grad_norm: float = 0.0
    steps: int = 0
    confusion: Confusion = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)

    def add(
        self,
        *,
        weighted_loss: float,
        weight: float,
        plain_loss: float,
        grad_norm: float,
        confusion: Confusion,
    ) -> None:
        """Count one step."""
        self.weighted_loss += weighted_loss
        self.weight += weight
        self.plain_loss += plain_loss
        self.grad_norm += grad_norm
        self.steps += 1
        self.confusion += confusion

    @property
    def seen(self) -> int:
        """Images counted."""
        return int(self.confusion.sum())

    @property
    def loss(self) -> float:
        """The training objective."""
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
            "steps": self.steps,
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tally:
        """Rebuild a tally from `to_dict`'s output."""
        sums = {key: value for key, value in values.items() if key != "confusion"}
        tally = cls(num_classes=len(values["confusion"]), **sums)
        tally.confusion = np.array(values["confusion"], dtype=np.int64)
        return tally


def hard_targets(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return classes [N] of classes [N] or of shares [N, C]."""
    return (targets if targets.ndim == 1 else targets.argmax(axis=1)).astype(np.int64)


def confusion_matrix(
    targets: NDArray[np.int64], predictions: NDArray[np.int64], num_classes: int
) -> Confusion:
    """Return counts ``[true, predicted]``."""
    pairs = targets * num_classes + predictions
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def measure(answers: Answers, objective: Objective, labels: Sequence[str]) -> dict[str, Any]:
    """Return the objective, plain cross-entropy and `summarise`'s figures.

    The sums are taken in one go on the CPU: batch size and number of processes change nothing.
    """
    logits, targets = torch.from_numpy(answers.logits), torch.from_numpy(answers.targets)
    sums = objective_sums(logits, targets, objective.to(torch.device("cpu")))
    predictions = answers.logits.argmax(axis=1)
    confusion = confusion_matrix(answers.classes, predictions, len(labels))
    return {
        "loss": float(sums.weighted / sums.weight),
        "cross_entropy": float(sums.plain) / len(answers.logits),
        **summarise(confusion, labels),
    }


def summarise(confusion: Confusion, labels: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, balanced accuracy, macro-F1 and per-class figures; all shares 0..1.

    Intervals are Wilson's, 95 %, [low, high]. A class that was never predicted has precision 0 and
    F1 0. A class without images (possible after ``--from`` on data that lack it) takes no part in
    the averages.
    """
    hits = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits / np.maximum(support, 1)
    precision = hits / np.maximum(predicted, 1)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    present = support > 0
    return {
        "accuracy": float(hits.sum() / max(confusion.sum(), 1)),
        "accuracy_interval": _interval(hits.sum(), confusion.sum()),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "images": int(confusion.sum()),
        "per_class": {
            label: {
                "precision": float(precision[index]),
                "precision_interval": _interval(hits[index], predicted[index]),
                "recall": float(recall[index]),
                "recall_interval": _interval(hits[index], support[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, label in enumerate(labels)
        },
        "confusion": confusion.tolist(),
    }


def score(metrics: Mapping[str, Any], selection: Selection) -> float:
    """Return what chooses the best epoch, drives the plateau and stops early; more is better.

    Unlike accuracy, macro-F1 cannot be had by ignoring rare classes, and unlike balanced accuracy
    not by predicting them everywhere.
    """
    value = float(metrics[selection])
    return -value if selection == "loss" else value


def _interval(hits: Any, total: Any) -> list[float]:
    # A list of plain floats: the figures go into JSON and into best.pt.
    return list(wilson(int(hits), int(total)))
