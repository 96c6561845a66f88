"""Two processes under torchrun (gloo) are the same training as one; signals reach all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed import TCPStore

from fer_train.contract.checkpoint import read_checkpoint
from fer_train.machine.distributed import World
from tests.fer_train.faces import NUMERIC, Fertrain, run_once, save_image, texture, write_faces
from tests.paths import REPOSITORY


@pytest.fixture(scope="module")
def odd_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """27 training and 17 validation images: neither divides by batch, step or processes."""
    root = tmp_path_factory.mktemp("data") / "odd"
    write_faces(root)
    random = np.random.default_rng(9)
    for number, name in enumerate(NUMERIC[:3]):
        save_image(root / "train" / name / "extra.png", texture(random, 40, base=30 * number))
    save_image(root / "val" / "5" / "extra.png", texture(random, 40))
    return root


def options(data: Path, cache: Path, out: Path) -> list[str]:
    return [
        *("train", "--data", str(data), "--cache", str(cache), "--out", str(out)),
        *("--arch", "mobilenet_v3_small", "--weights", "none", "--input-size", "32"),
        *("--batch-size", "4", "--accumulate", "2", "--device", "cpu"),
        *("--batchnorm", "frozen", "--phase", "head:1:1e-2", "--phase", "all:2:1e-3:1e-4"),
        *("--ema", "0.9", "--prune", "0.3", "--recovery-epochs", "1", "--workers", "1"),
    ]


def command(processes: int, arguments: Sequence[str]) -> list[str]:
    if processes == 1:
        return [sys.executable, "-m", "fer_train.cli", *arguments]
    launcher = ["--standalone", "--nproc-per-node", str(processes), "-m", "fer_train.cli"]
    return [sys.executable, "-m", "torch.distributed.run", *launcher, *arguments]


def figures(run_folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run_folder / "metrics.json").read_text())
    return metrics


@pytest.mark.timeout(300)
def test_two_processes_give_the_metrics_of_one(
    odd_faces: Path, cache: Path, tmp_path: Path
) -> None:
    alone = run_once(cache, *options(odd_faces, cache, tmp_path / "one"))
    assert alone.code == 0, alone.err
    done = subprocess.run(
        command(2, options(odd_faces, cache, tmp_path / "two")),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # One process talks.
    assert alone.err.count("epoch     1/3") == done.stderr.count("epoch     1/3") == 1
    one, two = (read_checkpoint(tmp_path / n / "checkpoints" / "last.pt") for n in ("one", "two"))
    for key, value in one.model.items():
        torch.testing.assert_close(two.model[key], value, rtol=1e-4, atol=1e-6, msg=key)
    assert one.train_state is not None and two.train_state is not None
    for first, second in zip(one.train_state["history"], two.train_state["history"], strict=True):
        for name in ("train_loss", "train_accuracy", "val_loss", "val_macro_f1", "grad_norm"):
            assert second[name] == pytest.approx(first[name], rel=1e-3, abs=1e-6), name
    one_metrics, two_metrics = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert one_metrics["metrics"]["images"] == two_metrics["metrics"]["images"] == 17
    assert one_metrics["metrics"]["confusion"] == two_metrics["metrics"]["confusion"]
    assert "2 processes" in done.stderr
    answers = np.load(tmp_path / "two" / "eval" / "val.npz")
    expected = np.load(tmp_path / "one" / "eval" / "val.npz")
    assert list(answers["paths"]) == list(expected["paths"])
    assert (answers["targets"] == expected["targets"]).all()
    np.testing.assert_allclose(answers["logits"], expected["logits"], rtol=1e-3, atol=1e-5)


@pytest.mark.timeout(300)
def test_a_signal_to_one_process_stops_and_saves_in_all(
    odd_faces: Path, cache: Path, tmp_path: Path
) -> None:
    """A process leaving its loop alone would leave the other waiting for ever."""
    out = tmp_path / "run"
    arguments = [*options(odd_faces, cache, out), "--epochs", "500"]
    with subprocess.Popen(
        command(2, arguments),
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as launcher:
        assert launcher.stderr is not None
        for line in launcher.stderr:
            if line.startswith("epoch"):
                break
        # The process that does not lead gets the signal.
        follower = max(
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _parent(entry) == launcher.pid
        )
        os.kill(follower, signal.SIGTERM)
        rest = launcher.stderr.read()
        launcher.wait()
    assert f"fertrain train --resume {out}" in rest
    saved = read_checkpoint(out / "checkpoints" / "last.pt").train_state
    assert saved is not None and saved["epoch"] >= 1


@pytest.mark.timeout(300)
def test_only_the_first_process_to_fail_says_why(
    odd_faces: Path, cache: Path, tmp_path: Path
) -> None:
    """Started without torchrun, which might end the other process before it can say anything."""
    out = tmp_path / "run"
    out.mkdir()
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    joined = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    joined |= {"TORCHELASTIC_USE_AGENT_STORE": "True"}
    processes = [
        subprocess.Popen(
            command(1, options(odd_faces, cache, out)),
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | joined | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]
    leader, other = (process.communicate()[1] for process in processes)
    assert "exists already" in leader
    assert "error" not in other and "fault" not in other, other
    assert [process.returncode for process in processes] == [31, 31]


def test_processes_must_share_the_batches_of_a_step(
    fertrain: Fertrain, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = fertrain(
        *("train", "--data", faces, "--arch", "mobilenet_v3_small", "--weights", "none"),
        *("--accumulate", 3, "--device", "cpu"),
    )
    assert ran.code == 2 and "--accumulate" in ran.err and "multiple of 2" in ran.err


def test_one_process_is_a_world_of_one() -> None:
    world = World()
    tensor = torch.ones(3)
    world.add_up([tensor])
    assert tensor.tolist() == [1, 1, 1] and world.leads
    assert world.gather("x") == ["x"] and world.any(True) and not world.any(False)
    assert world.from_leader(3) == 3


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1
