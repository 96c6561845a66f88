"""The run folder: one training, everything a person or a resume needs.

::

    RUN/config.toml  config.json  data.json  metrics.json  history.csv
    RUN/failure.json                        only after a NaN
    RUN/sparsity.csv                        only after pruning: zeros per layer
    RUN/checkpoints/best.pt  last.pt  [best-dense.pt]
    RUN/eval/val.npz  [test.npz]            what best.pt answers, image by image
    RUN/tensorboard/

`RunFolder` names and writes them; `read_run` reads them back, the only source of reports and
comparisons.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.contract.errors import CannotWrite, CheckpointCorrupt, NotFound, OutputExists
from fer_train.contract.files import (
    cannot_write,
    require_utf8,
    write_bytes,
    write_json,
    write_text,
)
from fer_train.learning.metrics import Answers

#: One epoch of history.csv; every column but ``stage`` is a number.
Row = Mapping[str, Any]

#: Columns of history.csv that are not fractions.
_WHOLE, _WORDS = frozenset({"epoch", "phase"}), frozenset({"stage"})


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names of the files of one run."""

    root: Path

    @property
    def best(self) -> Path:
        """What ``ferconv build`` takes."""
        return self.root / "checkpoints" / "best.pt"

    @property
    def best_dense(self) -> Path:
        """The best epoch before pruning; only in runs that prune."""
        return self.root / "checkpoints" / "best-dense.pt"

    @property
    def last(self) -> Path:
        """What ``--resume`` takes."""
        return self.root / "checkpoints" / "last.pt"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    def write_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Write ``name``.json."""
        write_json(self.root / f"{name}.json", record)

    def write_answers(
        self, split: str, answers: Answers, *, labels: Sequence[str], paths: Sequence[str]
    ) -> None:
        """Write eval/``split``.npz (`answers_as_npz`)."""
        content = answers_as_npz(answers, labels=labels, paths=paths)
        write_bytes(self.root / "eval" / f"{split}.npz", content)

    def write_sparsity(self, rows: Sequence[tuple[str, int, int]]) -> None:
        """Write sparsity.csv from (layer, weights, zeros)."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("layer", "weights", "zeros", "share"))
        writer.writerows((*row, f"{row[2] / row[1]:.6f}") for row in rows)
        write_text(self.root / "sparsity.csv", text.getvalue())

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write every completed epoch, anew: a resume never leaves a row twice."""
        if not rows:
            return
        text = io.StringIO()
        # Of the last row: an earlier version's rows, in a resumed run, have fewer columns.
        writer = csv.DictWriter(text, fieldnames=list(rows[-1]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.root / "history.csv", text.getvalue())

    def read_history(self) -> list[dict[str, str]]:
        """Return the rows that `write_history` wrote, as text; empty before the first epoch."""
        path = self.root / "history.csv"
        if not path.is_file():
            return []
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))

    def resume_command(self) -> str:
        """Return the command line that continues this run."""
        return shlex.join(["fertrain", "train", "--resume", str(self.root)])


def answers_as_npz(answers: Answers, *, labels: Sequence[str], paths: Sequence[str]) -> bytes:
    """Return what a network said as an npz file.

    Arrays: ``logits`` [N, C] float32, ``targets`` [N] int64 (or [N, C] float32 shares), ``labels``
    [C] and ``paths`` [N] as text.
    """
    content = io.BytesIO()
    np.savez(
        content,
        logits=answers.logits,
        targets=answers.targets,
        labels=np.array(labels),
        paths=np.array(paths),
    )
    return content.getvalue()


def create_run(out: Path | None, *, arch: str) -> RunFolder:
    """Create a new run folder; without ``out``, ``runs/<arch>-<time>``.

    Raises:
        OutputExists: the folder exists; runs are never mixed.
        CannotWrite: no permission, no space.
    """
    root = _new_root(out, arch)
    _require_place_for(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        root.mkdir()
    except FileExistsError:  # made by another process just now
        raise _exists(root) from None
    except OSError as error:
        raise cannot_write(root, error) from error
    return RunFolder(root)


def require_creatable(out: Path | None, *, arch: str) -> None:
    """Check, without creating anything, that `create_run` can make its folder.

    Raises:
        OutputExists, CannotWrite: as `create_run` would.
    """
    _require_place_for(_new_root(out, arch))


def _new_root(out: Path | None, arch: str) -> Path:
    # timm/NAME is one folder, not two.
    return out or Path("runs") / f"{arch.replace('/', '-')}-{datetime.now():%Y%m%d-%H%M%S}"


def _require_place_for(root: Path) -> None:
    require_utf8(root)
    if os.path.lexists(root):
        raise _exists(root)
    try:
        above = next(parent for parent in root.parents if parent.exists())
    except OSError as error:
        raise cannot_write(root, error) from error
    if not above.is_dir():
        raise CannotWrite(
            f"Cannot write {root}: {above} is a file.",
            hint="Choose another --out, within a folder or where nothing is yet.",
        )
    if not os.access(above, os.W_OK | os.X_OK):
        raise CannotWrite(
            f"Cannot write {root}: nothing may be created in {above.resolve()}.",
            hint="Choose another --out, or change the folder's permissions.",
        )


def _exists(root: Path) -> OutputExists:
    return OutputExists(
        f"{root} exists already.",
        hint=f"Choose another --out, or continue that run: fertrain train --resume {root}",
    )


def find_run(path: Path) -> RunFolder:
    """Return the run that ``path``, its folder or its last.pt, belongs to.

    Raises:
        NotFound: there is no last.pt.
    """
    root = path if path.is_dir() else path.parent.parent
    run = RunFolder(root)
    if not run.last.is_file() or (path.is_file() and path.name != run.last.name):
        raise NotFound(
            f"{path} is neither a run folder with checkpoints/last.pt nor a last.pt.",
            hint="Give --resume the folder that the run's first lines name.",
        )
    return run


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
