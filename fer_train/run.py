"""The run folder: one training, everything a person or a resume needs.

::

    RUN/config.toml  config.json  data.json  metrics.json  history.csv
    RUN/failure.json                        only after a NaN
    RUN/sparsity.csv                        only after pruning: zeros per layer
    RUN/checkpoints/best.pt  last.pt  [best-dense.pt]
    RUN/eval/val.npz  [test.npz]            what best.pt answers, image by image
    RUN/tensorboard/
"""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_train.contract.errors import CannotWrite, NotFound, OutputExists
from fer_train.contract.files import cannot_write, write_bytes, write_json, write_text
from fer_train.metrics import Answers


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
    return out or Path("runs") / f"{arch}-{datetime.now():%Y%m%d-%H%M%S}"


def _require_place_for(root: Path) -> None:
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
