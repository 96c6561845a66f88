"""A pytest plugin that keeps the models which the tests load, as seeds of the fuzzer.

``python benchmarks/fuzz_coreml.py --record`` runs the tests of the runtime with it. Every operation
has a test, so every operation has a seed, also one that somebody adds tomorrow.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from coreml_fuzzing.messages import WEIGHT_FILE
from fer_convert.coreml_runtime import loader
from fer_convert.coreml_runtime.graph import Graph

_MOST_BYTES = 1 << 14  # of the specification; of the weights, four times as much


class _Recorder:
    """The smallest specification, with its weights, of each combination of operations."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[bytes, bytes | None]] = {}
        self._load = loader.load_saved

    def load_saved(self, saved: Any, *, function: str | None = None) -> Any:
        spec = _whole(saved)
        program = self._load(saved, function=function)
        weights = saved.folder / WEIGHT_FILE.relative_to(WEIGHT_FILE.parents[1])
        content = weights.read_bytes() if weights.is_file() else None
        if len(spec) <= _MOST_BYTES and len(content or b"") <= 4 * _MOST_BYTES:
            key = _key(program.graph)
            if key not in self._kept or len(spec) < len(self._kept[key][0]):
                self._kept[key] = spec, content
        return program

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.*"):
            old.unlink()
        for number, (spec, weights) in enumerate(self._kept.values()):
            (folder / f"{number:05}.mlmodel").write_bytes(spec)
            if weights is not None:
                (folder / f"{number:05}.bin").write_bytes(weights)


def _whole(saved: Any) -> bytes:
    """The specification with its weights, which a parsed file leaves behind and reading takes out;
    of a pipeline's model, the pipeline."""
    if saved.path.is_file():
        return saved.path.read_bytes()
    files = list(saved.folder.glob("*.mlmodel"))
    return files[0].read_bytes() if files else saved.spec.SerializeToString()


def _key(graph: Graph) -> Any:
    """Types and arguments in use: models that differ only in numbers are the same to the fuzzer,
    which changes numbers itself."""
    operations = {
        (
            op.layer,
            op.type,
            tuple(sorted(op.arguments)),
            tuple(str(output.element.name) for output in op.outputs),
        )
        for op in graph.operations
    }
    return frozenset(operations), frozenset(graph.counts)


_RECORDER = _Recorder()
# Before a conftest imports the function by its name.
loader.load_saved = _RECORDER.load_saved


def pytest_sessionfinish(session: pytest.Session) -> None:
    _RECORDER.write(Path(os.environ["FUZZ_COREML_CORPUS"]))
