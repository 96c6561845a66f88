"""The optimiser and its rates: plateau, cosine, warm-up, and how they come back from last.pt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from fer_train.config.options import Schedule
from fer_train.contract.errors import ResumeMismatch


@dataclass(slots=True)
class Patience:
    """How long ago the best score was."""

    best: float = -math.inf
    bad: int = 0

    def update(self, score: float) -> bool:
        """Count one epoch; any improvement counts, as it does for best.pt."""
        improved = score > self.best
        self.best, self.bad = (score, 0) if improved else (self.best, self.bad + 1)
        return improved


@dataclass(slots=True)
class Plateau:
    """What the plateau schedule has seen. Its factor and patience are the configuration's.

    torch's ReduceLROnPlateau keeps both in its state, and loading that state silently overrides
    options changed on the command line; it also owns the rates, which warm-up needs too.

    Attributes:
        scale: product of the cuts so far.
    """

    scale: float = 1.0
    seen: Patience = field(default_factory=Patience)

    def update(self, score: float, *, factor: float, patience: int) -> None:
        """Count one epoch; cut after ``patience`` + 1 epochs without a better score."""
        self.seen.update(score)
        if self.seen.bad > patience:
            self.scale *= factor
            self.seen.bad = 0

    def forget(self) -> None:
        """Forget what was seen; the rate stays where it is."""
        self.seen = Patience()


def build_optimizer(
    groups: Sequence[tuple[Sequence[tuple[str, nn.Parameter]], float]], *, weight_decay: float
) -> torch.optim.AdamW:
    """Return AdamW over (named parameters, rate) groups; a resume checks the names."""
    return torch.optim.AdamW(
        [{"params": list(named), "lr": rate} for named, rate in groups],
        weight_decay=weight_decay,
    )


def rate_factor(
    schedule: Schedule, *, done: float, length: float, warmup: float, plateau_scale: float
) -> float:
    """Return what every rate of a phase is multiplied by, a pure function of the position.

    Args:
        done: epochs of the phase so far, with the part of the present one.
        length: epochs of the phase.
        warmup: epochs of linear growth at its start.
    """
    factor = min(1.0, (done + 1e-9) / warmup) if warmup > 0 else 1.0
    if schedule == "cosine":
        share = min(max((done - warmup) / max(length - warmup, 1e-9), 0.0), 1.0)
        # Down to one percent, not to zero: the last epoch should still learn.
        factor *= 0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2
    return factor * (plateau_scale if schedule == "plateau" else 1.0)


def set_rates(
    optimizer: torch.optim.Optimizer, rates: Sequence[float], *, weight_decay: float
) -> None:
    """Set the rate of each group, and one decay for all."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"], group["weight_decay"] = rate, weight_decay


def current_rates(optimizer: torch.optim.Optimizer) -> list[float]:
    """Return the present rate of each group: the head's, then the backbone's if it trains."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def current_lr(optimizer: torch.optim.Optimizer) -> float:
    """Return the present rate of the first group, the head's."""
    return current_rates(optimizer)[0]


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
