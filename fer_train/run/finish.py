"""How a run ends: tested and summarised, stopped by a signal, or diverged."""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_train.contract.checkpoint import read_checkpoint, write_checkpoint
from fer_train.contract.errors import TrainingDiverged
from fer_train.data.batches import Indices
from fer_train.learning.calibration import calibration_line, calibration_record, fit_temperature
from fer_train.learning.engine import NonFiniteStep
from fer_train.learning.metrics import measure
from fer_train.learning.pruning import saved_when
from fer_train.learning.schedule import current_lr
from fer_train.report.judgement import one_sided
from fer_train.report.write import leave_report
from fer_train.run.cached_features import require_agreement
from fer_train.run.session import Session
from fer_train.run_folder import RunFolder


def finish(session: Session, *, complete: bool) -> dict[str, Any]:
    """Calibrate best.pt on val, measure it on test, write its answers and the records.

    Returns the summary. Without a best.pt (a run stopped before pruning) nothing is measured.
    """
    progress, run = session.progress, session.run
    best = progress.best if session.best_path == run.best else None
    summary = summary_of(
        run,
        device=str(session.learner.device),
        epochs=progress.epoch,
        record={"metrics": best, "pruning": progress.pruning or None},
    )
    if not complete:
        # Another process may have got the signal.
        signums = [number for number in session.world.gather(session.stop.signum) if number]
        session.stop.signum = signums[0]
        stopped = signal.Signals(signums[0]).name
        return summary | {"stopped": stopped, "resume": run.resume_command()}
    assert best is not None
    session.load_best(run.best)
    calibration: dict[str, Any] = {}
    temperature = 1.0
    for split in ("val", "test"):
        if split not in session.feeds:
            continue
        answers = session.answers(split, cached=False)
        if split in session.features:
            difference = require_agreement(
                session.answers(split), answers, bf16=session.learner.bf16
            )
            session.reporter.note(
                "views", f"cached features agree with the whole network: {difference:.1e}"
            )
        if session.world.leads:
            paths = session.faces.found.splits[split].paths
            run.write_answers(split, answers, labels=session.faces.labels, paths=paths)
        if split == "val":
            temperature = fit_temperature(answers)
        calibration[split] = calibration_record(answers, temperature=temperature, fitted_on="val")
        session.reporter.note("calibrate", f"{split} {calibration_line(calibration[split])}")
        if split == "test":
            summary["test"] = measure(answers, session.learner.objective, session.faces.labels)
            session.reporter.note("test", figures_line(summary["test"]))
            if "before_test" in progress.pruning:
                before = figures_line(progress.pruning["before_test"])
                session.reporter.note("", f"before pruning: {before}")
    summary["calibration"] = calibration
    if session.world.leads:
        _complete_best(run.best, temperature=temperature, test=summary["test"])
        # A run killed after its last epoch's last.pt has not written that row.
        run.write_history(progress.history)
        records = ("epochs", "metrics", "pruning", "test", "calibration")
        run.write_record("metrics", {name: summary[name] for name in records})
    when = saved_when(best["epoch"], progress.pruning)
    session.reporter.note("best", f"{when}: val {figures_line(best)} -> {run.best}")
    for name, figures in (("val", best), ("test", summary["test"])):
        if figures and (said := one_sided(figures["confusion"], session.faces.labels)):
            session.reporter.note("answers", f"on {name} best.pt {said}")
    if session.world.leads:
        gathers = {name: feed.cache.gather for name, feed in session.feeds.items()}
        report = leave_report(run, gathers=gathers, reporter=session.reporter)
        summary["report"] = None if report is None else str(report)
    return summary


def summary_of(
    run: RunFolder, *, device: str | None, epochs: int, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what ``--json`` prints, for a run that was not stopped.

    Args:
        record: what metrics.json has, as far as it is known.
    """
    figures = {name: record.get(name) for name in ("metrics", "pruning", "test", "calibration")}
    return {
        "run": str(run.root),
        "best": str(run.best) if figures["metrics"] else None,
        "last": str(run.last),
        "device": device,
        "epochs": epochs,
        **figures,
        "report": None,
        "stopped": None,
        "resume": None,
    }


def diverged(
    session: Session, error: NonFiniteStep, *, epoch: int, batches: Sequence[Indices]
) -> TrainingDiverged:
    """Record what led to a NaN and return the error to raise."""
    assert session.progress.tally is not None
    step, lr = session.progress.tally.steps, current_lr(session.learner.optimizer)
    losses: dict[int, float] = {}
    for of_process in session.world.gather(error.micro_losses):
        losses |= of_process
    # A gradient may be infinite though every loss is finite: then all of the step are suspects.
    suspects = [n for n, loss in losses.items() if not math.isfinite(loss)] or sorted(losses)
    record = {
        "epoch": epoch,
        "step": step,
        "batch": suspects[0],
        "lr": lr,
        # As text: JSON has no NaN.
        "loss": str(error.loss),
        "grad_norm": str(error.grad_norm),
        "recent_losses": list(session.recent_losses),
        "files": _files(session, batches, suspects),
    }
    if session.world.leads:
        session.run.write_record("failure", record)
    kept = f"{session.run.last} keeps epoch {epoch - 1}" if epoch > 1 else "no epoch was completed"
    return TrainingDiverged(
        f"Training diverged in epoch {epoch}, batch {suspects[0] + 1} of {len(batches)}: loss "
        f"{error.loss}, gradient norm {error.grad_norm}; this step was not taken.",
        hint=f"{kept}; the batch's files are in {session.run.root / 'failure.json'}. "
        f"Try a lower --lr, or rate of --phase (now {lr:g}).",
    )


def figures_line(metrics: Mapping[str, Any]) -> str:
    """Return accuracy, balanced accuracy and macro-F1 in one line."""
    return (
        f"accuracy {metrics['accuracy']:.4f}, balanced accuracy "
        f"{metrics['balanced_accuracy']:.4f}, macro-F1 {metrics['macro_f1']:.4f}"
    )


def _complete_best(path: Path, *, temperature: float, test: Mapping[str, Any] | None) -> None:
    """Put temperature and test figures into a checkpoint, unless it has them (a run ended twice).

    The figures travel with the model: whoever converts it has no other record of the run.
    """
    checkpoint = read_checkpoint(path)
    metrics = {**checkpoint.metrics, **({} if test is None else {"test": dict(test)})}
    if (checkpoint.temperature, checkpoint.metrics) != (temperature, metrics):
        write_checkpoint(path, replace(checkpoint, temperature=temperature, metrics=metrics))


def _files(session: Session, batches: Sequence[Indices], numbers: Sequence[int]) -> list[str]:
    paths = session.faces.found.splits["train"].paths
    return [paths[index] for number in numbers for index in batches[number]]
