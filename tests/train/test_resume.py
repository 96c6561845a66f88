"""A run that was interrupted ends bit for bit where an uninterrupted one ends."""

from __future__ import annotations

import csv
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_train.config import TrainConfig, changed_options, config_from_dict
from fer_train.contract.checkpoint import load_weights_only, read_checkpoint
from fer_train.contract.errors import ResumeMismatch
from fer_train.progress import PlainReporter, StepFigures
from fer_train.run import RunFolder
from fer_train.schedule import build_plateau, plateau_state, restore_plateau
from fer_train.session import ResumePoint
from fer_train.signals import StopRequest
from fer_train.train import train
from tests.train.faces import Fertrain, Ran, write_faces

#: Dropout and stochastic depth are the network's own; a patience of 0 makes the plateau cut.
RECIPE: dict[str, Any] = {
    "arch": "efficientnet_b0",
    "weights": "none",
    "input_size": 32,
    "batch_size": 8,
    "patience": 0,
    "plateau_factor": 0.5,
    "prune": 0.3,
    "prune_at": 2,
    "device": "cpu",
    "seed": 4,
    "workers": 1,
}

#: Wall-clock figures of the history, which no seed decides.
TIMES = ("seconds", "images_per_second")


class Interrupter(PlainReporter):
    """Raises the stop flag after so many steps, as a signal would."""

    def __init__(self, stop: StopRequest, *, after_steps: int) -> None:
        super().__init__(quiet=True)
        self.stop = stop
        self.left = after_steps

    @contextmanager
    def epoch(
        self, number: int, *, epochs: int, images: int
    ) -> Iterator[Callable[[StepFigures], None]]:
        def count(figures: StepFigures) -> None:
            self.left -= 1
            if self.left == 0:
                self.stop.signum = signal.SIGTERM

        yield count


def run(
    faces: Path,
    cache: Path,
    *,
    out: Path | None = None,
    epochs: int,
    after_steps: int = -1,
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
        reporter=Interrupter(stop, after_steps=after_steps),
        stop=stop,
        resume=point,
    )


@pytest.fixture(scope="module")
def straight(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Four epochs without interruption, pruned after the second."""
    root = tmp_path_factory.mktemp("runs") / "straight"
    run(faces, cache, out=root, epochs=4)
    return RunFolder(root)


@pytest.fixture(scope="module")
def interrupted(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same, stopped after the second of three steps of epoch 2, and resumed."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "interrupted")
    stopped = run(faces, cache, out=folder.root, epochs=4, after_steps=5)
    assert stopped["stopped"] == "SIGTERM" and stopped["epochs"] == 1
    assert stopped["best"] is None  # this run prunes, and has not yet
    saved = read_checkpoint(folder.last).train_state
    assert saved is not None and saved["tally"]["batches"] == 2
    assert run(faces, cache, epochs=4, resume=folder.root)["stopped"] is None
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
    one, two = flat(load_weights_only(first)), flat(load_weights_only(second))
    assert one.keys() == two.keys()
    for key, value in one.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, two[key]), key
        else:
            assert value == two[key], key


def test_fewer_epochs_extended_later_equal_the_whole(
    straight: RunFolder, faces: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "extended"
    run(faces, cache, out=out, epochs=2)
    run(faces, cache, epochs=4, resume=out)
    assert_same_bits(straight.last, RunFolder(out).last)


def test_a_stop_in_mid_epoch_loses_nothing(straight: RunFolder, interrupted: RunFolder) -> None:
    assert_same_bits(straight.last, interrupted.last)
    assert_same_bits(straight.best, interrupted.best)
    rows = list(csv.DictReader((interrupted.root / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


def test_the_recipe_was_really_exercised(straight: RunFolder) -> None:
    """Otherwise the equalities above would prove little."""
    rows = list(csv.DictReader((straight.root / "history.csv").open()))
    assert len({row["lr"] for row in rows}) > 1, "the plateau never cut"
    assert [row["phase"] for row in rows] == ["dense", "dense", "recovery", "recovery"]
    assert float(rows[1]["sparsity"]) == 0.0
    assert float(rows[3]["sparsity"]) == pytest.approx(0.3, abs=0.001)


def test_best_is_pruned_dense_in_form_and_complete(straight: RunFolder) -> None:
    best, dense = read_checkpoint(straight.best), read_checkpoint(straight.best_dense)
    assert list(best.model) == list(dense.model)
    assert best.sparsity["global"] == pytest.approx(0.3, abs=0.001)
    assert dense.sparsity == {}
    zeros = {key: float((best.model[key] == 0).float().mean()) for key in best.sparsity["layers"]}
    assert zeros == pytest.approx(best.sparsity["layers"])
    pruning = best.metrics["pruning"]
    assert pruning["before"]["split"] == "val" and "macro_f1" in pruning["after"]
    assert best.metrics["epoch"] >= 2
    assert all(value.is_contiguous() for value in best.model.values())


def test_best_is_the_best_epoch_and_survives_a_resume(straight: RunFolder) -> None:
    rows = list(csv.DictReader((straight.root / "history.csv").open()))
    recovery = [float(row["val_macro_f1"]) for row in rows if row["phase"] == "recovery"]
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
    run(faces, cache, epochs=5, resume=folder.root)
    assert folder.best.read_bytes() == before


def test_tensorboard_has_one_run_and_every_step_once(interrupted: RunFolder) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = interrupted.tensorboard
    assert [entry for entry in folder.rglob("*") if entry.is_dir()] == []
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()
    for tag in ("loss/train", "accuracy/val", "val_f1/contempt", "training/sparsity"):
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4], tag
    assert {"train/augmented", "val/confusion"} <= set(tags["images"])
    assert "final/macro_f1" in tags["scalars"]


def test_other_images_are_refused(straight: RunFolder, cache: Path, tmp_path: Path) -> None:
    write_faces(tmp_path / "other", train=4)
    with pytest.raises(ResumeMismatch, match="not those the run started with"):
        run(tmp_path / "other", cache, epochs=5, resume=straight.root)


def test_only_free_options_may_change_on_resume() -> None:
    saved = TrainConfig(data="D", arch="resnet101")
    assert changed_options(saved, {"epochs": 40, "arch": "resnet101"}) == {"epochs": (30, 40)}
    with pytest.raises(ResumeMismatch, match=r"--arch was resnet101 and is now resnet152"):
        changed_options(saved, {"arch": "resnet152"})
    with pytest.raises(ResumeMismatch, match="--seed"):
        changed_options(saved, {"seed": 9})
    with pytest.raises(ResumeMismatch, match="another version"):
        config_from_dict({**saved.to_dict(), "colour_of_the_sky": 1})


def test_a_changed_plateau_is_honoured_on_resume() -> None:
    """torch's load_state_dict would silently bring back the old factor and patience."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    old = build_plateau(optimizer, factor=0.1, patience=5)
    for value in (0.5, 0.4, 0.3):
        old.step(value)
    new = build_plateau(optimizer, factor=0.5, patience=2)
    restore_plateau(new, plateau_state(old))
    assert (new.factor, new.patience) == (0.5, 2)
    assert (new.best, new.num_bad_epochs) == (0.5, 2)
    new.step(0.2)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_resume_from_the_command_line(
    straight: RunFolder, fertrain: Fertrain, tmp_path: Path
) -> None:
    refused: Ran = fertrain("train", "--resume", straight.root, "--batch-size", 16)
    assert refused.code == 16
    assert "--batch-size was 8 and is now 16" in refused.err
    assert fertrain("train", "--resume", tmp_path).code == 4
    assert fertrain("train", "--resume", straight.best).code == 4
    done = fertrain("train", "--resume", straight.root)
    assert done.code == 0
