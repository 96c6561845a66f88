"""The optimiser and the plateau schedule, and how both come back from last.pt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fer_train.contract.errors import ResumeMismatch


def build_optimizer(model: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters, by name so that a resume can check them."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return torch.optim.AdamW(named, lr=lr, weight_decay=weight_decay)


def build_plateau(
    optimizer: torch.optim.Optimizer, *, factor: float, patience: int
) -> ReduceLROnPlateau:
    """Return the schedule: lr *= factor after ``patience`` + 1 epochs without a better macro-F1."""
    # An absolute threshold of 0: any improvement counts, as it does for best.pt.
    return ReduceLROnPlateau(
        optimizer, mode="max", factor=factor, patience=patience, threshold=0.0, threshold_mode="abs"
    )


def current_lr(optimizer: torch.optim.Optimizer) -> float:
    """Return the learning rate of the first group (all groups share it)."""
    return float(optimizer.param_groups[0]["lr"])


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Load an optimiser's state after checking that it belongs to the same parameters.

    Raises:
        ResumeMismatch: other parameters or another order, which torch would not notice.
    """
    ours = [group["param_names"] for group in optimizer.param_groups]
    theirs = [group.get("param_names") for group in saved["param_groups"]]
    if ours != theirs:
        raise ResumeMismatch(
            "The optimiser state in last.pt belongs to other parameters than this run trains.",
            hint="Resume with the options the run was started with, or start a new run.",
        )
    optimizer.load_state_dict(dict(saved))


def plateau_state(plateau: ReduceLROnPlateau) -> dict[str, Any]:
    """Return what the schedule has seen, not how it was configured."""
    return {
        "best": float(plateau.best),
        "num_bad_epochs": plateau.num_bad_epochs,
        "cooldown_counter": plateau.cooldown_counter,
        "last_epoch": plateau.last_epoch,
    }


def restore_plateau(plateau: ReduceLROnPlateau, saved: Mapping[str, Any]) -> None:
    """Restore `plateau_state`.

    ``load_state_dict`` would also bring back the old factor and patience and so silently override
    options changed on the command line.
    """
    for key, value in saved.items():
        setattr(plateau, key, value)


def reset_plateau(plateau: ReduceLROnPlateau) -> None:
    """Forget what the schedule has seen; the learning rate stays where it is."""
    restore_plateau(plateau, {"best": -math.inf, "num_bad_epochs": 0, "cooldown_counter": 0})


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr
