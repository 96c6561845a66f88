"""A run in memory: what it holds between two steps, how it is measured and saved."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fer_train import __version__
from fer_train.config.options import TrainConfig
from fer_train.contract import timm_networks
from fer_train.contract.checkpoint import (
    Checkpoint,
    read_checkpoint,
    tool_versions,
    write_checkpoint,
)
from fer_train.contract.labels import EMOTIONS
from fer_train.data.batches import ordered_batches
from fer_train.data.feed import FaceFeed
from fer_train.learning.engine import Feed, Learner, answer, forward
from fer_train.learning.metrics import Answers, measure
from fer_train.learning.pruning import sparsity_table
from fer_train.machine.distributed import World
from fer_train.machine.signals import StopRequest
from fer_train.progress.reporter import Reporter
from fer_train.run.cached_features import FeatureFeed, cached_feeds
from fer_train.run.faces import Faces
from fer_train.run.network import Subject, learner_for
from fer_train.run.plan import Plan
from fer_train.run.state import Progress, train_state
from fer_train.run.tensorboard import Board
from fer_train.run_folder import RunFolder

#: Losses kept for failure.json.
_RECENT = 20


@dataclass(kw_only=True)
class Session:
    """Everything one run holds between two steps.

    Attributes:
        cache: folder of decoded images and features.
        learner: the subject set up for the present phase.
        features: train and val through the frozen backbone (--views); empty until asked for, and
            again when the backbone changes.
        board: None in processes that do not lead.
    """

    config: TrainConfig
    plan: Plan
    faces: Faces
    feeds: dict[str, FaceFeed]
    cache: Path
    subject: Subject
    learner: Learner
    progress: Progress
    run: RunFolder
    board: Board | None
    reporter: Reporter
    stop: StopRequest
    features: dict[str, FeatureFeed] = field(default_factory=dict)
    recent_losses: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def world(self) -> World:
        return self.subject.world

    @property
    def best_path(self) -> Path | None:
        """Where the best epoch of the present stretch is kept; nowhere between prunings."""
        if self.progress.pruned == len(self.plan.prunings):
            return self.run.best
        return self.run.best_dense if self.progress.pruned == 0 else None

    def set_phase(self, index: int) -> None:
        """Set the network up for a phase, with a fresh optimiser and average."""
        self.progress.phase = index
        self.features = {}
        self.learner = learner_for(self.subject, self.plan.phases[index], self.config)

    def averaged(self) -> AbstractContextManager[None]:
        """For the block, the network holds its averaged weights, if it has any."""
        return nullcontext() if self.learner.ema is None else self.learner.ema.applied()

    def training_feed(self) -> Feed:
        """Return what this phase trains on; with --views its features are computed here first."""
        if not (self.config.views and self.learner.frozen):
            return self.feeds["train"]
        if not self.features:
            self.features = cached_feeds(
                self.config,
                self.faces,
                self.feeds,
                self.learner,
                folder=self.cache,
                reporter=self.reporter,
                check_stop=self.stop.raise_if_requested,
            )
        return self.features["train"]

    def answers(self, split: str, *, cached: bool = True) -> Answers:
        """Return what the present weights say about a split.

        Args:
            cached: use cached features where there are any.
        """
        images = self.feeds[split]
        feed: Feed = self.features.get(split, images) if cached else images
        batches = list(ordered_batches(images.cache.count, batch_size=self.config.batch_size))
        self.learner.model.eval()
        network = partial(forward, self.learner)
        share = images.cache.count // self.world.size
        with self.reporter.counting(f"measuring {split}", share) as count_up:
            return answer(network, feed, batches, world=self.world, on_progress=count_up)

    def measure(self, split: str) -> dict[str, Any]:
        """Return the figures of the present weights on a split."""
        return measure(self.answers(split), self.learner.objective, self.faces.labels)

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
            custom_labels=tuple(name for name in self.faces.labels if name not in EMOTIONS),
            preprocess=self.faces.spec,
            # Contiguous: how training lays out its weights is nobody else's business.
            model={key: v.contiguous() for key, v in self.learner.model.state_dict().items()},
            metrics=metrics,
            sparsity=self.sparsity(),
            loss=self._loss_record(),
            config=self.config.to_dict(),
            data=self.faces.record,
            created_with=tool_versions(
                fertrain=__version__, **timm_networks.versions(self.config.arch)
            ),
            train_state=train_state,
        )

    def save_best(self, path: Path, metrics: dict[str, Any]) -> None:
        """Write the averaged (or present) weights."""
        if self.world.leads:
            with self.averaged():
                write_checkpoint(path, self.checkpoint(metrics))

    def save_last(self, metrics: dict[str, Any]) -> None:
        """Write last.pt: the weights as the optimiser left them, and all that resume needs."""
        if self.world.leads:
            state = train_state(self.progress, self.learner)
            write_checkpoint(self.run.last, self.checkpoint(metrics, train_state=state))

    def load_best(self, path: Path) -> None:
        """Put a checkpoint's weights into the network of every process."""
        if self.world.leads:
            self.learner.model.load_state_dict(dict(read_checkpoint(path).model))
        self.world.copy_leaders_weights(self.learner.model)

    def _loss_record(self) -> dict[str, Any]:
        objective = self.learner.objective
        record: dict[str, Any] = {
            "class_weights": dict(zip(self.faces.labels, objective.weights.tolist(), strict=True)),
            "label_smoothing": objective.smoothing,
        }
        if self.config.logit_adjustment:
            record["logit_adjustment"] = {
                "tau": self.config.logit_adjustment,
                "tau_log_prior": objective.adjustment.tolist(),
                "applied_at_inference": False,
            }
        return record
