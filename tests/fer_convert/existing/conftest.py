"""One finished build of the tiny network, whose files are compared once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fer_convert.nets import SPEC, run_once


@pytest.fixture(scope="session")
def words() -> list[object]:
    """What must be said about the tiny network's TorchScript file."""
    return ["--labels", "affectnet-folders", "--preprocess", json.dumps(SPEC.to_dict())]


@pytest.fixture(scope="session")
def tiny_build(
    tmp_path_factory: pytest.TempPathFactory, script: Path, faces: Path, words: list[object]
) -> Path:
    """A build of every kind."""
    out = tmp_path_factory.mktemp("tiny") / "build"
    ran = run_once(
        "build", "--checkpoint", script, "--fixtures", faces, *words, "--no-package", "--out", out
    )
    assert ran.code == 0, ran.out + ran.err
    return out
