"""One build for all that is written from a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fer_convert.nets import run_once


@pytest.fixture(scope="session")
def built_once(script_options: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of one artefact, for tests that only read it."""
    out = tmp_path_factory.mktemp("built") / "b"
    options = [*script_options, "--no-package", "--only", "mlpackage-fp16", "--quiet"]
    assert run_once("build", *options, "--out", out).code == 0
    return out
