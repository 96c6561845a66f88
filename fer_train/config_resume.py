"""What ``--resume`` may change: three classes of options, and nothing silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fer_train.config import TrainConfig, flag
from fer_train.config_phase import Phase
from fer_train.contract.errors import ResumeMismatch

#: The new value is used: it only changes how the run goes on from here.
FREE = frozenset(
    {
        "data",  # the folder may have moved; its fingerprint must not have changed
        "exclude",  # likewise
        "epochs",
        "lr",
        "weight_decay",
        "clip_norm",
        "patience",
        "plateau_factor",
        "early_stop",
        "prune_at",
        "recovery_epochs",
        "device",
        "precision",
        "workers",
    }
)

#: The checkpoint's value is kept, with a warning: changing it in the middle would make the epochs
#: before and after incomparable, or repeat and skip images, but the run is still the same run.
KEPT = frozenset({"seed", "select", "schedule", "warmup_epochs", "ema", "prune_steps"})

# Every other option says what is being trained: a difference is an error.


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeChanges:
    """Differences between last.pt and what the user gave: name -> (old, new)."""

    used: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    ignored: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """Rebuild a configuration stored in last.pt.

    Raises:
        ResumeMismatch: fields of another version of the tool, or values that it allowed and this
            one does not.
    """
    expected = {field.name for field in fields(TrainConfig)}
    if set(values) != expected:
        raise ResumeMismatch(
            "last.pt was written by another version of fertrain: its configuration differs in "
            f"{', '.join(sorted(set(values) ^ expected))}.",
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
    fixed = sorted(set(changed) - FREE - KEPT)
    if fixed:
        listed = "; ".join(
            f"{flag(name)} was {_show(changed[name][0])} and is now {_show(changed[name][1])}"
            for name in fixed
        )
        raise ResumeMismatch(
            f"A resumed run cannot change what it trains: {listed}.",
            hint="Leave the option out, or start a new run (--from best.pt keeps what was "
            "learned). These may change: " + ", ".join(flag(name) for name in sorted(FREE)) + ".",
        )
    return ResumeChanges(
        used={name: pair for name, pair in changed.items() if name in FREE},
        ignored={name: pair for name, pair in changed.items() if name in KEPT},
    )


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(phase.describe() for phase in value) or "not given"
    return str(value)
