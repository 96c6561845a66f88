"""What a phase changes: which layers learn, at which rates, with a fresh optimiser and average."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from fer_train.config import TrainConfig
from fer_train.config_phase import Phase
from fer_train.contract.architectures import Architecture, is_head_parameter
from fer_train.distributed import World
from fer_train.ema import Ema
from fer_train.engine import Learner, freeze_backbone
from fer_train.frozen import FrozenBackbone
from fer_train.losses import Objective
from fer_train.plan import Plan
from fer_train.schedule import Plateau, build_optimizer, rate_factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What stays the same through all phases."""

    model: nn.Module
    arch: Architecture
    objective: Objective
    bf16: bool
    world: World


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
