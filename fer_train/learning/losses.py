"""The training objective: cross-entropy as sums that may be added across batches and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_train.config.options import ClassWeighting
from fer_train.contract.errors import EmptyClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What training minimises.

    Attributes:
        weights: [C], float32, per class.
        adjustment: [C], float32, added to the logits in training only (Menon et al., 2007.07314);
            zeros when unused. Never applied at inference: there the unadjusted logits already
            answer for balanced classes.
        smoothing: share of each target spread evenly over the classes, 0..1.
    """

    weights: Tensor
    adjustment: Tensor
    smoothing: float = 0.0

    def to(self, device: torch.device) -> Objective:
        """Return a copy on ``device``."""
        return Objective(
            weights=self.weights.to(device),
            adjustment=self.adjustment.to(device),
            smoothing=self.smoothing,
        )


class LossSums(NamedTuple):
    """Scalar tensors: divide only at the end, since a weighted mean of means is another number."""

    weighted: Tensor  # sum of weight * loss
    weight: Tensor  # sum of weights
    plain: Tensor  # sum of cross-entropy: no weights, adjustment or smoothing


def class_weights(
    counts: Mapping[str, int], weighting: ClassWeighting, *, beta: float = 0.999
) -> Tensor:
    """Return one float32 weight per class, in the order of ``counts``, with mean 1.

    Mean 1 keeps the meaning of the learning rate whatever the imbalance.

    Args:
        counts: class name -> number of TRAINING images.
        beta: of ``effective``: weight ``(1 - beta) / (1 - beta ** n)`` (Cui et al., 1901.05555).

    Raises:
        EmptyClass: a count of zero, whose inverse would be an infinite weight.
    """
    _require_every_class(counts)
    n = torch.tensor(list(counts.values()), dtype=torch.float64)
    if weighting == "none":
        weights = torch.ones_like(n)
    elif weighting == "sqrt-inverse":
        weights = n**-0.5
    elif weighting == "effective":
        weights = (1 - beta) / (1 - beta**n)
    else:
        weights = 1 / n
    return (weights / weights.mean()).float()


def log_prior(counts: Mapping[str, int]) -> Tensor:
    """Return the logarithm of each class's share of the training images, [C], float32.

    Raises:
        EmptyClass: a count of zero.
    """
    _require_every_class(counts)
    values = torch.tensor(list(counts.values()), dtype=torch.float32)
    return (values / values.sum()).log()


def objective_sums(logits: Tensor, targets: Tensor, objective: Objective) -> LossSums:
    """Return the sums of a batch.

    The weight of an image is its class's, or the mean over its classes for soft targets, so that
    both kinds have the same scale; torch divides soft targets by their number instead.

    Args:
        logits: [B, C], any float type (the loss is computed in float32).
        targets: [B] int64 classes, or [B, C] shares that sum to 1.
    """
    scores = logits.float()
    shares = F.one_hot(targets, scores.shape[1]).float() if targets.ndim == 1 else targets
    smooth = shares * (1 - objective.smoothing) + objective.smoothing / scores.shape[1]
    losses = -(objective.weights * smooth * (scores + objective.adjustment).log_softmax(dim=1))
    plain = -(shares * scores.detach().log_softmax(dim=1)).sum()
    return LossSums(losses.sum(), (objective.weights * shares).sum(), plain)


def _require_every_class(counts: Mapping[str, int]) -> None:
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        raise EmptyClass(f"No training images for: {', '.join(empty)}.")
