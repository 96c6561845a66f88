"""Whether confidence means what it says: reliability, and the temperature that mends it.

Dividing the logits by one number changes no decision, and is the simplest cure for over- and
underconfidence (Guo et al., 1706.04599).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_train.contract.checkpoint import TEMPERATURE_RANGE
from fer_train.learning.metrics import Answers

#: Halvings of the logarithmic range: far below the rounding of float32 logits.
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence lies in (low, high]; the first bin includes 0.

    Attributes:
        confidence: their mean largest probability, 0..1; 0 without images.
        accuracy: share of them classified correctly, 0..1; 0 without images.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Accuracy against confidence.

    Attributes:
        ece: expected calibration error, 0..1: the mean distance of accuracy and confidence over
            the bins, weighted by their images.
        bins: of equal width, from 0 to 1.
    """

    ece: float
    bins: tuple[ReliabilityBin, ...]


def fit_temperature(answers: Answers) -> float:
    """Return the T that minimises the cross-entropy of softmax(logits / T), in `TEMPERATURE_RANGE`.

    Where no T does, because every target has the largest logit and more confidence is always
    better (a single correct image), it is 1: such answers say nothing about mistakes.

    Args:
        answers: at least one, finite, and none that the network learned from.
    """
    # Cross-entropy is convex in 1/T, so its slope changes sign once. Relative to the largest
    # logit, which changes no probability, the sum below is 0 only where the targets have it.
    logits = _float64(answers)
    logits = logits - logits.amax(dim=1, keepdim=True)
    shares = _shares(answers)
    if not (shares * logits).any():
        return 1.0

    def too_confident(temperature: float) -> bool:
        probabilities = (logits / temperature).softmax(dim=1)
        return bool(((probabilities - shares) * logits).sum() > 0)

    low, high = TEMPERATURE_RANGE
    if too_confident(high):
        return high
    if not too_confident(low):
        return low
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if too_confident(middle) else (low, middle)
    return math.sqrt(low * high)


def cross_entropy(answers: Answers, *, temperature: float = 1.0) -> float:
    """Return the mean cross-entropy of softmax(logits / temperature) in nats, in float64."""
    logarithms = (_float64(answers) / temperature).log_softmax(dim=1)
    return -float((_shares(answers) * logarithms).sum(dim=1).mean())


def reliability(answers: Answers, *, temperature: float = 1.0, bins: int = 15) -> Reliability:
    """Return accuracy per bin of confidence of softmax(logits / temperature).

    With soft targets an answer is correct when it names the most frequent vote.
    """
    confidences = (_float64(answers) / temperature).softmax(dim=1).amax(dim=1)
    hits = torch.from_numpy(answers.logits.argmax(axis=1) == answers.classes).double()
    places = (confidences * bins).ceil().long().sub(1).clamp(0, bins - 1)
    counts = places.bincount(minlength=bins)
    seen = counts.clamp(min=1)
    confidence = places.bincount(confidences, minlength=bins) / seen
    accuracy = places.bincount(hits, minlength=bins) / seen
    distance = (counts * (accuracy - confidence).abs()).sum() / len(hits)
    return Reliability(
        ece=float(distance),
        bins=tuple(
            ReliabilityBin(
                low=index / bins,
                high=(index + 1) / bins,
                confidence=float(confidence[index]),
                accuracy=float(accuracy[index]),
                count=int(counts[index]),
            )
            for index in range(bins)
        ),
    )


def calibration_record(answers: Answers, *, temperature: float, fitted_on: str) -> dict[str, Any]:
    """Return what a temperature does to these answers, as JSON values.

    Args:
        fitted_on: the split that chose the temperature.
    """
    before, after = reliability(answers), reliability(answers, temperature=temperature)
    return {
        "temperature": temperature,
        "fitted_on": fitted_on,
        "ece_before": before.ece,
        "ece_after": after.ece,
        "cross_entropy_before": cross_entropy(answers),
        "cross_entropy_after": cross_entropy(answers, temperature=temperature),
        "before": [asdict(row) for row in before.bins],
        "after": [asdict(row) for row in after.bins],
    }


def calibration_line(record: Mapping[str, Any]) -> str:
    """Return a `calibration_record` in one line."""
    limit = at_limit(record["temperature"])
    return (
        f"ECE {record['ece_before']:.4f} -> {record['ece_after']:.4f}, cross-entropy "
        f"{record['cross_entropy_before']:.4f} -> {record['cross_entropy_after']:.4f} at "
        f"temperature {record['temperature']:.4g}{'' if limit is None else f': {limit}'}"
    )


def at_limit(temperature: float) -> str | None:
    """Return what a temperature at the end of `TEMPERATURE_RANGE` says; None within it."""
    low, high = TEMPERATURE_RANGE
    if temperature >= high:
        return (
            "the largest allowed, and it is still too sure of itself: its confidence hardly tells "
            "right answers from wrong ones"
        )
    if temperature <= low:
        return "the smallest allowed, and it is still not sure enough: its logits hardly differ"
    return None


def _float64(answers: Answers) -> Tensor:
    return torch.from_numpy(answers.logits).double()


def _shares(answers: Answers) -> Tensor:
    """Return targets as shares that sum to 1, [N, C] float64."""
    targets = torch.from_numpy(answers.targets)
    if targets.ndim == 1:
        return F.one_hot(targets, answers.logits.shape[1]).double()
    shares = targets.double()
    return shares / shares.sum(dim=1, keepdim=True)
