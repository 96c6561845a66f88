"""``fertrain train``: epochs of train, validate, schedule, remember the best, prune, save."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.config.options import TrainConfig
from fer_train.data.batches import shuffled_batches
from fer_train.learning.engine import NonFiniteStep, StepResult, train_epoch
from fer_train.learning.metrics import Tally, measure, score, summarise
from fer_train.learning.prefetch import loader_for
from fer_train.learning.pruning import apply_masks, compute_masks, pruned_positions, sparsity_rows
from fer_train.learning.schedule import Patience, Plateau, current_lr, current_rates, set_rates
from fer_train.machine.device import select_device
from fer_train.machine.distributed import is_leader, joined_world
from fer_train.machine.seeds import seed_torch
from fer_train.machine.signals import Stopped, StopRequest
from fer_train.progress.reporter import PlainReporter, Reporter
from fer_train.progress.text import EpochPlan, StepFigures
from fer_train.run.finish import diverged, finish
from fer_train.run.network import rates_at
from fer_train.run.opening import open_session
from fer_train.run.plan import Pruning
from fer_train.run.resume import ResumePoint, completed, describe_changes
from fer_train.run.session import Session
from fer_train.run.tensorboard import Picture

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
    steps = -(-len(batches) // learner.accumulate)
    tally = progress.tally or Tally(num_classes=len(session.faces.labels))
    progress.tally = tally
    seen_before = tally.seen
    started = time.perf_counter()
    trainable = {n: p for n, p in learner.model.named_parameters() if p.requires_grad}
    dropped = pruned_positions(trainable, progress.masks)
    if learner.ema is not None:
        dropped += pruned_positions(learner.ema.values, progress.masks)

    shown = EpochPlan(
        number=epoch,
        epochs=session.plan.epochs,
        epochs_left=session.plan.epochs - progress.position - 1,
        images=images,
        batches=len(batches),
        images_done=tally.seen,
        batches_done=min(tally.steps * learner.accumulate, len(batches)),
    )
    with session.reporter.epoch(shown) as show:

        def before_step(step: int) -> None:
            position = progress.position + step / steps
            rates = rates_at(config, session.plan, progress.plateau, position=position)
            set_rates(learner.optimizer, rates, weight_decay=config.weight_decay)

        def after_step(result: StepResult, running: Tally) -> None:
            session.recent_losses.append(result.weighted_loss / result.weight)
            show(
                StepFigures(
                    images=int(result.confusion.sum()),
                    batches=min(
                        learner.accumulate, len(batches) - (running.steps - 1) * learner.accumulate
                    ),
                    loss=running.loss,
                    accuracy=running.accuracy,
                    lr=current_lr(learner.optimizer),
                    grad_norm=result.grad_norm,
                )
            )

        try:
            finished = train_epoch(
                learner,
                feed,
                batches,
                epoch=epoch,
                tally=tally,
                dropped=dropped,
                before_step=before_step,
                before_batch=lambda batch: seed_torch(
                    config.seed, "dropout", epoch=epoch, batch=batch
                ),
                after_step=after_step,
                should_stop=lambda: session.stop.signum is not None,
                load=loader_for(learner.objective.weights.device),
            )
        except NonFiniteStep as error:
            raise diverged(session, error, epoch=epoch, batches=batches) from error
    if not finished:
        return None
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


def remember_best(session: Session, validation: Mapping[str, Any], epoch: int) -> bool:
    """Write the best checkpoint if this epoch beats every earlier one of its stretch."""
    best, selection, path = session.progress.best, session.config.select, session.best_path
    if path is None:
        return False
    if best is not None and score(validation, selection) <= score(best, selection):
        return False
    metrics = {"split": "val", "epoch": epoch, "selection": selection, **validation}
    session.progress.best = metrics
    session.save_best(path, metrics)
    return True


def follow_schedule(session: Session, validation: Mapping[str, Any]) -> None:
    """Let plateau and early stopping see a validation, and leave out epochs if it says so."""
    config, progress = session.config, session.progress
    value = score(validation, config.select)
    progress.plateau.update(value, factor=config.plateau_factor, patience=config.patience)
    progress.early.update(value)
    position = progress.position
    if not config.early_stop or progress.early.bad < config.early_stop:
        return
    if position >= session.plan.epochs or _change_is_due(session):
        return  # nothing to leave out
    left_out = session.plan.next_change(position) - position
    progress.skipped += left_out
    progress.early = Patience()
    session.reporter.note(
        "patience",
        f"no better {config.select} in {config.early_stop} epochs: {left_out} epochs left out",
    )


def enter_phase_when_due(session: Session) -> None:
    """Begin the phase that the plan has at this position."""
    progress, plan = session.progress, session.plan
    index = plan.phase_at(progress.position)
    if index == progress.phase:
        return
    session.set_phase(index)
    # What was seen while other layers trained says nothing about these.
    progress.plateau, progress.early = Plateau(), Patience()
    session.reporter.note(
        "phase", f"{index + 1} of {len(plan.phases)}: {plan.phases[index].describe()}"
    )


def prune_when_due(session: Session) -> dict[str, Any] | None:
    """Prune if the plan says so at this position; return the figures afterwards."""
    progress, plan = session.progress, session.plan
    after = None
    while progress.pruned < len(plan.prunings) and _prunes_now(session):
        after = _prune(session, plan.prunings[progress.pruned])
    return after


def _prune(session: Session, pruning: Pruning) -> dict[str, Any]:
    """Zero the smallest weights; the first time those of the best epoch so far."""
    config, learner, progress = session.config, session.learner, session.progress
    first = progress.pruned == 0
    if first and progress.best is not None:
        session.features = {}
        session.load_best(session.run.best_dense)
        before: Mapping[str, Any] = progress.best
        # The moments belong to other weights.
        learner.optimizer.state.clear()
        if learner.ema is not None:
            learner.ema.restart()
    else:
        with session.averaged():
            before = {"split": "val", "epoch": progress.epoch, **session.measure("val")}
    progress.masks = compute_masks(
        learner.model, sparsity=pruning.sparsity, scope=config.prune_scope
    )
    if first and "test" in session.feeds:
        with session.averaged():
            progress.pruning = {"before_test": session.measure("test")}
    apply_masks(learner.model, progress.masks)
    session.features = {}  # of the backbone as it was
    if learner.ema is not None:
        learner.ema.apply_masks(progress.masks)
    with session.averaged():
        after, sparsity = session.measure("val"), session.sparsity()
    progress.pruned += 1
    progress.best = None
    progress.plateau.forget()
    progress.early = Patience()
    steps = [
        *progress.pruning.get("steps", []),
        _step_record(pruning, progress.epoch, before, after),
    ]
    progress.pruning = progress.pruning | {
        "target": config.prune,
        "scope": config.prune_scope,
        "after_epoch": progress.epoch,
        "from_epoch": before["epoch"] if first else progress.pruning["from_epoch"],
        "before": dict(before) if first else progress.pruning["before"],
        "after": after,
        "steps": steps,
    }
    remember_best(session, after, progress.epoch)
    session.reporter.note(
        "prune",
        f"{len(sparsity['layers'])} layers of epoch {before['epoch']} now {sparsity['global']:.1%} "
        f"zeros: macro-F1 {before['macro_f1']:.4f} -> {after['macro_f1']:.4f}, accuracy "
        f"{before['accuracy']:.4f} -> {after['accuracy']:.4f}; "
        f"epochs that follow: {session.plan.epochs - progress.position}",
    )
    if session.world.leads:
        session.run.write_sparsity(sparsity_rows(learner.model, progress.masks))
    return after


def _step_record(
    pruning: Pruning, epoch: int, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("macro_f1", "balanced_accuracy", "accuracy", "cross_entropy")
    return {
        "after_epoch": epoch,
        "sparsity": pruning.sparsity,
        "before": {name: before[name] for name in names},
        "after": {name: after[name] for name in names},
    }


def _prunes_now(session: Session) -> bool:
    progress = session.progress
    return progress.position >= session.plan.prunings[progress.pruned].position


def _change_is_due(session: Session) -> bool:
    progress, plan = session.progress, session.plan
    prunes = progress.pruned < len(plan.prunings) and _prunes_now(session)
    return prunes or plan.phase_at(progress.position) != progress.phase
