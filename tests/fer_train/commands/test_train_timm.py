"""A network of timm through ``fertrain``: trained, resumed, measured; its arch is in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fer_train.contract.checkpoint import read_checkpoint
from tests.fer_train.faces import SMALLEST, Fertrain, Ran

ARCH = "timm/mobilenetv3_small_050"


def test_trained_and_measured(
    faces: Path, fertrain: Fertrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = fertrain(
        *("train", "--data", faces, *SMALLEST, "--arch", ARCH, "--batch-size", 8, "--epochs", 1),
        *("--finetune", "head", "--prune", 0, "--device", "cpu"),
    )
    assert ran.code == 0, ran.err
    (run,) = (tmp_path / "runs").iterdir()  # one folder, whatever is in the name
    assert run.name.startswith("timm-mobilenetv3_small_050-")
    best = run / "checkpoints" / "best.pt"
    checkpoint = read_checkpoint(best)
    assert checkpoint.arch == ARCH and "timm" in checkpoint.created_with
    assert {"conv_stem.weight", "classifier.weight"} <= checkpoint.model.keys()
    measured = fertrain("eval", best, "--data", faces, "--split", "val", "--device", "cpu")
    assert measured.code == 0 and ARCH in measured.err


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        ("timm/mobilenet_v3_small_050", "Did you mean 'timm/mobilenetv3_small_050'"),
        ("timm/hf-hub:somebody/network", "is an address, not a name"),
        ("package.module:build", "is for ferconv build"),
    ],
)
def test_what_is_no_architecture(
    small_run: Callable[..., Ran], tmp_path: Path, arch: str, says: str
) -> None:
    ran = small_run(tmp_path / "run", "--arch", arch)
    assert ran.code == 12 and says in ran.err
    assert not (tmp_path / "run").exists()
