"""Where a run stands: what last.pt holds beyond best.pt, and how it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fer_train.contract.errors import CheckpointError, ResumeMismatch
from fer_train.engine import Learner
from fer_train.metrics import Tally
from fer_train.schedule import (
    plateau_state,
    restore_optimizer,
    restore_plateau,
)


@dataclass(slots=True, kw_only=True)
class Progress:
    """The mutable state of a run between two steps.

    Attributes:
        epoch: completed epochs, their validation and bookkeeping included.
        tally: running figures of the epoch that was interrupted, or None at an epoch's end.
        masks: pruning masks; empty before pruning.
        best: metrics of the best epoch so far (since pruning, once that has happened).
        pruning: metrics before and after, once pruned.
        history: one row per completed epoch.
    """

    epoch: int = 0
    tally: Tally | None = None
    masks: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    pruning: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def train_state(progress: Progress, learner: Learner, plateau: ReduceLROnPlateau) -> dict[str, Any]:
    """Return everything exact resume needs, as tensors and primitives.

    No generator states: every draw is a function of seed, epoch and batch (`seeds`).
    """
    return {
        "epoch": progress.epoch,
        "tally": None if progress.tally is None else progress.tally.to_dict(),
        "masks": progress.masks,
        "best": progress.best,
        "pruning": progress.pruning,
        "history": progress.history,
        "optimizer": learner.optimizer.state_dict(),
        "plateau": plateau_state(plateau),
    }


def restore(
    saved: Mapping[str, Any] | None, learner: Learner, plateau: ReduceLROnPlateau
) -> Progress:
    """Restore the optimiser and schedule in place and return the progress.

    The model's weights are the caller's to load.

    Raises:
        ResumeMismatch: not a last.pt, or one of other parameters.
    """
    if saved is None:
        raise ResumeMismatch(
            "This checkpoint holds no training state, so it cannot be resumed.",
            hint="Resume from last.pt or the run folder; best.pt starts a new run as --weights.",
        )
    try:
        restore_optimizer(learner.optimizer, saved["optimizer"])
        restore_plateau(plateau, saved["plateau"])
        tally = saved["tally"]
        return Progress(
            epoch=saved["epoch"],
            tally=None if tally is None else Tally.from_dict(tally),
            masks=dict(saved["masks"]),
            best=saved["best"],
            pruning=dict(saved["pruning"]),
            history=list(saved["history"]),
        )
    except KeyError as error:
        raise CheckpointError(f"The training state lacks {error}.") from error
