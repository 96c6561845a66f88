"""Class weights and the weighted cross-entropy, as sums that may be added across batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_train.config import ClassWeighting
from fer_train.contract.errors import EmptyClass


class LossSums(NamedTuple):
    """Scalar tensors: divide only at the end, since a weighted mean of means is another number."""

    weighted: Tensor  # sum of weight * cross-entropy
    weight: Tensor  # sum of weights
    plain: Tensor  # sum of cross-entropy


def class_weights(counts: Mapping[str, int], weighting: ClassWeighting) -> Tensor:
    """Return one float32 weight per class, in the order of ``counts``, with mean 1.

    Mean 1 keeps the meaning of the learning rate whatever the imbalance.

    Args:
        counts: class name -> number of TRAINING images.

    Raises:
        EmptyClass: a count of zero, whose inverse would be an infinite weight.
    """
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        raise EmptyClass(f"No training images for: {', '.join(empty)}.")
    if weighting == "none":
        return torch.ones(len(counts))
    inverse = torch.tensor([1.0 / count for count in counts.values()], dtype=torch.float32)
    return inverse / inverse.mean()


def cross_entropy_sums(logits: Tensor, targets: Tensor, weights: Tensor) -> LossSums:
    """Return the sums of a batch.

    Args:
        logits: [B, C], any float type (the loss is computed in float32).
        targets: [B] int64, or [B, C] shares that sum to 1; a one-hot row gives what its class does.
        weights: [C], float32, on the same device.
    """
    if targets.ndim == 2:
        parts = -targets * logits.float().log_softmax(dim=1)
        return LossSums((parts * weights).sum(), (targets * weights).sum(), parts.detach().sum())
    losses = F.cross_entropy(logits.float(), targets, reduction="none")
    weight = weights[targets]
    return LossSums((losses * weight).sum(), weight.sum(), losses.detach().sum())
