"""``fertrain train``: epochs of train, validate, schedule, remember the best, prune, save."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.board import Picture
from fer_train.config import TrainConfig
from fer_train.contract.checkpoint import read_checkpoint, write_checkpoint
from fer_train.contract.errors import TrainingDiverged
from fer_train.data.batches import Indices, shuffled_batches
from fer_train.engine import NonFiniteStep, StepResult, train_epoch
from fer_train.metrics import SELECTION, Tally
from fer_train.progress import Reporter, StepFigures
from fer_train.pruning import apply_masks, compute_masks, trainable_dropped
from fer_train.schedule import current_lr, reset_plateau
from fer_train.seeds import seed_torch
from fer_train.session import ResumePoint, Session, open_session
from fer_train.signals import StopRequest
from fer_train.state import train_state

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
        resume: continue this run instead; ``config`` is then its own, perhaps with more epochs.

    Raises:
        FerError: anything a person can do something about.
        Stopped: a signal arrived before training began; nothing was written.
    """
    session = open_session(
        config, out=out, cache=cache, reporter=reporter, stop=stop, resume=resume
    )
    try:
        complete = _fit(session)
        return _finish(session, complete=complete)
    finally:
        session.board.close()


def _fit(session: Session) -> bool:
    """Run the remaining epochs; return False when a signal stopped them."""
    config, progress = session.config, session.progress
    if progress.epoch == 0 and progress.tally is None:
        session.board.samples(_augmented_samples(session))
    while progress.epoch < config.epochs:
        epoch = progress.epoch + 1
        trained = _train_one_epoch(session, epoch)
        if trained is None:
            _save_last(session, metrics={})
            return False
        validation = session.measure("val")
        session.plateau.step(validation[SELECTION])
        improved = _remember_best(session, validation, epoch)
        row = trained | _validation_columns(validation) | {"sparsity": _global_sparsity(session)}
        progress.history.append(row)
        progress.epoch, progress.tally = epoch, None
        session.reporter.note("epoch", _epoch_line(row, config.epochs, improved=improved))
        prunes = session.waits_for_pruning and epoch >= (config.prune_epoch or 0)
        present = _prune(session) if prunes else validation
        # Last of all, so that last.pt never remembers an epoch whose consequences it lacks.
        _save_last(session, metrics={"split": "val", "epoch": epoch, **present})
        session.run.write_history(progress.history)
        session.board.epoch(row, validation)
        if session.stop.signum is not None and epoch < config.epochs:
            return False
    return True


def _train_one_epoch(session: Session, epoch: int) -> dict[str, Any] | None:
    """Train for (the rest of) an epoch; return its row of history, or None if stopped."""
    config, learner, progress = session.config, session.learner, session.progress
    feed = session.feeds["train"]
    batches = shuffled_batches(
        feed.cache.count, batch_size=config.batch_size, seed=config.seed, epoch=epoch
    )
    tally = progress.tally or Tally(num_classes=len(session.faces.labels))
    progress.tally = tally
    seen_before, lr = tally.seen, current_lr(learner.optimizer)
    started = time.perf_counter()

    with session.reporter.epoch(epoch, epochs=config.epochs, images=feed.cache.count) as show:

        def after_step(result: StepResult, running: Tally) -> None:
            session.recent_losses.append(result.weighted_loss / result.weight)
            show(
                StepFigures(
                    images=len(result.predictions),
                    loss=running.loss,
                    accuracy=running.accuracy,
                    lr=lr,
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
                dropped=trainable_dropped(learner.model, progress.masks),
                before_step=lambda batch: seed_torch(
                    config.seed, "dropout", epoch=epoch, batch=batch
                ),
                after_step=after_step,
                should_stop=lambda: session.stop.signum is not None,
            )
        except NonFiniteStep as error:
            raise _diverged(session, error, epoch=epoch, batches=batches) from error
    if not finished:
        return None
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch,
        "phase": "recovery" if progress.pruning else "dense",
        "lr": lr,
        "train_loss": tally.loss,
        "train_accuracy": tally.accuracy,
        "grad_norm": tally.grad_norm / tally.batches,
        "seconds": seconds,
        "images_per_second": (tally.seen - seen_before) / seconds,
    }


def _remember_best(session: Session, validation: Mapping[str, Any], epoch: int) -> bool:
    """Write the best checkpoint if this epoch beats every earlier one of its phase."""
    best = session.progress.best
    if best is not None and validation[SELECTION] <= best[SELECTION]:
        return False
    metrics = {"split": "val", "epoch": epoch, "selection": SELECTION, **validation}
    session.progress.best = metrics
    write_checkpoint(session.best_path, session.checkpoint(metrics))
    return True


def _prune(session: Session) -> dict[str, Any]:
    """Zero the smallest weights of the best epoch so far; recovery starts from there."""
    config, learner, progress = session.config, session.learner, session.progress
    before = progress.best
    assert before is not None
    learner.model.load_state_dict(dict(read_checkpoint(session.run.best_dense).model))
    progress.masks = compute_masks(learner.model, sparsity=config.prune)
    apply_masks(learner.model, progress.masks)
    # The moments belong to other weights, and the plateau's best to a dense network.
    learner.optimizer.state.clear()
    reset_plateau(session.plateau)
    after, sparsity = session.measure("val"), session.sparsity()
    progress.pruning = {
        "target": config.prune,
        "after_epoch": progress.epoch,
        "from_epoch": before["epoch"],
        "before": before,
        "after": after,
    }
    progress.best = None
    _remember_best(session, after, progress.epoch)
    session.reporter.note(
        "prune",
        f"{len(sparsity['layers'])} layers of epoch {before['epoch']}, the best, now "
        f"{sparsity['global']:.1%} zeros: macro-F1 {before['macro_f1']:.4f} -> "
        f"{after['macro_f1']:.4f}, accuracy {before['accuracy']:.4f} -> {after['accuracy']:.4f}; "
        f"{config.epochs - progress.epoch} recovery epochs follow",
    )
    return after


def _save_last(session: Session, *, metrics: dict[str, Any]) -> None:
    state = train_state(session.progress, session.learner, session.plateau)
    write_checkpoint(session.run.last, session.checkpoint(metrics, train_state=state))


def _finish(session: Session, *, complete: bool) -> dict[str, Any]:
    """Measure the test split with the best network, close the records, return the summary."""
    progress, run = session.progress, session.run
    best = None if session.waits_for_pruning else progress.best
    summary: dict[str, Any] = {
        "run": str(run.root),
        "best": str(run.best) if best else None,
        "last": str(run.last),
        "device": str(session.learner.class_weights.device),
        "epochs": progress.epoch,
        "metrics": best,
        "pruning": progress.pruning or None,
        "test": None,
        "stopped": None,
        "resume": None,
    }
    if not complete:
        assert session.stop.signum is not None
        stopped = signal.Signals(session.stop.signum).name
        return summary | {"stopped": stopped, "resume": run.resume_command()}
    assert best is not None
    if "test" in session.feeds:
        session.learner.model.load_state_dict(dict(read_checkpoint(run.best).model))
        summary["test"] = session.measure("test")
        session.reporter.note("test", _figures(summary["test"]))
    run.write_record("metrics", {key: summary[key] for key in ("metrics", "pruning", "test")})
    final = {name: best[name] for name in ("loss", "accuracy", "balanced_accuracy", "macro_f1")}
    session.board.finish(session.config.to_dict(), final, epoch=progress.epoch)
    session.reporter.note("best", f"epoch {best['epoch']}: val {_figures(best)} -> {run.best}")
    return summary


def _diverged(
    session: Session, error: NonFiniteStep, *, epoch: int, batches: Sequence[Indices]
) -> TrainingDiverged:
    """Record what led to a NaN and return the error to raise."""
    assert session.progress.tally is not None
    number = session.progress.tally.batches
    paths = session.faces.found.splits["train"].paths
    record = {
        "epoch": epoch,
        "batch": number,
        "lr": current_lr(session.learner.optimizer),
        # As text: JSON has no NaN.
        "loss": str(error.loss),
        "grad_norm": str(error.grad_norm),
        "recent_losses": list(session.recent_losses),
        "files": [paths[index] for index in batches[number]],
    }
    session.run.write_record("failure", record)
    kept = f"{session.run.last} keeps epoch {epoch - 1}" if epoch > 1 else "no epoch was completed"
    return TrainingDiverged(
        f"Training diverged in epoch {epoch}, batch {number + 1} of {len(batches)}: loss "
        f"{error.loss}, gradient norm {error.grad_norm}; this step was not taken.",
        hint=f"{kept}; the batch's files are in {session.run.root / 'failure.json'}. "
        f"Try a lower --lr (now {current_lr(session.learner.optimizer):g}).",
    )


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


def _epoch_line(row: Mapping[str, Any], epochs: int, *, improved: bool) -> str:
    return (
        f"{row['epoch']}/{epochs}  "
        f"train loss {row['train_loss']:.4f} acc {row['train_accuracy']:.4f}  "
        f"val loss {row['val_loss']:.4f} acc {row['val_accuracy']:.4f} "
        f"balanced {row['val_balanced_accuracy']:.4f} F1 {row['val_macro_f1']:.4f}  "
        f"lr {row['lr']:.1e}  |g| {row['grad_norm']:.2f}  "
        f"{row['images_per_second']:.0f} img/s  {row['seconds']:.1f} s{'  *' if improved else ''}"
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    return (
        f"accuracy {metrics['accuracy']:.4f}, balanced accuracy "
        f"{metrics['balanced_accuracy']:.4f}, macro-F1 {metrics['macro_f1']:.4f}"
    )
