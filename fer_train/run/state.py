"""Where a run stands: what last.pt holds beyond best.pt, and how it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from fer_train.contract.errors import CheckpointError, ResumeMismatch
from fer_train.learning.engine import Learner
from fer_train.learning.metrics import Tally
from fer_train.learning.schedule import Patience, Plateau, restore_optimizer

#: Of the training state inside last.pt; best.pt has no part in it.
STATE_VERSION = 2


@dataclass(slots=True, kw_only=True)
class Progress:
    """The mutable state of a run between two steps.

    Attributes:
        epoch: completed epochs, their validation and bookkeeping included.
        skipped: epochs of the plan that early stopping left out.
        phase: index of the phase the optimiser belongs to.
        tally: running figures of the epoch that was interrupted, or None at an epoch's end.
        masks: pruning masks; empty before pruning.
        pruned: pruning steps done.
        pruning: metrics before and after each of them.
        best: metrics of the best epoch so far (since pruning, once that has happened).
        plateau: what the plateau schedule has seen in this phase.
        early: what early stopping has seen in this phase.
        history: one row per completed epoch.
    """

    epoch: int = 0
    skipped: int = 0
    phase: int = 0
    tally: Tally | None = None
    masks: dict[str, Tensor] = field(default_factory=dict)
    pruned: int = 0
    pruning: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    plateau: Plateau = field(default_factory=Plateau)
    early: Patience = field(default_factory=Patience)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Where the run stands in its plan (`plan`)."""
        return self.epoch + self.skipped


def train_state(progress: Progress, learner: Learner) -> dict[str, Any]:
    """Return everything exact resume needs, as tensors and primitives.

    No generator states: every draw is a function of seed, epoch and batch (`seeds`).
    """
    return {
        "version": STATE_VERSION,
        "epoch": progress.epoch,
        "skipped": progress.skipped,
        "phase": progress.phase,
        "tally": None if progress.tally is None else progress.tally.to_dict(),
        "masks": progress.masks,
        "pruned": progress.pruned,
        "pruning": progress.pruning,
        "best": progress.best,
        "plateau": asdict(progress.plateau),
        "early": asdict(progress.early),
        "history": progress.history,
        "optimizer": learner.optimizer.state_dict(),
        "ema": None if learner.ema is None else learner.ema.state(),
    }


def read_progress(saved: Mapping[str, Any] | None) -> Progress:
    """Return the progress in a training state.

    Raises:
        ResumeMismatch: not a last.pt, or one of another version of the tool.
    """
    if saved is None:
        raise ResumeMismatch(
            "This checkpoint holds no training state, so it cannot be resumed.",
            hint="Resume from last.pt or the run folder; best.pt starts a new run with --from.",
        )
    if saved.get("version") != STATE_VERSION:
        raise ResumeMismatch(
            f"The training state in last.pt has version {saved.get('version', 1)}; this fertrain "
            f"continues version {STATE_VERSION}.",
            hint="Finish the run with the fertrain that started it, or start a new run from what "
            "it learned: fertrain train --from best.pt --data …",
        )
    try:
        plateau, tally = saved["plateau"], saved["tally"]
        return Progress(
            epoch=saved["epoch"],
            skipped=saved["skipped"],
            phase=saved["phase"],
            tally=None if tally is None else Tally.from_dict(tally),
            masks=dict(saved["masks"]),
            pruned=saved["pruned"],
            pruning=dict(saved["pruning"]),
            best=saved["best"],
            plateau=Plateau(scale=plateau["scale"], seen=Patience(**plateau["seen"])),
            early=Patience(**saved["early"]),
            history=list(saved["history"]),
        )
    except KeyError as error:
        raise CheckpointError(f"The training state lacks {error}.") from error


def restore_learner(saved: Mapping[str, Any], learner: Learner) -> None:
    """Restore optimiser and averages in place; the learner is of the saved phase.

    Raises:
        ResumeMismatch: a state of other parameters.
    """
    restore_optimizer(learner.optimizer, saved["optimizer"])
    averages = saved["ema"]
    if (averages is None) != (learner.ema is None):
        raise ResumeMismatch("last.pt and this run differ in whether weights are averaged (--ema).")
    if learner.ema is not None:
        try:
            learner.ema.restore(averages)
        except KeyError as error:
            raise ResumeMismatch(f"The averages in last.pt lack {error}.") from error
