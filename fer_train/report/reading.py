"""What a run folder holds, read back: the only source of reports and comparisons."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.contract.errors import CheckpointCorrupt, NotFound
from fer_train.metrics import Answers
from fer_train.run import RunFolder

#: One epoch of history.csv; every column but ``stage`` is a number.
Row = Mapping[str, Any]

#: Columns of history.csv that are not fractions.
_WHOLE, _WORDS = frozenset({"epoch", "phase"}), frozenset({"stage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """eval/SPLIT.npz: what best.pt answers.

    Attributes:
        labels: class names in the order of the logits.
        paths: name of each image within the data.
    """

    answers: Answers
    labels: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as its folder tells it.

    Attributes:
        options: the configuration, as `TrainConfig.to_dict` gives it.
        resolved: what was decided from it: phases, device, pixel contract.
        data: data.json: layout, counts, fingerprint.
        metrics: metrics.json; empty while the run is unfinished.
        history: one row per completed epoch, numbers as numbers.
        sparsity: (layer, weights, zeros); empty if nothing was pruned.
        changed_at: when its records were last written, UTC.
    """

    folder: RunFolder
    options: Mapping[str, Any]
    resolved: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: Sequence[Row]
    sparsity: Sequence[tuple[str, int, int]]
    changed_at: datetime

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.root.resolve().name

    @property
    def complete(self) -> bool:
        """Whether the run reached its end, so that best.pt was measured."""
        return bool(self.metrics)

    @property
    def selection(self) -> str:
        """The validation figure that chose the best epoch."""
        return str(self.options.get("select", "macro_f1"))

    def figures(self, split: str) -> Mapping[str, Any] | None:
        """Return best.pt's figures on ``val`` or ``test``, or None where there are none."""
        found: Mapping[str, Any] | None = self.metrics.get("metrics" if split == "val" else split)
        return found

    def best_epoch(self) -> int | None:
        """Return the epoch best.pt was saved after, or the best so far; None without epochs."""
        best = self.figures("val")
        if best is not None:
            return int(best["epoch"])
        column = f"val_{self.selection}"
        # Once pruned, best.pt is the best pruned epoch, whatever went before.
        stage = self.history[-1].get("stage") if self.history else None
        rows = [r for r in self.history if column in r and r.get("stage") == stage]
        if not rows:
            return None
        sign = -1 if self.selection == "loss" else 1
        return int(max(rows, key=lambda row: sign * row[column])["epoch"])

    def evaluated(self, split: str) -> Evaluated | None:
        """Return the answers to a split, or None if the run did not measure it.

        Raises:
            CheckpointCorrupt: the file is damaged.
        """
        return _read_answers(self.folder.root / "eval" / f"{split}.npz")


def read_run(path: Path) -> RunRecord:
    """Read a run folder.

    Raises:
        NotFound: no such folder, not a run, or a run without a finished epoch.
        CheckpointCorrupt: a record in it is damaged.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        what = "is a file, not a run folder" if path.exists() else "does not exist"
        raise NotFound(f"{path} {what}.", hint="Give the folder that fertrain train wrote.")
    if not (path / "config.json").is_file():
        raise NotFound(
            f"{path} is no run folder: it has no config.json.",
            hint="A run folder is what fertrain train --out wrote, or runs/<arch>-<time>.",
        )
    config, metrics = read_json(path / "config.json"), read_json(path / "metrics.json")
    history = _read_history(folder)
    if not history and not metrics:
        raise NotFound(
            f"{path} has no finished epoch yet, so there is nothing to show.",
            hint=f"Let it train, or continue it: {folder.resume_command()}",
        )
    newest = max(
        file.stat().st_mtime
        for file in (path / "config.json", path / "history.csv", path / "metrics.json")
        if file.is_file()
    )
    return RunRecord(
        folder=folder,
        options=config.get("options", {}),
        resolved=config.get("resolved", {}),
        data=read_json(path / "data.json"),
        metrics=metrics,
        history=history,
        sparsity=_read_sparsity(path / "sparsity.csv"),
        changed_at=datetime.fromtimestamp(newest, tz=UTC),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return a record of the run folder; empty if it has not been written.

    Raises:
        FerError: it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(record, dict):
        raise _damaged(path, f"a {type(record).__name__} where an object should be")
    return record


def _read_history(folder: RunFolder) -> list[Row]:
    try:
        return [_typed(row) for row in folder.read_history()]
    except (TypeError, ValueError, csv.Error) as error:
        raise _damaged(folder.root / "history.csv", error) from error


def _typed(row: Mapping[str, str]) -> Row:
    return {
        name: text if name in _WORDS else int(text) if name in _WHOLE else float(text)
        for name, text in row.items()
        if text != ""  # a column that an earlier version did not write
    }


def _read_sparsity(path: Path) -> list[tuple[str, int, int]]:
    if not path.is_file():
        return []
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [(row["layer"], int(row["weights"]), int(row["zeros"])) for row in rows]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise _damaged(path, error) from error


def _read_answers(path: Path) -> Evaluated | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Evaluated(
                answers=Answers(logits=stored["logits"], targets=stored["targets"]),
                labels=tuple(map(str, stored["labels"])),
                paths=tuple(map(str, stored["paths"])),
            )
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> CheckpointCorrupt:
    return CheckpointCorrupt(
        f"{path} is damaged: {reason}.",
        hint="fertrain eval on the run's best.pt measures it again.",
    )
