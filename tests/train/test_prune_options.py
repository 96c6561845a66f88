"""``fertrain prune``: the schedule its options and its file describe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_train.contract.checkpoint import read_checkpoint
from tests.train.faces import Fertrain
from tests.train.untrained import write_model


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("dense") / "best.pt")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_file_decides_the_schedule(
    dense: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "c.toml",
        "prune = 0.4\nprune-steps = 2\nrecovery-epochs = 3\nbatch-size = 8\nfinetune = 'head'",
    )
    out = tmp_path / "run"
    ran = fertrain(
        *("prune", dense, "--data", faces, "--config", file, "--recovery-epochs", 0),
        *("--device", "cpu", "--out", out, "--json"),
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["epochs"] == 1  # between two steps, and none after
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert best.sparsity["global"] == pytest.approx(0.4, abs=0.001)
    assert best.config["finetune"] == "head" and best.config["batch_size"] == 8


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("epochs = 9", "epochs would not do anything"),
        ("prune-at = 2\nepochs = 9", "prune-at and epochs would not do anything"),
        ("phases = ['all:3:1e-3']", "phases would not do anything"),
        ("prune = 0.0", "--prune is 0; allowed: above 0"),
        ("prune-steps = 0", "--prune-steps is 0"),
        ("recovery-epochs = -1", "--recovery-epochs is -1"),
    ],
)
def test_a_file_that_prune_cannot_follow_is_refused(
    dense: Path, faces: Path, fertrain: Fertrain, tmp_path: Path, text: str, needle: str
) -> None:
    file = write(tmp_path / "c.toml", text)
    ran = fertrain("prune", dense, "--data", faces, "--config", file, "--out", tmp_path / "run")
    assert ran.code == 2 and needle in " ".join(ran.err.split())
    assert not (tmp_path / "run").exists()
