"""``fertrain train``: epochs of train, validate, schedule, remember the best, prune, save."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.config.options import TrainConfig
from fer_train.data.batches import shuffled_batches
from fer_train.learning.engine import (
    NonFiniteStep,
    Positions,
    steps_of,
    train_step,
    training_mode,
)
from fer_train.learning.metrics import Tally, measure, summarise
from fer_train.learning.prefetch import loader_for
from fer_train.learning.pruning import pruned_positions
from fer_train.learning.schedule import current_lr, current_rates, set_rates
from fer_train.machine.device import select_device
from fer_train.machine.distributed import is_leader, joined_world
from fer_train.machine.seeds import seed_torch
from fer_train.machine.signals import Stopped, StopRequest
from fer_train.progress.reporter import PlainReporter, Reporter
from fer_train.progress.text import EpochPlan, StepFigures
from fer_train.run.finish import diverged, finish
from fer_train.run.milestones import (
    enter_phase_when_due,
    follow_schedule,
    prune_when_due,
    remember_best,
)
from fer_train.run.network import rates_at
from fer_train.run.opening import open_session
from fer_train.run.pictures import Picture
from fer_train.run.resume import ResumePoint, completed, describe_changes
from fer_train.run.session import Session

#: Augmented images shown in TensorBoard.
_SAMPLES = 32


def train(
    config: TrainConfig,
    *,
    out: Path | None,
    cache: Path,
    reporter: Reporter,
    stop: StopRequest,
    resume: ResumePoint | None = None,
) -> dict[str, Any]:
    """Train as ``config`` says and return the summary that ``--json`` prints.

    Args:
        out: the new run's folder; None for a name of its own.
        cache: folder of decoded images.
        resume: continue this run instead; ``config`` is then its own, perhaps with more epochs. A
            complete run without further ones is only summarised.

    Raises:
        FerError: anything a person can do something about.
        Stopped: a signal arrived before training began; nothing was written.
    """
    if not is_leader():
        reporter = PlainReporter(quiet=True)
    if resume is not None:
        summary = completed(config, resume, reporter=reporter)
        if summary is not None:
            return summary
        describe_changes(resume.changes, reporter)
    device = select_device(config.device)
    with joined_world(device) as world:
        session = open_session(
            config,
            out=out,
            cache=cache,
            reporter=reporter,
            stop=stop,
            resume=resume,
            device=device,
            world=world,
        )
        try:
            if resume is not None and session.progress.position >= session.plan.epochs:
                # No epoch will tell last.pt that the run has ended here.
                session.save_last(metrics=dict(resume.checkpoint.metrics))
            complete = _fit(session)
            summary = finish(session, complete=complete)
            if session.board is not None and complete:
                phases = ", ".join(phase.describe() for phase in config.phases)
                session.board.finish(
                    config.to_dict() | {"phases": phases},
                    val=summary["metrics"],
                    test=summary["test"],
                    epoch=session.progress.epoch,
                )
            return summary
        finally:
            if session.board is not None:
                session.board.close()


def _fit(session: Session) -> bool:
    """Run the remaining epochs; return False when a signal stopped them."""
    progress, plan = session.progress, session.plan
    if progress.epoch == 0 and progress.tally is None and session.board is not None:
        session.board.samples(_augmented_samples(session))
    ended = progress.position >= plan.epochs
    if ended and progress.tally is not None:
        session.reporter.note("resume", f"epoch {progress.epoch + 1} had begun and is left out")
    # Due before any epoch, or because a resume has moved it; an epoch that has begun comes first.
    if ended or progress.tally is None:
        pruned = prune_when_due(session)
        if pruned is not None:
            progress.tally = None
            session.save_last(metrics={"split": "val", "epoch": progress.epoch, **pruned})
    while progress.position < plan.epochs:
        enter_phase_when_due(session)
        epoch = progress.epoch + 1
        trained = _train_one_epoch(session, epoch)
        if trained is None:
            session.save_last(metrics={})
            return False
        with session.averaged():
            answers = session.answers("val")
        validation = measure(answers, session.learner.objective, session.faces.labels)
        rates = current_rates(session.learner.optimizer)
        improved = remember_best(session, validation, epoch)
        row = trained | _validation_columns(validation) | {"sparsity": _global_sparsity(session)}
        progress.history.append(row)
        progress.epoch, progress.tally = epoch, None
        session.reporter.finished(row, epochs=plan.epochs, improved=improved)
        follow_schedule(session, validation)
        present = prune_when_due(session) or validation
        # Last of all, so that last.pt never remembers an epoch whose consequences it lacks.
        session.save_last(metrics={"split": "val", "epoch": epoch, **present})
        if session.board is not None:
            session.run.write_history(progress.history)
            session.board.epoch(row, validation, answers, rates=rates)
        if session.world.any(session.stop.signum is not None) and progress.position < plan.epochs:
            return False
    return True


def _train_one_epoch(session: Session, epoch: int) -> dict[str, Any] | None:
    """Train for (the rest of) an epoch; return its row of history, or None if stopped."""
    config, learner, progress = session.config, session.learner, session.progress
    try:
        feed = session.training_feed()
    except Stopped:
        return None
    images = session.feeds["train"].cache.count
    batches = shuffled_batches(images, batch_size=config.batch_size, seed=config.seed, epoch=epoch)
    steps = steps_of(batches, learner)
    # An epoch that was interrupted goes on with the figures of its first part.
    tally = progress.tally or Tally(num_classes=len(session.faces.labels))
    progress.tally = tally
    seen_before, started = tally.seen, time.perf_counter()
    dropped = _positions_that_stay_zero(session)
    shown = EpochPlan(
        number=epoch,
        epochs=session.plan.epochs,
        epochs_left=session.plan.epochs - progress.position - 1,
        images=images,
        batches=len(batches),
        images_done=tally.seen,
        batches_done=min(tally.steps * learner.accumulate, len(batches)),
    )

    training_mode(learner)
    load = loader_for(learner.device)
    stream = load(feed, chain.from_iterable(steps[tally.steps :]), epoch=epoch)
    with closing(stream), session.reporter.epoch(shown) as show:
        for step in range(tally.steps, len(steps)):
            position = progress.position + step / len(steps)
            rates = rates_at(config, session.plan, progress.plateau, position=position)
            set_rates(learner.optimizer, rates, weight_decay=config.weight_decay)
            try:
                result = train_step(
                    learner,
                    islice(stream, len(steps[step])),
                    before_batch=lambda batch: seed_torch(
                        config.seed, "dropout", epoch=epoch, batch=batch
                    ),
                    dropped=dropped,
                )
            except NonFiniteStep as error:
                raise diverged(session, error, epoch=epoch, batches=batches) from error
            tally.add(
                weighted_loss=result.weighted_loss,
                weight=result.weight,
                plain_loss=result.plain_loss,
                grad_norm=result.grad_norm,
                confusion=result.confusion,
            )
            session.recent_losses.append(result.weighted_loss / result.weight)
            show(
                StepFigures(
                    images=int(result.confusion.sum()),
                    batches=min(learner.accumulate, len(batches) - step * learner.accumulate),
                    loss=tally.loss,
                    accuracy=tally.accuracy,
                    lr=current_lr(learner.optimizer),
                    grad_norm=result.grad_norm,
                )
            )
            # All processes stop after the same step, whichever got the signal.
            if session.world.any(session.stop.signum is not None):
                return None
    if not learner.batchnorm_frozen and not learner.frozen:
        learner.world.average_buffers(learner.model)

    seconds = time.perf_counter() - started
    averages = summarise(tally.confusion, session.faces.labels)
    return {
        "epoch": epoch,
        "phase": progress.phase + 1,
        "stage": "recovery" if progress.pruned else "dense",
        "lr": current_lr(learner.optimizer),
        "train_loss": tally.loss,
        "train_accuracy": tally.accuracy,
        "train_balanced_accuracy": averages["balanced_accuracy"],
        "train_macro_f1": averages["macro_f1"],
        "grad_norm": tally.grad_norm / tally.steps,
        "seconds": seconds,
        "images_per_second": (tally.seen - seen_before) / seconds,
    }


def _positions_that_stay_zero(session: Session) -> Positions:
    """Return what pruning has zeroed, in the weights that train and in their averages."""
    learner, masks = session.learner, session.progress.masks
    trainable = {n: p for n, p in learner.model.named_parameters() if p.requires_grad}
    dropped = pruned_positions(trainable, masks)
    if learner.ema is not None:
        dropped += pruned_positions(learner.ema.values, masks)
    return dropped


def _augmented_samples(session: Session) -> Picture:
    feed = session.feeds["train"]
    step = max(1, feed.cache.count // _SAMPLES)
    indices = np.arange(0, feed.cache.count, step)[:_SAMPLES]
    images = feed.augmented(indices, epoch=1, batch=0)
    pictures: Picture = images.permute(0, 2, 3, 1).round().byte().cpu().numpy()
    return pictures


def _validation_columns(validation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("loss", "accuracy", "balanced_accuracy", "macro_f1", "cross_entropy")
    return {f"val_{name}": validation[name] for name in names}


def _global_sparsity(session: Session) -> float:
    return float(session.sparsity().get("global", 0.0))
