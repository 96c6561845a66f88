"""What ``--resume`` does where a run has ended, should end now, or cannot be continued."""

from __future__ import annotations

import csv
import json
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_train.config.options import TrainConfig
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.machine.signals import StopRequest
from fer_train.run import train as training
from fer_train.run_folder import RunFolder
from tests.fer_train.faces import NUMERIC, Fertrain, Ran, write_faces
from tests.fer_train.interrupting import Interrupter

SMALL: dict[str, Any] = {
    "arch": "mobilenet_v3_small",
    "weights": "none",
    "input_size": 32,
    "batch_size": 8,  # three steps an epoch
    "device": "cpu",
    "workers": 1,
}


#: A rate that changes no weight: every epoch is exactly as good as the one before.
STILL: dict[str, Any] = {"finetune": "head", "lr": 1e-12}


def stopped(
    faces: Path, cache: Path, out: Path, *, steps: int = -1, epoch: int = -1, **options: Any
) -> RunFolder:
    """Return a run that a signal has stopped after so many steps, or an epoch."""
    stop = StopRequest()
    summary = training.train(
        TrainConfig(data=str(faces), **{**SMALL, **options}),
        out=out,
        cache=cache,
        reporter=Interrupter(stop, after_steps=steps, after_epoch=epoch),
        stop=stop,
    )
    assert summary["stopped"] == signal.Signals.SIGTERM.name
    return RunFolder(out)


def finished(fertrain: Fertrain, faces: Path, out: Path, *options: object) -> Ran:
    fixed = ("--arch", SMALL["arch"], "--weights", "none", "--input-size", 32, "--batch-size", 8)
    rest = ("--device", "cpu", "--prune", 0, "--out", out)
    ran = fertrain("train", "--data", faces, *fixed, *rest, *options)
    assert ran.code == 0, ran.err
    return ran


def content(run: RunFolder) -> dict[str, tuple[int, bytes]]:
    files = [path for path in run.root.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def epochs_of(run: RunFolder) -> list[str]:
    with (run.root / "history.csv").open() as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def steps_of(run: RunFolder, tag: str) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.tensorboard))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


@pytest.mark.parametrize("steps", [6, 7], ids=["after an epoch", "within one"])
def test_a_run_ends_where_its_user_has_enough(
    steps: int, faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    """The pruning that was due at the end of 200 epochs is due now."""
    run = stopped(faces, cache, tmp_path / "run", steps=steps, epochs=200)
    ran = fertrain("train", "--resume", run.root, "--epochs", 2, "--json")
    assert ran.code == 0, ran.err
    assert ("epoch 3 had begun and is left out" in ran.err) == (steps == 7)
    summary = json.loads(ran.out)
    assert summary["epochs"] == 2 and summary["pruning"]["after_epoch"] == 2
    assert read_checkpoint(run.best).sparsity["global"] == pytest.approx(0.2, abs=0.001)
    assert tomllib.loads((run.root / "config.toml").read_text())["epochs"] == 2
    assert epochs_of(run) == ["1", "2"]
    # last.pt knows it too, and training on keeps the zeros.
    again = fertrain("train", "--resume", run.root)
    assert again.code == 0 and "already complete (2 epochs)" in again.err
    longer = fertrain("train", "--resume", run.root, "--epochs", 3)
    assert longer.code == 0, longer.err
    assert epochs_of(run) == ["1", "2", "3"] and steps_of(run, "loss/train") == [1, 2, 3]
    assert read_checkpoint(run.last).sparsity["global"] == pytest.approx(0.2, abs=0.001)


def test_a_run_that_does_not_prune_ends_where_its_user_has_enough(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = stopped(faces, cache, tmp_path / "run", steps=5, epochs=200, prune=0)
    ran = fertrain("train", "--resume", run.root, "--epochs", 1)
    assert ran.code == 0, ran.err
    assert read_checkpoint(run.best).metrics["epoch"] == 1
    again = fertrain("train", "--resume", run.root)
    assert "already complete (1 epoch)" in again.err
    # What had begun is not lost.
    assert fertrain("train", "--resume", run.root, "--epochs", 2).code == 0
    whole = stopped(faces, cache, tmp_path / "whole", epoch=2, epochs=200, prune=0)
    one, two = (read_checkpoint(r.last).model for r in (run, whole))
    assert all(value.equal(two[key]) for key, value in one.items())


def test_a_pruning_that_becomes_due_leaves_all_epochs_of_recovery(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = stopped(faces, cache, tmp_path / "run", epoch=2, epochs=200)
    ran = fertrain("train", "--resume", run.root, "--epochs", 3, "--recovery-epochs", 1, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["pruning"]["after_epoch"] == 2


def test_fewer_epochs_than_are_done_are_refused(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = stopped(faces, cache, tmp_path / "run", epoch=2, epochs=200)
    before = content(run)
    ran = fertrain("train", "--resume", run.root, "--epochs", 1)
    assert ran.code == 16 and "has done 2 epochs, and --epochs 1 lies behind it" in ran.err
    assert "Allowed: 2 or more" in ran.err and "--epochs 5 prunes it and then recovers" in ran.err
    assert content(run) == before


def test_a_complete_run_is_summarised_and_left_alone(
    faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    first = finished(fertrain, faces, run.root, "--epochs", 2, "--json")
    before = content(run)
    best = next(line for line in first.err.splitlines() if line.startswith("best "))
    for option, value in (("--lr", 0.5), ("--epochs", 1)):
        ran = fertrain("train", "--resume", run.root, option, value, "--json")
        assert ran.code == 0, ran.err
        assert "already complete (2 epochs)" in ran.err and "--epochs above 2 trains on" in ran.err
        assert f"without effect: {option}" in ran.err and "is now" not in ran.err
        assert json.loads(ran.out) == json.loads(first.out)
        assert best in ran.err.splitlines()
        assert content(run) == before


def test_training_on_after_the_end_repeats_nothing_in_tensorboard(
    faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    finished(fertrain, faces, run.root, "--epochs", 1)
    for _ in range(2):
        assert fertrain("train", "--resume", run.root).code == 0
    assert steps_of(run, "final_val/macro_f1") == [1]
    assert fertrain("train", "--resume", run.root, "--epochs", 2).code == 0
    assert steps_of(run, "final_val/macro_f1") == [1, 2] == steps_of(run, "loss/val")
    assert epochs_of(run) == ["1", "2"]


def test_a_run_killed_between_its_last_epoch_and_its_end_still_ends(
    faces: Path, fertrain: Fertrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here in its second end: the records of the first must not be taken for it."""
    run = RunFolder(tmp_path / "run")
    finished(fertrain, faces, run.root, "--epochs", 1)

    def killed(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(training, "finish", killed)
        # As it is between last.pt and the history.
        patched.setattr(RunFolder, "write_history", lambda *_: None)
        assert fertrain("train", "--resume", run.root, "--epochs", 2).code == 1
    assert json.loads((run.root / "metrics.json").read_text())["epochs"] == 1
    ran = fertrain("train", "--resume", run.root)
    assert ran.code == 0 and "already complete" not in ran.err
    assert json.loads((run.root / "metrics.json").read_text())["epochs"] == 2
    assert epochs_of(run) == ["1", "2"]
    assert steps_of(run, "final_val/macro_f1") == [1, 2]


def test_a_damaged_last_names_what_the_run_has_kept(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = stopped(faces, cache, tmp_path / "run", epoch=1, epochs=2, prune=0)
    run.last.write_bytes(run.last.read_bytes()[:1000])
    ran = fertrain("train", "--resume", run.root)
    assert ran.code == 10 and "last.pt" in ran.err and "previous checkpoint" not in ran.err
    assert f"fertrain train --from {run.best} --data" in ran.err
    run.best.rename(run.best_dense)
    assert f"--from {run.best_dense} " in fertrain("train", "--resume", run.root).err
    run.best_dense.unlink()
    ran = fertrain("train", "--resume", run.root)
    assert ran.code == 10 and f"fertrain train --config {run.root / 'config.toml'}" in ran.err


def test_another_patience_and_factor_decide_the_rates_that_follow(
    faces: Path, cache: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    run = stopped(faces, cache, tmp_path / "run", epoch=2, epochs=5, prune=0, **STILL)
    options = ("--patience", 0, "--plateau-factor", 0.5, "--seed", 9)
    ran = fertrain("train", "--resume", run.root, *options)
    assert ran.code == 0, ran.err
    assert "--patience was 5, is now 0" in ran.err and "--seed 9 is ignored" in ran.err
    with (run.root / "history.csv").open() as file:
        rates = [float(row["lr"]) / STILL["lr"] for row in csv.DictReader(file)]
    # With the patience and the factor of the start, the rate would not have been cut at all.
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.25])


def test_resuming_with_other_classes_shows_both_lists(
    small_run: Callable[..., Ran], fertrain: Fertrain, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert small_run(out, "--epochs", 1, "--prune", 0).code == 0
    seven = tmp_path / "seven"
    write_faces(seven, classes=NUMERIC[:7])
    last = out / "checkpoints" / "last.pt"
    record = torch.load(last, weights_only=True)
    record["config"]["label_order"] = "fer2013"
    torch.save(record, last)
    ran = fertrain("train", "--resume", out, "--data", seven, "--epochs", 2)
    assert ran.code == 14
    assert "last.pt: anger" in ran.err and "contempt" in ran.err and "data:    anger" in ran.err
