"""Before a run is continued: can last.pt be read, is the run complete, is --epochs behind it?"""

from __future__ import annotations

import shlex
from typing import Any

from fer_train.config import TrainConfig, flag
from fer_train.config_resume import ResumeChanges
from fer_train.contract.checkpoint import Checkpoint, read_checkpoint
from fer_train.contract.errors import CheckpointCorrupt, ResumeMismatch
from fer_train.finish import figures_line, summary_of
from fer_train.opening import ResumePoint
from fer_train.plan import Plan, build_plan
from fer_train.progress import Reporter
from fer_train.pruning import saved_when
from fer_train.report.reading import read_json
from fer_train.report.write import REPORT
from fer_train.run import RunFolder
from fer_train.state import Progress, read_progress


def read_last(run: RunFolder) -> Checkpoint:
    """Return the run's last.pt.

    Raises:
        CheckpointCorrupt: it is damaged; the hint says what the run has kept.
        FerError: as `read_checkpoint`.
    """
    try:
        return read_checkpoint(run.last)
    except CheckpointCorrupt as error:
        kept = next((path for path in (run.best, run.best_dense) if path.is_file()), None)
        if kept is None:
            command = ["fertrain", "train", "--config", str(run.root / "config.toml")]
            hint = f"The run has kept no other checkpoint; start it again: {shlex.join(command)}"
        else:
            command = ["fertrain", "train", "--from", str(kept), "--data"]
            hint = (
                f"This run cannot be continued, but {kept.name} keeps what its best epoch learned; "
                f"a new run begins with it: {shlex.join(command)} …"
            )
        raise CheckpointCorrupt(error.message, hint=hint) from error


def completed(
    config: TrainConfig, resume: ResumePoint, *, reporter: Reporter
) -> dict[str, Any] | None:
    """Return the summary of a run that is finished and has no epochs to come; None if it goes on.

    Reads only. A run whose last epoch is done but which was not measured goes on.

    Args:
        config: the run's, with what the user has changed.

    Raises:
        ResumeMismatch: an unfinished run has done more than ``--epochs`` already.
    """
    run, plan = resume.run, build_plan(config)
    progress = read_progress(resume.checkpoint.train_state)
    if progress.position < plan.epochs:
        return None
    # That of an earlier end, if the run was extended since, has fewer epochs.
    record = read_json(run.root / "metrics.json")
    if record.get("epochs") != progress.epoch:
        if progress.position > plan.epochs:
            raise _behind(progress, plan, config)
        return None
    reporter.note(
        "resume",
        f"already complete ({_done(progress)}): nothing is trained or written; --epochs above "
        f"{progress.position} trains on",
    )
    if without_effect := sorted({*resume.changes.used, *resume.changes.ignored}):
        reporter.note("warning", f"without effect: {', '.join(map(flag, without_effect))}")
    if record.get("test"):
        reporter.note("test", figures_line(record["test"]))
    best = record["metrics"]
    when = saved_when(best["epoch"], record.get("pruning"))
    reporter.note("best", f"{when}: val {figures_line(best)} -> {run.best}")
    report = run.root / REPORT
    device = read_json(run.root / "config.json").get("resolved", {}).get("device")
    summary = summary_of(run, device=device, epochs=progress.epoch, record=record)
    return summary | {"report": str(report) if report.is_file() else None}


def describe_changes(changes: ResumeChanges, reporter: Reporter) -> None:
    """Tell the user which options are not what the run was started with."""
    for name, (old, new) in changes.used.items():
        reporter.note("resume", f"{flag(name)} was {old}, is now {new}")
    for name, (old, new) in changes.ignored.items():
        reporter.note(
            "warning", f"{flag(name)} {new} is ignored: the run was started with {old} and keeps it"
        )


def _behind(progress: Progress, plan: Plan, config: TrainConfig) -> ResumeMismatch:
    here = progress.position
    hint = f"--epochs {here} ends it here, --epochs above {here} trains on."
    if progress.pruned < len(plan.prunings):
        later = (config.prune_steps - 1) * config.prune_every + config.recovery_epochs
        hint = (
            f"--epochs {here} ends it here: the best epoch is pruned and measured, without "
            f"epochs of recovery; --epochs {here + later} prunes it and then recovers."
        )
    return ResumeMismatch(
        f"The run has done {_done(progress)}, and --epochs {plan.epochs} lies behind it.",
        hint=f"Allowed: {here} or more. {hint}",
    )


def _done(progress: Progress) -> str:
    done = f"{progress.epoch} epoch{'' if progress.epoch == 1 else 's'}"
    if progress.skipped:
        # They count as done in --epochs.
        done += f", {progress.skipped} left out by --early-stop"
    return done
