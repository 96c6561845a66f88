"""One training step, one evaluation. Knows tensors; knows no configuration.

A step learns from ``accumulate`` micro-batches: their gradients and weights are summed, over all
processes too, and divided once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fer_train.contract.architectures import Architecture, features, head_layers
from fer_train.contract.errors import TrainingDiverged
from fer_train.data.batches import Indices
from fer_train.learning.ema import Ema
from fer_train.learning.losses import Objective, objective_sums
from fer_train.learning.metrics import Answers, confusion_matrix, hard_targets
from fer_train.learning.statistics import Confusion
from fer_train.machine.distributed import World

Positions = Sequence[tuple[Tensor, Tensor]]  # (weight, positions that stay zero)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A network and how it learns in the present phase.

    Attributes:
        frozen: the backbone gives features without a graph and only the head trains.
        batchnorm_frozen: BatchNorm keeps its statistics where the backbone trains.
        clip_norm: largest global gradient norm.
        accumulate: micro-batches per step, over all processes.
        bf16: run the network in bfloat16 where that is safe (autocast).
        backbone: gives the features to learn from in the model's place, if frozen. Measuring always
            takes the model itself, which is what is saved.
    """

    model: nn.Module
    arch: Architecture
    frozen: bool
    batchnorm_frozen: bool
    optimizer: torch.optim.Optimizer
    objective: Objective
    clip_norm: float
    ema: Ema | None = None
    accumulate: int = 1
    bf16: bool = False
    backbone: Callable[[Tensor], Tensor] | None = None
    world: World = field(default_factory=World)

    @property
    def device(self) -> torch.device:
        """Where the network and its batches are."""
        return self.objective.weights.device


class Loaded(NamedTuple):
    """A micro-batch on the device."""

    number: int  # within the epoch
    inputs: Tensor  # images [B, 3, S, S] or cached features [B, C]
    targets: Tensor  # [B] int64, or [B, C] shares


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Figures of one step; losses are sums over its images."""

    weighted_loss: float
    weight: float
    plain_loss: float
    grad_norm: float  # before clipping
    confusion: Confusion


class NonFiniteStep(Exception):
    """A loss or gradient norm is NaN or infinite; the weights have not been touched."""

    def __init__(self, *, loss: float, grad_norm: float, micro_losses: dict[int, float]) -> None:
        super().__init__(f"loss {loss}, gradient norm {grad_norm}")
        self.loss = loss
        self.grad_norm = grad_norm
        self.micro_losses = micro_losses  # micro-batch number -> its summed loss


class Feed(Protocol):
    """Where batches come from: inputs and targets, on the device.

    Targets are int64 [B]; in training they may be shares, float32 [B, C].
    """

    def training(self, indices: Indices, *, epoch: int, batch: int) -> tuple[Tensor, Tensor]: ...

    def evaluation(self, indices: Indices) -> tuple[Tensor, Tensor]: ...


def freeze_backbone(model: nn.Module, arch: Architecture) -> None:
    """Leave only the head's parameters trainable."""
    model.requires_grad_(False)
    head_layers(model, arch).requires_grad_(True)


def training_mode(learner: Learner) -> None:
    """Switch to training mode; what is frozen stays in evaluation mode.

    ``requires_grad=False`` does not stop BatchNorm's running statistics, and would leave
    stochastic depth on.
    """
    learner.model.train(not learner.frozen)
    head_layers(learner.model, learner.arch).train()
    if learner.batchnorm_frozen:
        for module in learner.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def forward(
    learner: Learner, inputs: Tensor, *, backbone: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return logits [B, C], with a graph through the trainable part only.

    Args:
        backbone: makes the features of a frozen network in the model's place.
    """
    with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=learner.bf16):
        if not learner.frozen:
            logits: Tensor = learner.model(inputs)
            return logits
        if inputs.ndim == 4:
            # Not inference_mode: the head's backward needs to save these features.
            with torch.no_grad():
                inputs = (backbone or partial(features, learner.model, learner.arch))(inputs)
    # In float32, which costs nothing. Inside autocast it would also find its weights in autocast's
    # cache, cast under no_grad, and get no gradient.
    logits = head_layers(learner.model, learner.arch)(inputs.float())
    return logits


def train_step(
    learner: Learner,
    micro_batches: Iterable[Loaded],
    *,
    before_batch: Callable[[int], None] = lambda number: None,
    dropped: Positions = (),
) -> StepResult:
    """Learn from the micro-batches of one step; this process may have none of them.

    Args:
        before_batch: called with each micro-batch's number; seeds dropout.
        dropped: pruned positions, put back to zero after the step.

    Raises:
        NonFiniteStep: before any weight has changed, in every process.
    """
    trainable = [p for group in learner.optimizer.param_groups for p in group["params"]]
    classes = len(learner.objective.weights)
    sums = torch.zeros(3, dtype=torch.float32, device=learner.device)
    confusion = torch.zeros(classes, classes)  # exact as float32: a step has few images
    micro_losses: dict[int, Tensor] = {}
    for parameter in trainable:
        parameter.grad = None if learner.world.size == 1 else torch.zeros_like(parameter)
    for number, inputs, targets in micro_batches:
        before_batch(number)
        logits = forward(learner, inputs, backbone=learner.backbone)
        loss = objective_sums(logits, targets, learner.objective)
        loss.weighted.backward()  # type: ignore[no-untyped-call]
        sums += torch.stack([part.detach() for part in loss])
        micro_losses[number] = loss.weighted.detach()
        predictions = logits.detach().argmax(dim=1).cpu().numpy()
        true = hard_targets(targets.cpu().numpy())
        confusion += torch.from_numpy(confusion_matrix(true, predictions, classes))

    gradients = [p.grad for p in trainable if p.grad is not None]
    confusion = confusion.to(sums.device)
    learner.world.add_up([*gradients, sums, confusion])
    for gradient in gradients:
        gradient.div_(sums[1])
    norm = nn.utils.clip_grad_norm_(trainable, learner.clip_norm)
    weighted, weight, plain, grad_norm = torch.cat([sums, norm.float().view(1)]).tolist()
    if not all(math.isfinite(figure) for figure in (weighted, weight, plain, grad_norm)):
        raise NonFiniteStep(
            loss=weighted / weight,
            grad_norm=grad_norm,
            micro_losses={number: float(loss) for number, loss in micro_losses.items()},
        )
    learner.optimizer.step()
    if learner.ema is not None:
        learner.ema.update()
    with torch.no_grad():
        for values, positions in dropped:
            values.masked_fill_(positions, 0.0)
    return StepResult(
        weighted_loss=weighted,
        weight=weight,
        plain_loss=plain,
        grad_norm=grad_norm,
        confusion=confusion.cpu().numpy().astype(np.int64),
    )


def steps_of(batches: Sequence[Indices], learner: Learner) -> list[list[tuple[int, Indices]]]:
    """Return, per step, the numbered micro-batches that this process computes."""
    numbered = list(enumerate(batches))
    starts = range(0, len(numbered), learner.accumulate)
    world = learner.world
    return [
        [
            item
            for item in numbered[a : a + learner.accumulate]
            if item[0] % world.size == world.rank
        ]
        for a in starts
    ]


def load_in_turn(
    feed: Feed, micro_batches: Iterable[Any], *, epoch: int
) -> Generator[Loaded, None, None]:
    """Load each micro-batch when it is asked for."""
    for number, indices in micro_batches:
        yield Loaded(number, *feed.training(indices, epoch=epoch, batch=number))


def answer(
    network: Callable[[Tensor], Tensor],
    feed: Feed,
    batches: Sequence[Indices],
    *,
    world: World | None = None,
    on_progress: Callable[[int], None] = lambda images: None,
) -> Answers:
    """Return a network's logits for every image once; it must be in evaluation mode.

    The processes share the batches and all get every answer.

    Args:
        on_progress: told how many more images this process has answered.

    Raises:
        TrainingDiverged: the network answers NaN or infinity.
    """
    world = world or World()
    parts: list[tuple[Any, Any]] = []
    with torch.inference_mode():
        for indices in batches[world.rank :: world.size]:
            inputs, targets = feed.evaluation(indices)
            logits = network(inputs)
            parts.append((logits.float().cpu().numpy(), targets.cpu().numpy()))
            on_progress(len(indices))
    by_process = world.gather(parts)
    ordered = [by_process[n % world.size][n // world.size] for n in range(len(batches))]
    answers = Answers(
        logits=np.concatenate([logits for logits, _ in ordered]),
        targets=np.concatenate([targets for _, targets in ordered]),
    )
    if not np.isfinite(answers.logits).all():
        raise TrainingDiverged(
            "The network answers NaN or infinity on evaluation images.",
            hint="Train with a lower --lr.",
        )
    return answers
