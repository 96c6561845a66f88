"""Weighted loss as sums, class weights, and figures from a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fer_train.contract.errors import EmptyClass
from fer_train.learning.losses import Objective, class_weights, log_prior, objective_sums
from fer_train.learning.metrics import Answers, Tally, confusion_matrix, measure, score, summarise

COUNTS = {"anger": 10, "fear": 40, "neutral": 20}


def weighted(weights: torch.Tensor, *, smoothing: float = 0.0) -> Objective:
    return Objective(weights=weights, adjustment=torch.zeros(len(weights)), smoothing=smoothing)


def test_inverse_weights_are_float32_with_mean_one() -> None:
    weights = class_weights(COUNTS, "inverse")
    assert weights.dtype == torch.float32
    assert weights.mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(weights[0] / weights[1], torch.tensor(4.0))
    assert class_weights(COUNTS, "none").tolist() == [1.0, 1.0, 1.0]


def test_milder_weightings() -> None:
    root = class_weights(COUNTS, "sqrt-inverse")
    torch.testing.assert_close(root[0] / root[1], torch.tensor(2.0))
    effective = class_weights(COUNTS, "effective", beta=0.9)
    numbers = [(1 - 0.9**n) / (1 - 0.9) for n in COUNTS.values()]
    torch.testing.assert_close(effective[0] / effective[1], torch.tensor(numbers[1] / numbers[0]))
    # Close to 1, beta makes it the inverse; at 0 it does nothing.
    close = class_weights(COUNTS, "effective", beta=0.999999)
    torch.testing.assert_close(close, class_weights(COUNTS, "inverse"), rtol=1e-3, atol=0)
    assert class_weights(COUNTS, "effective", beta=0).tolist() == [1.0, 1.0, 1.0]
    for weights in (root, effective):
        assert weights.dtype == torch.float32 and weights.mean().item() == pytest.approx(1.0)


def test_an_empty_class_has_no_weight() -> None:
    with pytest.raises(EmptyClass, match="fear"):
        class_weights({**COUNTS, "fear": 0}, "inverse")


def test_the_loss_is_torchs_weighted_mean() -> None:
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    weights = class_weights(COUNTS, "inverse")
    for smoothing in (0.0, 0.1):
        sums = objective_sums(logits, targets, weighted(weights, smoothing=smoothing))
        torch.testing.assert_close(
            sums.weighted / sums.weight,
            F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing),
        )
    torch.testing.assert_close(sums.plain, F.cross_entropy(logits, targets, reduction="sum"))


def test_uneven_batches_add_up_to_the_whole() -> None:
    """A mean of per-batch means is another number: weights differ between batches."""
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(11, 3, generator=generator), torch.arange(11) ** 2 % 3
    weights = class_weights(COUNTS, "inverse")
    tally = Tally(num_classes=3)
    for part in (slice(0, 4), slice(4, 8), slice(8, 11)):
        sums = objective_sums(logits[part], targets[part], weighted(weights))
        tally.add(
            weighted_loss=sums.weighted.item(),
            weight=sums.weight.item(),
            plain_loss=sums.plain.item(),
            grad_norm=0.0,
            confusion=confusion_matrix(targets[part].numpy(), logits[part].argmax(1).numpy(), 3),
        )
    whole = F.cross_entropy(logits, targets, weight=weights).item()
    assert tally.loss == pytest.approx(whole, rel=1e-6)
    assert tally.seen == 11


def test_figures_of_a_known_confusion() -> None:
    targets = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predictions = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    figures = summarise(confusion_matrix(targets, predictions, 3), ("anger", "fear", "neutral"))
    assert figures["accuracy"] == 0.5
    assert figures["balanced_accuracy"] == pytest.approx((0.75 + 0.5 + 0.0) / 3)
    # anger: precision 3/6, recall 3/4; fear: 1/2, 1/2; neutral: never predicted.
    assert figures["macro_f1"] == pytest.approx((0.6 + 0.5 + 0.0) / 3)
    assert figures["per_class"]["neutral"] == {
        "precision": 0.0,
        "precision_interval": [0.0, 1.0],  # never predicted: nothing is known
        "recall": 0.0,
        "recall_interval": [0.0, pytest.approx(0.6576, abs=1e-4)],  # 0 of 2
        "f1": 0.0,
        "support": 2,
    }
    assert figures["accuracy_interval"] == pytest.approx([0.2152, 0.7848], abs=1e-4)
    assert figures["confusion"] == [[3, 1, 0], [1, 1, 0], [2, 0, 0]]


def test_a_tally_survives_saving() -> None:
    tally = Tally(num_classes=2)
    tally.add(
        weighted_loss=0.1,
        weight=3.0,
        plain_loss=0.2,
        grad_norm=1.5,
        confusion=confusion_matrix(np.array([0, 1]), np.array([1, 1]), 2),
    )
    again = Tally.from_dict(tally.to_dict())
    assert again.to_dict() == tally.to_dict()
    assert again.loss == tally.loss


def test_half_a_vote_is_half_of_each_class() -> None:
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    objective = weighted(torch.tensor([0.5, 1.0, 2.0]))
    half = objective_sums(logits, torch.tensor([[0.5, 0.5, 0.0]]), objective)
    each = [objective_sums(logits, torch.tensor([c]), objective) for c in (0, 1)]
    torch.testing.assert_close(half.weighted, (each[0].weighted + each[1].weighted) / 2)
    torch.testing.assert_close(half.weight, torch.tensor(0.75))


def test_hard_and_one_hot_targets_have_the_same_loss() -> None:
    """torch divides weighted soft targets by their number instead of their weights."""
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    objective = weighted(class_weights(COUNTS, "inverse"), smoothing=0.1)
    hard = objective_sums(logits, targets, objective)
    soft = objective_sums(logits, F.one_hot(targets, 3).float(), objective)
    for one, other in zip(hard, soft, strict=True):
        torch.testing.assert_close(one, other)


def test_half_precision_logits_and_the_loss_in_float32() -> None:
    logits, targets = torch.randn(6, 3).bfloat16(), torch.arange(6) % 3
    sums = objective_sums(logits, targets, weighted(class_weights(COUNTS, "inverse")))
    assert {part.dtype for part in sums} == {torch.float32}


def test_logit_adjustment_is_in_the_objective_and_not_in_the_plain_loss() -> None:
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    prior = torch.tensor([10.0, 40.0, 20.0]) / 70
    objective = Objective(weights=torch.ones(3), adjustment=0.5 * log_prior(COUNTS))
    sums = objective_sums(logits, targets, objective)
    torch.testing.assert_close(
        sums.weighted, F.cross_entropy(logits + 0.5 * prior.log(), targets, reduction="sum")
    )
    torch.testing.assert_close(sums.plain, F.cross_entropy(logits, targets, reduction="sum"))


def test_figures_of_answers_do_not_know_of_batches() -> None:
    logits = torch.randn(11, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(11) ** 2 % 3
    weights = class_weights(COUNTS, "inverse")
    answers = Answers(logits=logits.numpy(), targets=targets.numpy())
    figures = measure(answers, weighted(weights), tuple(COUNTS))
    assert figures["loss"] == pytest.approx(
        F.cross_entropy(logits, targets, weight=weights).item(), rel=1e-6
    )
    assert figures["cross_entropy"] == pytest.approx(F.cross_entropy(logits, targets).item())
    assert figures["images"] == 11
    assert score(figures, "loss") == -figures["loss"]
    assert score(figures, "accuracy") == figures["accuracy"]


def test_a_class_without_images_takes_no_part_in_the_averages() -> None:
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 0, 1]), 3)
    figures = summarise(confusion, tuple(COUNTS))
    assert figures["balanced_accuracy"] == figures["macro_f1"] == 1.0
