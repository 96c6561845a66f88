"""What may follow an epoch: a new best, early stopping, the next phase, pruning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_train.learning.metrics import score
from fer_train.learning.pruning import apply_masks, compute_masks, sparsity_rows
from fer_train.learning.schedule import Patience, Plateau
from fer_train.run.plan import Pruning
from fer_train.run.session import Session


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
