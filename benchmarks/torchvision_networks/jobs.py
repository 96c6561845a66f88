"""One network in one format, converted in one way; every step a process of its own with a result
on disk, so that a run can be stopped and continued."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMATS = {"neuralnetwork": "mlmodel", "fp32": "mlpackage", "fp16": "mlpackage"}
#: ``trace`` is TorchScript, ``rewrite`` the same as ferconv rewrites it, ``export`` torch.export.
WAYS = ("trace", "export", "rewrite")

Result = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """Where everything about one conversion lies."""

    work: Path
    model: str
    format: str
    way: str

    @property
    def stem(self) -> str:
        return f"{self.model}.{self.format}.{self.way}"

    @property
    def saved(self) -> Path:
        return self.work / f"{self.stem}.{FORMATS[self.format]}"

    @property
    def converted_path(self) -> Path:
        return self.work / f"{self.stem}.convert.json"

    @property
    def compared_path(self) -> Path:
        return self.work / f"{self.stem}.compare.json"

    @property
    def reference_path(self) -> Path:
        """PyTorch's answers; one file per network."""
        return self.work / f"{self.model}.npz"


def result_of(path: Path) -> Result:
    """A saved result; empty if there is none yet."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def isolated(step: Callable[[Job], Result], job: Job, path: Path, limit: float) -> None:
    """Run ``step`` in a forked process and save what it returns, or why it did not, in ``path``."""
    start = time.perf_counter()
    process = multiprocessing.get_context("fork").Process(target=_child, args=(step, job, path))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        _save(path, {"error": f"no result after {limit:.0f} s", "seconds": limit})
    elif process.exitcode:
        _save(path, {"error": f"the process ended with {process.exitcode}"})
    result = json.loads(path.read_text())
    seconds = time.perf_counter() - start
    print(f"{job.stem}: {result.get('error') or 'ok'} ({seconds:.0f} s)", file=sys.stderr)


def _child(step: Callable[[Job], Result], job: Job, path: Path) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with Path(os.devnull).open("w") as silent:
        os.dup2(silent.fileno(), 2)  # progress bars
    try:
        # coremltools removes its temporary packages at exit, which a killed process never reaches.
        with tempfile.TemporaryDirectory(dir=job.work) as tempfile.tempdir:
            result = step(job)
    except Exception as error:  # whatever a converter raises is a row of the table
        text = str(error).strip() or repr(error)
        line = f"{type(error).__name__}: {text.splitlines()[0]}"
        result = {"error": line, "text": text[:4000]}
    _save(path, result)
    os._exit(0)  # the parent's threads are not this process's to wait for


def _save(path: Path, result: Result) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=1))
    beside.replace(path)
