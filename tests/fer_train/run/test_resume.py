"""A run that was interrupted ends bit for bit where an uninterrupted one ends."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_train.config.options import TrainConfig
from fer_train.config.phase import Phase
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.errors import ResumeMismatch
from fer_train.machine.signals import StopRequest
from fer_train.run.resume import ResumePoint, compare, config_from_dict
from fer_train.run.train import train
from fer_train.run_folder import RunFolder
from tests.fer_train.faces import Fertrain, Ran, write_faces
from tests.fer_train.interrupting import Interrupter

#: Dropout and stochastic depth are the network's own; a patience of 0 makes the plateau cut. Two
#: phases, averaged weights, accumulated steps and pruning in two steps: everything with a state.
RECIPE: dict[str, Any] = {
    "arch": "efficientnet_b0",
    "weights": "none",
    "input_size": 32,
    "batch_size": 6,
    "accumulate": 2,
    "phases": (
        Phase(trains="head", epochs=3, lr=1e-3),
        Phase(trains="all", epochs=3, lr=1e-3, backbone_lr=1e-4),
    ),
    "patience": 0,
    "plateau_factor": 0.5,
    "ema": 0.9,
    "label_smoothing": 0.1,
    "prune": 0.3,
    "prune_at": 4,
    "prune_steps": 2,
    "device": "cpu",
    "seed": 4,
    "workers": 1,
}


#: Wall-clock figures of the history, which no seed decides.
TIMES = ("seconds", "images_per_second")


def run(
    faces: Path,
    cache: Path,
    *,
    out: Path | None = None,
    epochs: int | None = None,
    after_steps: int = -1,
    after_epoch: int = -1,
    resume: Path | None = None,
) -> dict[str, Any]:
    stop = StopRequest()
    point = None
    if resume is not None:
        point = ResumePoint(
            run=RunFolder(resume), checkpoint=read_checkpoint(RunFolder(resume).last)
        )
    return train(
        TrainConfig(data=str(faces), epochs=epochs, **RECIPE),
        out=out,
        cache=cache,
        reporter=Interrupter(stop, after_steps=after_steps, after_epoch=after_epoch),
        stop=stop,
        resume=point,
    )


@pytest.fixture(scope="module")
def straight(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Six epochs without interruption: all layers from the fourth, pruned after 4 and 5."""
    root = tmp_path_factory.mktemp("runs") / "straight"
    run(faces, cache, out=root)
    return RunFolder(root)


@pytest.fixture(scope="module")
def interrupted(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same, stopped in the middle of epochs 2 and 5, after the last step of 4, and resumed."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "interrupted")
    stopped = run(faces, cache, out=folder.root, after_steps=3)
    assert stopped["stopped"] == "SIGTERM" and stopped["epochs"] == 1
    assert stopped["best"] is None  # this run prunes, and has not yet
    saved = read_checkpoint(folder.last).train_state
    assert saved is not None and saved["tally"]["steps"] == 1
    again = run(faces, cache, resume=folder.root, after_steps=5)
    assert again["stopped"] == "SIGTERM" and again["epochs"] == 3
    again = run(faces, cache, resume=folder.root, after_steps=1)
    assert again["stopped"] == "SIGTERM" and again["epochs"] == 4
    assert run(faces, cache, resume=folder.root)["stopped"] is None
    return folder


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items = [(str(k), v) for k, v in value.items() if k not in TIMES]
    elif isinstance(value, (list, tuple)):
        items = [(str(i), v) for i, v in enumerate(value)]
    else:
        return {prefix: value}
    return {k: v for key, item in items for k, v in flat(item, f"{prefix}/{key}").items()}


def assert_same_bits(first: Path, second: Path) -> None:
    one, two = (flat(torch.load(path, weights_only=True)) for path in (first, second))
    assert one.keys() == two.keys()
    for key, value in one.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, two[key]), key
        else:
            assert value == two[key], key


def test_three_epochs_and_three_more_equal_six(
    straight: RunFolder, faces: Path, cache: Path, tmp_path: Path
) -> None:
    """Bit for bit, with phases, dropout, plateau, averages, accumulation and pruning on."""
    folder = RunFolder(tmp_path / "halves")
    assert run(faces, cache, out=folder.root, after_epoch=3)["epochs"] == 3
    run(faces, cache, resume=folder.root)
    assert_same_bits(straight.last, folder.last)
    assert_same_bits(straight.best, folder.best)


def test_stops_in_mid_epoch_lose_nothing(straight: RunFolder, interrupted: RunFolder) -> None:
    assert_same_bits(straight.last, interrupted.last)
    assert_same_bits(straight.best, interrupted.best)
    assert_same_bits(straight.best_dense, interrupted.best_dense)
    rows = list(csv.DictReader((interrupted.root / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]


def test_a_longer_run_goes_on_where_the_shorter_ended(
    straight: RunFolder, faces: Path, cache: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "extended")
    run(faces, cache, out=folder.root, epochs=5)
    run(faces, cache, epochs=6, resume=folder.root)
    one, two = (read_checkpoint(f.last).model for f in (straight, folder))
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_the_recipe_was_really_exercised(straight: RunFolder) -> None:
    """Otherwise the equalities above would prove little."""
    rows = list(csv.DictReader((straight.root / "history.csv").open()))
    assert len({row["lr"] for row in rows}) > 1, "the plateau never cut"
    assert [row["phase"] for row in rows] == ["1", "1", "1", "2", "2", "2"]
    assert [row["stage"] for row in rows] == ["dense"] * 4 + ["recovery"] * 2
    sparsity = [float(row["sparsity"]) for row in rows]
    # The cubic curve: seven eighths of the target in the first of two steps.
    assert sparsity == pytest.approx([0, 0, 0, 0, 0.2625, 0.3], abs=0.001)
    saved = read_checkpoint(straight.last)
    assert saved.train_state is not None
    averages = saved.train_state["ema"]["values"]
    assert any(not torch.equal(averages[key], saved.model[key]) for key in averages)
    assert len(saved.train_state["optimizer"]["param_groups"]) == 2


def test_best_is_pruned_dense_in_form_and_complete(straight: RunFolder) -> None:
    best, dense = read_checkpoint(straight.best), read_checkpoint(straight.best_dense)
    assert list(best.model) == list(dense.model)
    assert best.sparsity["global"] == pytest.approx(0.3, abs=0.001)
    assert dense.sparsity == {}
    zeros = {key: float((best.model[key] == 0).float().mean()) for key in best.sparsity["layers"]}
    assert zeros == pytest.approx(best.sparsity["layers"])
    pruning = best.metrics["pruning"]
    assert pruning["before"]["split"] == "val" and "macro_f1" in pruning["after"]
    assert best.metrics["epoch"] >= 5
    assert [step["after_epoch"] for step in pruning["steps"]] == [4, 5]
    assert all(value.is_contiguous() for value in best.model.values())


def test_best_is_the_best_epoch_and_survives_a_resume(straight: RunFolder) -> None:
    rows = list(csv.DictReader((straight.root / "history.csv").open()))
    # Epoch 5 trained at 26 % zeros: it does not compete with the fully pruned ones.
    recovery = [float(row["val_macro_f1"]) for row in rows if int(row["epoch"]) > 5]
    best = read_checkpoint(straight.best).metrics
    assert best["macro_f1"] == max(*recovery, best["pruning"]["after"]["macro_f1"])


def test_a_worse_epoch_after_resume_does_not_replace_best(
    straight: RunFolder, faces: Path, cache: Path, tmp_path: Path
) -> None:
    """The best so far must come back, or the first resumed epoch always wins."""
    folder = RunFolder(tmp_path / "guarded")
    shutil.copytree(straight.root, folder.root)
    record = torch.load(folder.last, weights_only=True)
    record["train_state"]["best"]["macro_f1"] = 1.0
    torch.save(record, folder.last)
    before = folder.best.read_bytes()
    run(faces, cache, epochs=7, resume=folder.root)
    assert folder.best.read_bytes() == before


def test_tensorboard_has_one_run_and_every_step_once(interrupted: RunFolder) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = interrupted.tensorboard
    assert [entry for entry in folder.rglob("*") if entry.is_dir()] == []
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()
    for tag in ("loss/train", "accuracy/val", "val_f1/contempt", "training/sparsity"):
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4, 5, 6], tag
    assert {"train/augmented", "val/confusion"} <= set(tags["images"])
    assert "final_val/macro_f1" in tags["scalars"]


def test_other_images_are_refused(straight: RunFolder, cache: Path, tmp_path: Path) -> None:
    write_faces(tmp_path / "other", train=4)
    with pytest.raises(ResumeMismatch, match="not those the run started with"):
        run(tmp_path / "other", cache, epochs=7, resume=straight.root)


def test_options_on_resume_are_of_three_classes() -> None:
    saved = TrainConfig(data="D", arch="resnet101")
    changes = compare(saved, {"epochs": 40, "arch": "resnet101", "seed": 9})
    assert changes.used == {"epochs": (None, 40)} and changes.ignored == {"seed": (0, 9)}
    with pytest.raises(ResumeMismatch, match=r"--arch was resnet101 and is now resnet152"):
        compare(saved, {"arch": "resnet152"})
    with pytest.raises(ResumeMismatch, match=r"--phase was not given and is now head:1:0\.1"):
        compare(saved, {"phases": (Phase(trains="head", epochs=1, lr=0.1),)})
    with pytest.raises(ResumeMismatch, match="another version"):
        config_from_dict({**saved.to_dict(), "colour_of_the_sky": 1})
    with pytest.raises(ResumeMismatch, match=r"not allowed any more\. --warmup-epochs is 99"):
        config_from_dict({**saved.to_dict(), "warmup_epochs": 99})
    assert config_from_dict(TrainConfig(data="D", **RECIPE).to_dict()) == TrainConfig(
        data="D", **RECIPE
    )


def test_a_training_state_of_another_version_is_refused(
    straight: RunFolder, faces: Path, cache: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "old")
    shutil.copytree(straight.root, folder.root)
    record = torch.load(folder.last, weights_only=True)
    del record["train_state"]["version"]
    torch.save(record, folder.last)
    with pytest.raises(ResumeMismatch, match="has version 1") as caught:
        run(faces, cache, resume=folder.root)
    assert "--from best.pt" in str(caught.value)


def test_resume_from_the_command_line(
    straight: RunFolder, fertrain: Fertrain, tmp_path: Path
) -> None:
    refused: Ran = fertrain("train", "--resume", straight.root, "--batch-size", 16)
    assert refused.code == 16
    assert "--batch-size was 6 and is now 16" in refused.err
    assert fertrain("train", "--resume", tmp_path).code == 4
    assert fertrain("train", "--resume", straight.best).code == 4
