"""One training step, one epoch, one evaluation. Knows tensors; knows no configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from fer_train.contract.architectures import Architecture, head_module
from fer_train.contract.errors import TrainingDiverged
from fer_train.data.batches import Indices
from fer_train.losses import cross_entropy_sums
from fer_train.metrics import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A network and how it learns.

    Attributes:
        frozen: the backbone gives features without a graph and only the head trains.
        class_weights: [C], float32, on the model's device.
        clip_norm: largest global gradient norm.
    """

    model: nn.Module
    arch: Architecture
    frozen: bool
    optimizer: torch.optim.Optimizer
    class_weights: Tensor
    clip_norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Figures of one step; losses are sums over the batch."""

    weighted_loss: float
    weight: float
    plain_loss: float
    grad_norm: float  # before clipping
    predictions: Tensor  # [B], int64, on the CPU


class NonFiniteStep(Exception):
    """A loss or gradient norm is NaN or infinite; the weights have not been touched."""

    def __init__(self, *, loss: float, grad_norm: float) -> None:
        super().__init__(f"loss {loss}, gradient norm {grad_norm}")
        self.loss = loss
        self.grad_norm = grad_norm


class Feed(Protocol):
    """Where batches come from: normalised images [B, 3, S, S] and targets, on the device.

    Targets are int64 [B]; in training they may be shares, float32 [B, C].
    """

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]: ...

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]: ...


def freeze_backbone(model: nn.Module, arch: Architecture) -> None:
    """Leave only the head's parameters trainable."""
    model.requires_grad_(False)
    head_module(model, arch).requires_grad_(True)


def training_mode(learner: Learner) -> None:
    """Switch to training mode; a frozen backbone stays in evaluation mode.

    ``requires_grad=False`` does not stop BatchNorm's running statistics, and would leave
    stochastic depth on.
    """
    learner.model.train(not learner.frozen)
    head_module(learner.model, learner.arch).train()


def forward(learner: Learner, images: Tensor) -> Tensor:
    """Return logits [B, C], with a graph through the trainable part only."""
    if not learner.frozen:
        logits: Tensor = learner.model(images)
        return logits
    # Not inference_mode: the head's backward needs to save these features.
    with torch.no_grad():
        features = learner.arch.features(learner.model, images)
    logits = head_module(learner.model, learner.arch)(features)
    return logits


def train_step(
    learner: Learner,
    images: Tensor,
    targets: Tensor,
    *,
    dropped: Sequence[tuple[nn.Parameter, Tensor]] = (),
) -> StepResult:
    """Learn from one batch.

    Args:
        dropped: pruned positions, put back to zero after the step.

    Raises:
        NonFiniteStep: before any weight has changed.
    """
    learner.optimizer.zero_grad(set_to_none=True)
    logits = forward(learner, images)
    sums = cross_entropy_sums(logits, targets, learner.class_weights)
    loss = sums.weighted / sums.weight
    loss.backward()  # type: ignore[no-untyped-call]
    trainable = [p for group in learner.optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(trainable, learner.clip_norm)
    # The one point per step where the host waits for the device.
    figures = torch.stack([sums.weighted.detach(), sums.weight, sums.plain, norm]).tolist()
    weighted, weight, plain, grad_norm = figures
    if not all(math.isfinite(figure) for figure in figures):
        raise NonFiniteStep(loss=weighted / weight, grad_norm=grad_norm)
    learner.optimizer.step()
    with torch.no_grad():
        for parameter, positions in dropped:
            parameter.masked_fill_(positions, 0.0)
    return StepResult(
        weighted_loss=weighted,
        weight=weight,
        plain_loss=plain,
        grad_norm=grad_norm,
        predictions=logits.detach().argmax(dim=1).cpu(),
    )


def train_epoch(
    learner: Learner,
    feed: Feed,
    batches: Sequence[Indices],
    *,
    epoch: int,
    tally: Tally,
    dropped: Sequence[tuple[nn.Parameter, Tensor]],
    before_step: Callable[[int], None],
    after_step: Callable[[StepResult, Tally], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Train on the batches from ``tally.batches`` on; return False if asked to stop before the end.

    ``tally`` holds the running figures, measured in training mode while the weights move.

    Args:
        before_step: called with the batch number; seeds dropout.

    Raises:
        NonFiniteStep: at batch ``tally.batches``, before it changed any weight.
    """
    training_mode(learner)
    for number in range(tally.batches, len(batches)):
        before_step(number)
        images, targets = feed.training(batches[number], epoch=epoch, batch=number)
        result = train_step(learner, images, targets, dropped=dropped)
        tally.add(
            weighted_loss=result.weighted_loss,
            weight=result.weight,
            plain_loss=result.plain_loss,
            grad_norm=result.grad_norm,
            # Of a distribution of votes, the emotion with most of them counts.
            targets=(targets.argmax(dim=1) if targets.ndim == 2 else targets).cpu().numpy(),
            predictions=result.predictions.numpy(),
        )
        after_step(result, tally)
        if should_stop():
            return False
    return True


def evaluate(learner: Learner, feed: Feed, batches: Iterable[Indices], *, classes: int) -> Tally:
    """Return the figures of every image once, in evaluation mode.

    Raises:
        TrainingDiverged: the network answers NaN.
    """
    learner.model.eval()
    tally = Tally(num_classes=classes)
    with torch.inference_mode():
        for indices in batches:
            images, targets = feed.evaluation(indices)
            logits = learner.model(images)
            sums = cross_entropy_sums(logits, targets, learner.class_weights)
            weighted, weight, plain = torch.stack(sums).tolist()
            if not math.isfinite(plain):
                raise TrainingDiverged(
                    "The network answers NaN or infinity on evaluation images.",
                    hint="Train with a lower --lr.",
                )
            tally.add(
                weighted_loss=weighted,
                weight=weight,
                plain_loss=plain,
                targets=targets.cpu().numpy(),
                predictions=logits.argmax(dim=1).cpu().numpy(),
            )
    return tally
