"""A run in memory: opened fresh or from last.pt, and turned back into checkpoints."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fer_train import __version__
from fer_train.board import Board
from fer_train.config import TrainConfig
from fer_train.contract.architectures import architecture
from fer_train.contract.checkpoint import Checkpoint, tool_versions
from fer_train.contract.errors import LabelMismatch, ResumeMismatch
from fer_train.data.batches import ordered_batches
from fer_train.data.feed import FaceFeed
from fer_train.device import select_device
from fer_train.engine import Learner, evaluate
from fer_train.metrics import summarise
from fer_train.progress import Reporter
from fer_train.pruning import sparsity_table
from fer_train.run import RunFolder, create_run
from fer_train.schedule import build_plateau, current_lr, set_lr
from fer_train.setup import Faces, build_feeds, build_learner, prepare_faces
from fer_train.signals import StopRequest
from fer_train.state import Progress, restore
from fer_train.weights import load_starting_weights

#: Losses kept for failure.json.
_RECENT = 20


@dataclass(kw_only=True)
class Session:
    """Everything one run holds between two steps."""

    config: TrainConfig
    faces: Faces
    feeds: dict[str, FaceFeed]
    learner: Learner
    plateau: ReduceLROnPlateau
    progress: Progress
    run: RunFolder
    board: Board
    reporter: Reporter
    stop: StopRequest
    recent_losses: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def waits_for_pruning(self) -> bool:
        """Whether this run will prune and has not yet: its best epoch is not best.pt so far."""
        return self.config.prune > 0 and not self.progress.pruning

    @property
    def best_path(self) -> Path:
        """Where the best epoch of the present phase is kept."""
        return self.run.best_dense if self.waits_for_pruning else self.run.best

    def measure(self, split: str) -> dict[str, Any]:
        """Return the figures of the present weights on a split."""
        feed = self.feeds[split]
        batches = ordered_batches(feed.cache.count, batch_size=self.config.batch_size)
        tally = evaluate(self.learner, feed, batches, classes=len(self.faces.labels))
        return summarise(tally, self.faces.labels)

    def sparsity(self) -> dict[str, Any]:
        """Return the share of zeros, global and per layer; empty before pruning."""
        return sparsity_table(self.learner.model, self.progress.masks)

    def checkpoint(
        self, metrics: dict[str, Any], *, train_state: dict[str, Any] | None = None
    ) -> Checkpoint:
        """Return the present weights with everything a converter needs."""
        if self.progress.pruning:
            metrics = {**metrics, "pruning": self.progress.pruning}
        return Checkpoint(
            arch=self.config.arch,
            labels=self.faces.labels,
            preprocess=self.faces.spec,
            # Contiguous: how training lays out its weights is nobody else's business.
            model={key: v.contiguous() for key, v in self.learner.model.state_dict().items()},
            metrics=metrics,
            sparsity=self.sparsity(),
            config=self.config.to_dict(),
            data=self.faces.record,
            created_with=tool_versions(fertrain=__version__),
            train_state=train_state,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """A run and the last.pt it continues from."""

    run: RunFolder
    checkpoint: Checkpoint


def open_session(
    config: TrainConfig,
    *,
    out: Path | None,
    cache: Path,
    reporter: Reporter,
    stop: StopRequest,
    resume: ResumePoint | None,
) -> Session:
    """Prepare a run; its folder is created last, when nothing the user gave can be wrong any more.

    Raises:
        FerError: anything wrong with device, data, weights, output or the run to resume.
        Stopped: a signal arrived; nothing was written.
    """
    device = select_device(config.device)
    saved = None if resume is None else resume.checkpoint
    faces = prepare_faces(
        config, cache=cache, reporter=reporter, check_stop=stop.raise_if_requested
    )
    if saved is not None:
        _require_same_data(saved, faces)

    def load_weights(model: nn.Module) -> None:
        if saved is not None:
            model.load_state_dict(dict(saved.model))
        else:
            load_starting_weights(
                model,
                architecture(config.arch),
                source=config.weights,
                labels=faces.labels,
                say=lambda text: reporter.note("weights", text),
            )

    learner = build_learner(config, faces, device=device, load_weights=load_weights)
    reporter.note("finetune", f"{config.arch}, {config.finetune_reason()}")
    if config.trains_head_only and config.weights == "none":
        reporter.note("warning", "a frozen backbone with random weights learns next to nothing")
    plateau = build_plateau(
        learner.optimizer, factor=config.plateau_factor, patience=config.patience
    )
    progress = Progress()
    if saved is not None:
        progress = restore(saved.train_state, learner, plateau)
        _apply_changed_rates(config, learner, saved_config=saved.config)
    stop.raise_if_requested()
    run = create_run(out, arch=config.arch) if resume is None else resume.run
    _write_records(run, config, faces, lr=current_lr(learner.optimizer), device=str(device))
    reporter.note("run", f"{run.root} on {device}")
    return Session(
        config=config,
        faces=faces,
        feeds=build_feeds(config, faces, device=device),
        learner=learner,
        plateau=plateau,
        progress=progress,
        run=run,
        board=Board(run.tensorboard, start_epoch=progress.epoch + 1),
        reporter=reporter,
        stop=stop,
    )


def _require_same_data(saved: Checkpoint, faces: Faces) -> None:
    if saved.labels != faces.labels:
        raise LabelMismatch(
            "The data's classes are not those of the run to resume.",
            hint=f"last.pt: {', '.join(saved.labels)}\n  data:    {', '.join(faces.labels)}",
        )
    if saved.data.get("sha256") != faces.record["sha256"]:
        raise ResumeMismatch(
            "The images or their labels are not those the run started with.",
            hint=f"Then: {_totals(saved.data)}. Now: {_totals(faces.record)}. "
            "Start a new run; --weights best.pt keeps what was learned.",
        )


def _totals(record: Any) -> str:
    counts = record.get("counts", {})
    return ", ".join(f"{split} {sum(classes.values())}" for split, classes in counts.items())


def _apply_changed_rates(config: TrainConfig, learner: Learner, *, saved_config: Any) -> None:
    # The optimiser's state brought back the old values; a rate the plateau has cut stays cut
    # unless the user asked for another one now.
    if config.lr is not None and config.lr != saved_config["lr"]:
        set_lr(learner.optimizer, config.lr)
    for group in learner.optimizer.param_groups:
        group["weight_decay"] = config.weight_decay


def _write_records(
    run: RunFolder, config: TrainConfig, faces: Faces, *, lr: float, device: str
) -> None:
    resolved = {
        "finetune": "head" if config.trains_head_only else "all",
        "lr": lr,
        "prune_epoch": config.prune_epoch,
        "device": device,
        "augmentation": asdict(faces.augmentation),
        "preprocess": faces.spec.to_dict(),
    }
    run.write_record("config", {"options": config.to_dict(), "resolved": resolved})
    run.write_record("data", faces.record)
