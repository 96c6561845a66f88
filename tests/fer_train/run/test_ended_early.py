"""Runs that something ends before their time: NaN, a signal, a kill in the middle of saving."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fer_train.contract.checkpoint import read_checkpoint
from fer_train.data.batches import Indices
from fer_train.data.feed import FaceFeed
from tests.fer_train.faces import Fertrain, Ran
from tests.paths import REPOSITORY

SmallRun = Callable[..., Ran]


def test_a_nan_batch_stops_the_run_with_the_last_epoch_intact(
    small_run: SmallRun, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FaceFeed.training
    names = sorted(path.relative_to(faces).as_posix() for path in faces.glob("train/*/*.png"))
    poisoned: list[str] = []

    def training(
        self: FaceFeed, indices: Indices, *, epoch: int, batch: int
    ) -> tuple[Tensor, Tensor]:
        images, targets = honest(self, indices, epoch=epoch, batch=batch)
        if (epoch, batch) == (2, 1):
            images[0] = torch.nan
            poisoned.extend(names[index] for index in indices)
        return images, targets

    monkeypatch.setattr(FaceFeed, "training", training)
    out = tmp_path / "run"
    ran = small_run(out, "--epochs", 3, "--prune", 0)
    assert ran.code == 3 and "epoch 2, batch 2 of 3" in ran.err and "keeps epoch 1" in ran.err
    failure = json.loads((out / "failure.json").read_text())
    assert failure["files"] == poisoned and failure["loss"] == "nan"
    last = read_checkpoint(out / "checkpoints" / "last.pt")  # refuses NaN weights
    assert last.train_state is not None and last.train_state["epoch"] == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_has_its_own_exit_code(
    signum: int, code: int, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ("--arch", "mobilenet_v3_small", "--weights", "none", "--input-size", "32")
    command = [sys.executable, "-m", "fer_train.cli", "train", "--data", str(faces), *options]
    command += ["--batch-size", "4", "--epochs", "500", "--device", "cpu", "--out", str(out)]
    command += ["--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch"):
                break
        process.send_signal(signum)
        rest = process.stderr.read()
        assert process.wait() == code
    assert f"fertrain train --resume {out}" in rest and "Traceback" not in rest
    saved = read_checkpoint(out / "checkpoints" / "last.pt").train_state
    assert saved is not None and saved["epoch"] >= 1


def test_kill_9_while_saving_leaves_a_checkpoint_that_resumes(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code = (
        "import os, signal, sys\n"
        "from fer_train.contract import files\n"
        "flush, saves = files._flush_to_disk, []\n"
        "def die_in_the_second(path):\n"
        "    saves.extend([path] if path.name.startswith('.last.pt') else [])\n"
        "    if len(saves) == 2:\n"
        "        path.write_bytes(path.read_bytes()[:1000])\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    flush(path)\n"
        "files._flush_to_disk = die_in_the_second\n"
        "from fer_train.cli import main\n"
        "main()\n"
    )
    arguments = ["train", "--data", str(faces), "--arch", "mobilenet_v3_small", "--weights", "none"]
    arguments += ["--input-size", "32", "--batch-size", "8", "--epochs", "3", "--device", "cpu"]
    arguments += ["--prune", "0", "--cache", str(cache), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=REPOSITORY, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL
    saved = read_checkpoint(out / "checkpoints" / "last.pt").train_state
    assert saved is not None and saved["epoch"] == 1
    resumed = fertrain("train", "--resume", out, "--json")
    assert resumed.code == 0 and json.loads(resumed.out)["epochs"] == 3
