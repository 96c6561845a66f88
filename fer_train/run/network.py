"""The network of a run, and what a phase changes: which layers learn, at which rates, with a fresh
optimiser and average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from fer_train.config.options import TrainConfig
from fer_train.config.phase import Phase
from fer_train.contract.architectures import (
    Architecture,
    architecture,
    build_model,
    is_head_parameter,
)
from fer_train.learning.ema import Ema
from fer_train.learning.engine import Learner, freeze_backbone
from fer_train.learning.frozen import FrozenBackbone
from fer_train.learning.losses import Objective, class_weights, log_prior
from fer_train.learning.schedule import Plateau, build_optimizer, rate_factor
from fer_train.machine.device import choose_bf16, memory_format
from fer_train.machine.distributed import World
from fer_train.machine.seeds import seed_torch
from fer_train.run.faces import Faces
from fer_train.run.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What stays the same through all phases."""

    model: nn.Module
    arch: Architecture
    objective: Objective
    bf16: bool
    world: World


def build_subject(
    config: TrainConfig,
    faces: Faces,
    *,
    device: torch.device,
    load_weights: Callable[[torch.nn.Module], None],
    world: World,
) -> Subject:
    """Build the network with its starting weights, the same in every process."""
    seed_torch(config.seed, "init")
    model = build_model(config.arch, num_classes=len(faces.labels))
    if world.leads:
        load_weights(model)
    model.to(device, memory_format=memory_format(device))  # type: ignore[call-overload]
    world.copy_leaders_weights(model)
    return Subject(
        model=model,
        arch=architecture(config.arch),
        objective=build_objective(config, faces.train_counts()).to(device),
        bf16=choose_bf16(config.precision, device),
        world=world,
    )


def build_objective(config: TrainConfig, counts: dict[str, int]) -> Objective:
    """Return the loss for training counts in the order of the outputs.

    Only after ``--from`` may a class have no images; it then weighs 1 and is never a target.

    Raises:
        EmptyClass: a class without images otherwise.
    """
    seen = {name: count for name, count in counts.items() if count or not config.from_checkpoint}
    weights = class_weights(seen, config.resolved_class_weights, beta=config.effective_beta)
    of_class = dict(zip(seen, weights.tolist(), strict=True))
    adjustment = torch.zeros(len(counts))
    if config.logit_adjustment:
        adjustment = config.logit_adjustment * log_prior(
            {name: count if name in seen else 1 for name, count in counts.items()}
        )
    return Objective(
        weights=torch.tensor([of_class.get(name, 1.0) for name in counts]),
        adjustment=adjustment,
        smoothing=config.label_smoothing,
    )


def learner_for(subject: Subject, phase: Phase, config: TrainConfig) -> Learner:
    """Set up ``subject`` for a phase.

    The optimiser and the average start anew: moments gathered while other layers stood still say
    little about the network that trains now.
    """
    model, arch = subject.model, subject.arch
    frozen = phase.trains == "head"
    if frozen:
        freeze_backbone(model, arch)
    else:
        model.requires_grad_(True)
    # Within each group in the model's order: a resume compares the names.
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    head = [item for item in named if is_head_parameter(item[0], arch)]
    backbone = [item for item in named if not is_head_parameter(item[0], arch)]
    groups = list(zip((head, backbone), group_rates(phase), strict=False))
    moves = not frozen and not config.batchnorm_frozen
    return Learner(
        model=model,
        arch=arch,
        frozen=frozen,
        batchnorm_frozen=config.batchnorm_frozen,
        optimizer=build_optimizer(groups, weight_decay=config.weight_decay),
        objective=subject.objective,
        clip_norm=config.clip_norm,
        ema=Ema(model, decay=config.ema, buffers=moves) if config.ema else None,
        accumulate=config.accumulate,
        bf16=subject.bf16,
        backbone=FrozenBackbone(model, arch, batch=config.batch_size) if frozen else None,
        world=subject.world,
    )


def group_rates(phase: Phase) -> list[float]:
    """Return the full rate of the head, and of the backbone if it trains."""
    if phase.trains == "head":
        return [phase.lr]
    return [phase.lr, phase.backbone_lr or phase.lr]


def rates_at(config: TrainConfig, plan: Plan, plateau: Plateau, *, position: float) -> list[float]:
    """Return the rate of each group at a position (epochs, with the part of the present one)."""
    index = plan.phase_at(int(position))
    factor = rate_factor(
        config.schedule,
        done=position - plan.phase_starts()[index],
        length=plan.phase_length(index),
        warmup=config.warmup_epochs,
        plateau_scale=plateau.scale,
    )
    return [factor * rate for rate in group_rates(plan.phases[index])]
