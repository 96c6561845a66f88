"""A frozen backbone stays frozen, pruned weights stay zero, a NaN changes nothing."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fer_train.contract.architectures import (
    architecture,
    build_model,
    features,
    head_layers,
    is_head_parameter,
)
from fer_train.data.batches import Indices
from fer_train.learning.ema import Ema
from fer_train.learning.engine import (
    Learner,
    NonFiniteStep,
    Positions,
    StepResult,
    answer,
    forward,
    freeze_backbone,
    load_in_turn,
    steps_of,
    train_step,
    training_mode,
)
from fer_train.learning.losses import Objective
from fer_train.learning.pruning import (
    apply_masks,
    compute_masks,
    prunable,
    pruned_positions,
    sparsity_table,
)
from fer_train.learning.schedule import build_optimizer

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


def make_learner(*, frozen: bool, **others: Any) -> Learner:
    torch.manual_seed(0)
    model = build_model(ARCH.name, num_classes=8)
    if frozen:
        freeze_backbone(model, ARCH)
    return Learner(
        model=model,
        arch=ARCH,
        frozen=frozen,
        batchnorm_frozen=False,
        optimizer=build_optimizer(
            [([item for item in model.named_parameters() if item[1].requires_grad], 1e-2)],
            weight_decay=1e-2,
        ),
        objective=Objective(weights=torch.ones(8), adjustment=torch.zeros(8)),
        clip_norm=1.0,
        **others,
    )


def batches(count: int) -> list[Indices]:
    return [torch.arange(8 * n, 8 * n + 8).numpy() for n in range(count)]


def take_steps(
    learner: Learner, feed: NoiseFeed, chosen: list[Indices], *, dropped: Positions = ()
) -> Iterator[StepResult]:
    """Train one epoch, a step at a time."""
    training_mode(learner)
    steps = steps_of(chosen, learner)
    stream = load_in_turn(feed, chain.from_iterable(steps), epoch=1)
    for step in steps:
        yield train_step(learner, islice(stream, len(step)), dropped=dropped)


def run_epoch(
    learner: Learner, feed: NoiseFeed, *, prune: dict[str, Tensor] | None = None
) -> list[StepResult]:
    dropped = pruned_positions(dict(learner.model.named_parameters()), prune or {})
    return list(take_steps(learner, feed, batches(4), dropped=dropped))


def test_head_training_leaves_backbone_parameters_and_buffers_bit_identical() -> None:
    """The classic: BatchNorm statistics move in train mode even without gradients."""
    learner = make_learner(frozen=True)
    before = copy.deepcopy(learner.model.state_dict())
    steps = run_epoch(learner, NoiseFeed())
    assert len(steps) == 4 and all(step.grad_norm > 0 for step in steps)
    for key, value in learner.model.state_dict().items():
        same = torch.equal(value, before[key])
        assert same != is_head_parameter(key, ARCH), key


def test_the_frozen_forward_is_the_networks_own() -> None:
    learner = make_learner(frozen=True)
    learner.model.eval()
    images, _ = NoiseFeed().evaluation(batches(1)[0])
    head = head_layers(learner.model, ARCH)
    torch.testing.assert_close(
        head(features(learner.model, ARCH, images)), learner.model(images), rtol=0, atol=0
    )


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
    snapshots = [copy.deepcopy(learner.model.state_dict())]
    with pytest.raises(NonFiniteStep) as caught:
        for _ in take_steps(learner, PoisonedFeed(), batches(4)):
            snapshots.append(copy.deepcopy(learner.model.state_dict()))
    assert len(snapshots) == 3 and math.isnan(caught.value.micro_losses[2])  # names the batch
    for key, value in learner.model.state_dict().items():
        assert torch.equal(value, snapshots[2][key]), key


def test_an_accumulated_step_is_the_step_of_the_whole_batch() -> None:
    """Sums of gradients divided by the sum of weights: exact for uneven, weighted parts."""
    weights = torch.tensor([4.0, 1.0, 0.5, 2.0, 1.0, 3.0, 0.1, 1.0])
    objective = Objective(weights=weights, adjustment=torch.zeros(8), smoothing=0.1)
    indices = torch.arange(21).numpy()
    parts = [indices[:8], indices[8:16], indices[16:]]  # 8, 8 and 5 images

    class WholeFeed(NoiseFeed):
        def evaluation(self, chosen: Indices) -> tuple[Tensor, Tensor]:
            random = torch.Generator().manual_seed(0)
            images = torch.randn(21, 3, 32, 32, generator=random)
            return images[torch.from_numpy(chosen)], torch.tensor(chosen**2 % 8)

    def gradients(batches: list[Indices], accumulate: int) -> tuple[Tensor, StepResult]:
        learner = replace(
            make_learner(frozen=True, accumulate=accumulate), objective=objective, clip_norm=1e9
        )
        learner.model.get_submodule("classifier.0").p = 0.0
        (step,) = take_steps(learner, WholeFeed(), batches)
        gradient = learner.model.get_parameter("classifier.1.weight").grad
        assert gradient is not None
        return gradient, step

    whole, expected = gradients([indices], 1)
    summed, step = gradients(parts, 3)
    torch.testing.assert_close(summed, whole, rtol=1e-5, atol=1e-8)
    assert step.weight == pytest.approx(expected.weight, rel=1e-6)
    assert step.weighted_loss == pytest.approx(expected.weighted_loss, rel=1e-6)
    assert step.grad_norm == pytest.approx(expected.grad_norm, rel=1e-5)
    # The mean of the parts' means, what most scripts compute, is another number.
    means = [gradients([part], 1)[0] for part in parts]
    assert (torch.stack(means).mean(dim=0) - whole).abs().max() > 1e-3 * whole.abs().max()


def test_frozen_batchnorm_keeps_its_statistics_while_all_layers_learn() -> None:
    learner = replace(make_learner(frozen=False), batchnorm_frozen=True)
    before = copy.deepcopy(learner.model.state_dict())
    run_epoch(learner, NoiseFeed())
    buffers = {name for name, _ in learner.model.named_buffers()}
    for key, value in learner.model.state_dict().items():
        assert torch.equal(value, before[key]) == (key in buffers), key


def test_averages_are_measured_and_the_weights_come_back_bit_for_bit() -> None:
    learner = make_learner(frozen=True)
    ema = Ema(learner.model, decay=0.5, buffers=False)
    learner = replace(learner, ema=ema)
    assert set(ema.values) == {"classifier.1.weight", "classifier.1.bias"}
    expected = learner.model.get_parameter("classifier.1.bias").detach().clone()
    bias = learner.model.get_parameter("classifier.1.bias")
    steps = [bias.detach().clone() for _ in take_steps(learner, NoiseFeed(), batches(4))]
    for number, value in enumerate(steps, start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value
    torch.testing.assert_close(ema.values["classifier.1.bias"], expected)
    live = learner.model.get_parameter("classifier.1.bias")
    with ema.applied():
        assert torch.equal(live, ema.values["classifier.1.bias"])
    assert torch.equal(live, steps[-1])


def test_bfloat16_keeps_the_loss_and_the_weights_in_float32() -> None:
    images, _ = NoiseFeed().evaluation(batches(1)[0])
    for frozen, dtype in ((False, torch.bfloat16), (True, torch.float32)):
        learner = make_learner(frozen=frozen, bf16=True)
        training_mode(learner)
        assert forward(learner, images).dtype == dtype
        # The head learns: autocast's cache of weights must not lose its gradient.
        assert all(step.grad_norm > 0 for step in run_epoch(learner, NoiseFeed()))
        assert all(p.dtype == torch.float32 for p in learner.model.parameters())


def test_evaluation_does_not_change_the_network() -> None:
    learner = make_learner(frozen=False)
    before = copy.deepcopy(learner.model.state_dict())
    learner.model.eval()
    first = answer(learner.model, NoiseFeed(), batches(2))
    second = answer(learner.model, NoiseFeed(), batches(2))
    assert (first.logits == second.logits).all() and (first.targets == second.targets).all()
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


def test_global_scope_prunes_the_smallest_weights_of_the_whole_network() -> None:
    from torch.nn.utils import prune

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 4))
    with torch.no_grad():
        model[1].weight.mul_(0.1)
    masks = compute_masks(model, sparsity=0.3, scope="global")
    reference = copy.deepcopy(model)
    prune.global_unstructured(
        [(layer, "weight") for layer in reference], prune.L1Unstructured, amount=0.3
    )
    for number in (0, 1):
        expected = reference[number].weight_mask.bool()
        assert torch.equal(masks[f"{number}.weight"], expected)
    assert (~masks["1.weight"]).float().mean() > 2 * (~masks["0.weight"]).float().mean()
