"""Tiny folders of drawn patterns, and the command run as the console script would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_train import cli
from tests.fer_train.faces import SMALLEST, Fertrain, Ran, write_faces


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight numeric classes, three training and two validation images each."""
    root = tmp_path_factory.mktemp("data") / "AffectNet"
    write_faces(root)
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def fertrain(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Fertrain:
    """Run the command in this process; returns exit code, stdout, stderr."""
    monkeypatch.setenv("FERTRAIN_CACHE", str(cache))

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fertrain", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def small_run(faces: Path, fertrain: Fertrain) -> Callable[..., Ran]:
    """``fertrain train`` with the smallest network, image and batch; more options may follow."""

    def run(out: Path, *options: object) -> Ran:
        rest = ("--batch-size", 8, "--device", "cpu", "--out", out)
        return fertrain("train", "--data", faces, *SMALLEST, *rest, *options)

    return run
