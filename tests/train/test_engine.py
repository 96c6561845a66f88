"""A frozen backbone stays frozen, pruned weights stay zero, a NaN changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from fer_train.contract.architectures import (
    architecture,
    build_model,
    head_module,
    is_head_parameter,
)
from fer_train.data.batches import Indices
from fer_train.engine import Learner, NonFiniteStep, evaluate, freeze_backbone, train_epoch
from fer_train.metrics import Tally
from fer_train.pruning import (
    apply_masks,
    compute_masks,
    prunable,
    sparsity_table,
    trainable_dropped,
)
from fer_train.schedule import build_optimizer

ARCH = architecture("efficientnet_b0")


class NoiseFeed:
    """Seeded noise instead of faces."""

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        return self.evaluation(indices)

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(int(indices[0]))
        return torch.randn(len(indices), 3, 32, 32, generator=random), torch.tensor(indices % 8)


class PoisonedFeed(NoiseFeed):
    """The third batch holds a NaN."""

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        images, targets = self.evaluation(indices)
        if batch == 2:
            images[0, 0, 0, 0] = torch.nan
        return images, targets


def make_learner(*, frozen: bool) -> Learner:
    torch.manual_seed(0)
    model = build_model(ARCH.name, num_classes=8)
    if frozen:
        freeze_backbone(model, ARCH)
    return Learner(
        model=model,
        arch=ARCH,
        frozen=frozen,
        optimizer=build_optimizer(model, lr=1e-2, weight_decay=1e-2),
        class_weights=torch.ones(8),
        clip_norm=1.0,
    )


def batches(count: int) -> list[Indices]:
    return [torch.arange(8 * n, 8 * n + 8).numpy() for n in range(count)]


def run_epoch(
    learner: Learner, feed: NoiseFeed, *, prune: dict[str, Tensor] | None = None
) -> Tally:
    tally = Tally(num_classes=8)
    train_epoch(
        learner,
        feed,
        batches(4),
        epoch=1,
        tally=tally,
        dropped=trainable_dropped(learner.model, prune or {}),
        before_step=lambda batch: None,
        after_step=lambda result, running: None,
        should_stop=lambda: False,
    )
    return tally


def test_head_training_leaves_backbone_parameters_and_buffers_bit_identical() -> None:
    """The classic: BatchNorm statistics move in train mode even without gradients."""
    learner = make_learner(frozen=True)
    before = copy.deepcopy(learner.model.state_dict())
    tally = run_epoch(learner, NoiseFeed())
    assert tally.batches == 4 and tally.grad_norm > 0
    for key, value in learner.model.state_dict().items():
        same = torch.equal(value, before[key])
        assert same != is_head_parameter(key, ARCH), key


def test_the_frozen_forward_is_the_networks_own() -> None:
    learner = make_learner(frozen=True)
    learner.model.eval()
    images, _ = NoiseFeed().evaluation(batches(1)[0])
    features = ARCH.features(learner.model, images)
    torch.testing.assert_close(head_module(learner.model, ARCH)(features), learner.model(images))


def test_dropout_before_the_head_stays_on_in_head_training() -> None:
    learner = make_learner(frozen=True)
    run_epoch(learner, NoiseFeed())
    modes = {name: module.training for name, module in learner.model.named_modules()}
    assert modes["classifier.0"] and not modes["features"] and not modes["features.0.1"]


def test_all_layers_learn_when_nothing_is_frozen() -> None:
    learner = make_learner(frozen=False)
    before = copy.deepcopy(learner.model.state_dict())
    run_epoch(learner, NoiseFeed())
    for name, parameter in learner.model.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_a_nan_stops_before_the_step_with_weights_intact() -> None:
    learner = make_learner(frozen=True)
    feed, tally = PoisonedFeed(), Tally(num_classes=8)
    snapshots: list[dict[str, Tensor]] = []
    with pytest.raises(NonFiniteStep):
        train_epoch(
            learner,
            feed,
            batches(4),
            epoch=1,
            tally=tally,
            dropped=(),
            before_step=lambda batch: snapshots.append(copy.deepcopy(learner.model.state_dict())),
            after_step=lambda result, running: None,
            should_stop=lambda: False,
        )
    assert tally.batches == 2  # names the batch that failed
    for key, value in learner.model.state_dict().items():
        assert torch.equal(value, snapshots[2][key]), key


def test_evaluation_does_not_change_the_network() -> None:
    learner = make_learner(frozen=False)
    before = copy.deepcopy(learner.model.state_dict())
    first = evaluate(learner, NoiseFeed(), batches(2), classes=8)
    second = evaluate(learner, NoiseFeed(), batches(2), classes=8)
    assert first.to_dict() == second.to_dict()
    assert all(torch.equal(v, before[k]) for k, v in learner.model.state_dict().items())


def test_pruned_weights_stay_zero_through_training() -> None:
    learner = make_learner(frozen=False)
    keys = list(learner.model.state_dict())
    masks = compute_masks(learner.model, sparsity=0.4)
    apply_masks(learner.model, masks)
    run_epoch(learner, NoiseFeed(), prune=masks)
    assert list(learner.model.state_dict()) == keys
    for name, mask in masks.items():
        weight = learner.model.get_parameter(name)
        assert (weight[~mask] == 0).all() and not torch.signbit(weight[~mask]).any()
        # Within one element of the target, layer by layer.
        assert abs(int((~mask).sum()) - 0.4 * mask.numel()) <= 1
    assert sparsity_table(learner.model, masks)["global"] == pytest.approx(0.4, abs=1e-3)


def test_masks_are_torchs_l1_unstructured() -> None:
    from torch.nn.utils import prune

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(5, 7))
    # Channels last as in training on the CPU; torch's own pruning cannot even run on that.
    trained = copy.deepcopy(model).to(memory_format=torch.channels_last)
    masks = compute_masks(trained, sparsity=0.3)
    assert set(masks) == set(prunable(model)) == {"0.weight", "2.weight"}
    for name in ("0", "2"):
        layer = copy.deepcopy(model.get_submodule(name))
        prune.l1_unstructured(layer, "weight", amount=0.3)
        assert torch.equal(masks[f"{name}.weight"], layer.weight_mask.bool())


def test_sparsity_is_a_target_not_a_share_of_what_remains() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 20))
    for _ in range(2):
        masks = compute_masks(model, sparsity=0.2)
        apply_masks(model, masks)
    assert sparsity_table(model, masks)["global"] == 0.2
