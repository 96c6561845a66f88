"""Before a run is continued: can last.pt be read, is the run complete, what may change?"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fer_train.config.options import OPTIONS, TrainConfig, flag, option_names
from fer_train.config.phase import Phase
from fer_train.contract.checkpoint import Checkpoint, read_checkpoint
from fer_train.contract.errors import CheckpointCorrupt, ResumeMismatch
from fer_train.learning.pruning import saved_when
from fer_train.progress.reporter import Reporter
from fer_train.report.write import REPORT
from fer_train.run.finish import figures_line, summary_of
from fer_train.run.plan import Plan, build_plan
from fer_train.run.state import Progress, read_progress
from fer_train.run_folder import RunFolder, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeChanges:
    """Differences between last.pt and what the user gave: name -> (old, new)."""

    used: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    ignored: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """A run and the last.pt it continues from.

    Attributes:
        changes: what the user asked for that is not as in last.pt, to be told.
    """

    run: RunFolder
    checkpoint: Checkpoint
    changes: ResumeChanges = field(default_factory=ResumeChanges)


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


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """Rebuild a configuration stored in last.pt.

    Raises:
        ResumeMismatch: fields of another version of the tool, or values that it allowed and this
            one does not.
    """
    values = {n: o["absent"] for n, o in OPTIONS.items() if "absent" in o} | dict(values)
    if set(values) != set(OPTIONS):
        raise ResumeMismatch(
            "last.pt was written by another version of fertrain: its configuration differs in "
            f"{', '.join(sorted(set(values) ^ set(OPTIONS)))}.",
            hint="Resume with that version, or start a new run with --from best.pt.",
        )
    phases = tuple(Phase(**phase) for phase in values["phases"])
    try:
        return TrainConfig(**{**values, "phases": phases})
    except ValueError as error:
        raise ResumeMismatch(
            f"last.pt was trained with options that are not allowed any more. {error}",
            hint="Resume with the version that wrote it, or start a new run with --from best.pt.",
        ) from error


def compare(saved: TrainConfig, given: Mapping[str, Any]) -> ResumeChanges:
    """Sort what a resume would change.

    Args:
        given: only the options the user typed or put into a configuration file.

    Raises:
        ResumeMismatch: an option that would make it another training run.
    """
    changed = {
        name: (getattr(saved, name), value)
        for name, value in given.items()
        if getattr(saved, name) != value
    }

    def those(rule: str) -> dict[str, tuple[Any, Any]]:
        return {name: pair for name, pair in changed.items() if OPTIONS[name]["resume"] == rule}

    if refused := those("refused"):
        listed = "; ".join(
            f"{flag(name)} was {_show(old)} and is now {_show(new)}"
            for name, (old, new) in sorted(refused.items())
        )
        free = sorted(option_names(lambda option: option["resume"] == "used"))
        raise ResumeMismatch(
            f"A resumed run cannot change what it trains: {listed}.",
            hint="Leave the option out, or start a new run (--from best.pt keeps what was "
            "learned). These may change: " + ", ".join(flag(name) for name in free) + ".",
        )
    return ResumeChanges(used=those("used"), ignored=those("kept"))


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(phase.describe() for phase in value) or "not given"
    return str(value)
