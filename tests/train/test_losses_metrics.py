"""Weighted loss as sums, class weights, and figures from a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fer_train.contract.errors import EmptyClass
from fer_train.losses import class_weights, cross_entropy_sums
from fer_train.metrics import Tally, summarise

COUNTS = {"anger": 10, "fear": 40, "neutral": 20}


def test_inverse_weights_are_float32_with_mean_one() -> None:
    weights = class_weights(COUNTS, "inverse")
    assert weights.dtype == torch.float32
    assert weights.mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(weights[0] / weights[1], torch.tensor(4.0))
    assert class_weights(COUNTS, "none").tolist() == [1.0, 1.0, 1.0]


def test_an_empty_class_has_no_weight() -> None:
    with pytest.raises(EmptyClass, match="fear"):
        class_weights({**COUNTS, "fear": 0}, "inverse")


def test_the_loss_is_torchs_weighted_mean() -> None:
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    weights = class_weights(COUNTS, "inverse")
    sums = cross_entropy_sums(logits, targets, weights)
    torch.testing.assert_close(
        sums.weighted / sums.weight, F.cross_entropy(logits, targets, weight=weights)
    )
    torch.testing.assert_close(sums.plain, F.cross_entropy(logits, targets, reduction="sum"))


def test_uneven_batches_add_up_to_the_whole() -> None:
    """A mean of per-batch means is another number: weights differ between batches."""
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(11, 3, generator=generator), torch.arange(11) ** 2 % 3
    weights = class_weights(COUNTS, "inverse")
    tally = Tally(num_classes=3)
    for part in (slice(0, 4), slice(4, 8), slice(8, 11)):
        sums = cross_entropy_sums(logits[part], targets[part], weights)
        tally.add(
            weighted_loss=sums.weighted.item(),
            weight=sums.weight.item(),
            plain_loss=sums.plain.item(),
            targets=targets[part].numpy(),
            predictions=logits[part].argmax(1).numpy(),
        )
    whole = F.cross_entropy(logits, targets, weight=weights).item()
    assert tally.loss == pytest.approx(whole, rel=1e-6)
    assert tally.seen == 11


def test_figures_of_a_known_confusion() -> None:
    tally = Tally(num_classes=3)
    targets = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predictions = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    tally.add(
        weighted_loss=8.0, weight=4.0, plain_loss=16.0, targets=targets, predictions=predictions
    )
    figures = summarise(tally, ("anger", "fear", "neutral"))
    assert figures["loss"] == 2.0 and figures["cross_entropy"] == 2.0
    assert figures["accuracy"] == 0.5
    assert figures["balanced_accuracy"] == pytest.approx((0.75 + 0.5 + 0.0) / 3)
    # anger: precision 3/6, recall 3/4; fear: 1/2, 1/2; neutral: never predicted.
    assert figures["macro_f1"] == pytest.approx((0.6 + 0.5 + 0.0) / 3)
    assert figures["per_class"]["neutral"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 2,
    }
    assert figures["confusion"] == [[3, 1, 0], [1, 1, 0], [2, 0, 0]]


def test_a_tally_survives_saving() -> None:
    tally = Tally(num_classes=2)
    tally.add(
        weighted_loss=0.1,
        weight=3.0,
        plain_loss=0.2,
        grad_norm=1.5,
        targets=np.array([0, 1]),
        predictions=np.array([1, 1]),
    )
    again = Tally.from_dict(tally.to_dict())
    assert again.to_dict() == tally.to_dict()
    assert again.loss == tally.loss


def test_shares_that_are_one_hot_are_classes() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=random)
    targets = torch.tensor([0, 3, 1, 1, 2, 3])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.5])
    hard = cross_entropy_sums(logits, targets, weights)
    soft = cross_entropy_sums(logits, torch.eye(4)[targets], weights)
    for a, b in zip(hard, soft, strict=True):
        torch.testing.assert_close(a, b)
    half = cross_entropy_sums(logits[:1], torch.tensor([[0.5, 0.5, 0.0, 0.0]]), weights)
    each = [cross_entropy_sums(logits[:1], torch.tensor([c]), weights) for c in (0, 1)]
    torch.testing.assert_close(half.weighted, (each[0].weighted + each[1].weighted) / 2)
    torch.testing.assert_close(half.weight, torch.tensor(0.75))
