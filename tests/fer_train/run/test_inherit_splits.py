"""Retraining and pruning hold out the images that the checkpoint's run held out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_train.config.options import TrainConfig
from fer_train.contract.checkpoint import Checkpoint
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.run.inherit import describe_split, is_same_data, split_options
from tests.fer_train.data.trees import save
from tests.fer_train.faces import SMALLEST, Fertrain, Ran, run_once

SPLIT = ("--val-fraction", 0.3, "--split-seed", 3)


QUICK = ("--epochs", 1, "--prune", 0, "--batch-size", 8, "--device", "cpu")


LEAK = "images that the checkpoint has learned may be held out now"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """``faces``, two classes of ten images without splits, and ``first``, a run on 70 % of them."""
    root = tmp_path_factory.mktemp("origin")
    for index, name in enumerate(("happy", "sad")):
        for number in range(10):
            save(root / "faces" / name / f"{number}.png", 100 * index + number)
    ran = run_once(
        *(cache, "train", "--data", root / "faces", *SMALLEST, "--out", root / "first"),
        *(*QUICK, *SPLIT),
    )
    assert ran.code == 0, ran.err
    return root


@pytest.fixture
def faces(origin: Path, tmp_path: Path) -> Path:
    """A copy, with the run's, that a test may change."""
    shutil.copytree(origin, tmp_path, dirs_exist_ok=True)
    return tmp_path / "faces"


@pytest.fixture
def trained(faces: Path) -> Path:
    """The run's best.pt."""
    return faces.parent / "first" / "checkpoints" / "best.pt"


@pytest.fixture
def again(trained: Path, fertrain: Fertrain, tmp_path: Path) -> Callable[..., Ran]:
    """``fertrain train --from`` on some data into a run called ``second``."""

    def run(data: Path, *options: object) -> Ran:
        shutil.rmtree(tmp_path / "second", ignore_errors=True)
        return fertrain(
            *("train", "--data", data, "--from", trained, "--out", tmp_path / "second"),
            *(*QUICK, *options),
        )

    return run


def held_out(run: Path, split: str = "val") -> set[str]:
    with np.load(run / "eval" / f"{split}.npz") as answers:
        return set(answers["paths"])


def options_of(run: Path) -> dict[str, Any]:
    options: dict[str, Any] = json.loads((run / "config.json").read_text())["options"]
    return options


def test_retraining_and_pruning_hold_out_the_same_images(
    trained: Path, faces: Path, fertrain: Fertrain, again: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = again(faces)
    assert ran.code == 0, ran.err
    assert held_out(tmp_path / "second") == held_out(tmp_path / "first")
    options = options_of(tmp_path / "second")
    assert (options["val_fraction"], options["split_seed"]) == (0.3, 3)  # a resume knows them too
    assert "held out are the images its run held out" in ran.err and "warning" not in ran.err
    pruned = fertrain(
        *("prune", trained, "--data", faces, "--recovery-epochs", 0, "--device", "cpu"),
        *("--out", tmp_path / "pruned"),
    )
    assert pruned.code == 0, pruned.err
    assert held_out(tmp_path / "pruned") == held_out(tmp_path / "first")
    assert "held out are the images its run held out" in pruned.err


def test_eval_measures_the_images_that_were_held_out(
    trained: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    answers, run = tmp_path / "answers.npz", tmp_path / "first"
    command = ("eval", trained, "--data", faces, "--device", "cpu", "--json", "--out", answers)
    ran = fertrain(*command)
    assert ran.code == 0, ran.err
    assert "held out are the images its run held out" in ran.err
    with np.load(answers) as saved:
        assert set(saved["paths"]) == held_out(run)
    accuracy = json.loads((run / "metrics.json").read_text())["metrics"]["accuracy"]
    assert json.loads(ran.out)["metrics"]["accuracy"] == pytest.approx(accuracy)
    # Another split is possible, and said to be none that tells anything.
    ran = fertrain(*command, "--val-fraction", 0.4)
    assert ran.code == 0, ran.err
    assert LEAK in ran.err and "--val-fraction was 0.3, is 0.4" in ran.err
    refused = fertrain(*command, "--val-fraction", 1.5)
    assert refused.code == 2 and "--val-fraction" in refused.err


def test_a_moved_data_set_is_known_by_its_name(
    trained: Path, faces: Path, again: Callable[..., Ran], tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "faces"
    moved.parent.mkdir()
    faces.rename(moved)
    ran = again(moved)
    assert ran.code == 0, ran.err
    assert held_out(tmp_path / "second") == held_out(tmp_path / "first")


def test_another_split_is_possible_and_its_consequence_is_named(
    faces: Path, again: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = again(faces, "--split-seed", 4)
    assert ran.code == 0, ran.err
    assert held_out(tmp_path / "second") != held_out(tmp_path / "first")
    assert options_of(tmp_path / "second")["val_fraction"] == 0.3
    [warning] = [line for line in ran.err.splitlines() if line.startswith("warning")]
    assert LEAK in warning and "--split-seed was 3, is 4" in warning
    assert "leave out --split-seed" in warning and "--val-fraction" not in warning
    # A test split of images that were trained on is no test either.
    ran = again(faces, "--test-fraction", 0.2)
    assert ran.code == 0, ran.err
    assert held_out(tmp_path / "second") == held_out(tmp_path / "first")
    assert LEAK in ran.err and "--test-fraction was not given, is 0.2" in ran.err


def test_more_images_of_the_same_data(
    faces: Path, again: Callable[..., Ran], tmp_path: Path
) -> None:
    for index, name in enumerate(("happy", "sad")):
        save(faces / name / "new.png", 1000 + index)
    ran = again(faces)
    assert ran.code == 0, ran.err
    assert "the images have changed since the checkpoint was trained" in ran.err


def test_other_data_inherit_no_split(
    faces: Path, again: Callable[..., Ran], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(faces, other)
    ran = again(other)
    assert ran.code == 20 and "val" in ran.err, ran.err
    # The same data, but they bring a validation split by now.
    held = held_out(tmp_path / "first")
    for name in held:
        target = other / "val" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (other / name).rename(target)
    for name in ("happy", "sad"):
        (other / "train").mkdir(exist_ok=True)
        (other / name).rename(other / "train" / name)
    shutil.rmtree(faces)
    other.rename(faces)
    ran = again(faces)
    assert ran.code == 0, ran.err
    assert options_of(tmp_path / "second")["val_fraction"] is None
    assert "--val-fraction was 0.3, is not given" in ran.err and LEAK in ran.err
    assert "leave out" not in ran.err


def test_a_findings_file_is_inherited_while_it_exists(faces: Path, tmp_path: Path) -> None:
    findings = tmp_path / "findings.json"
    config = TrainConfig(
        data=str(faces), arch="resnet101", val_fraction=0.3, exclude=str(findings)
    ).to_dict()
    checkpoint = Checkpoint(
        arch="resnet101",
        labels=("happiness", "sadness"),
        preprocess=PreprocessSpec(),
        model={},
        config=config,
        data={"root": "faces", "made_splits": {"sha256": "0" * 64}},
    )
    given = {"data": str(faces)}
    assert split_options(checkpoint, given) == {"val_fraction": 0.3, "split_seed": 0}
    findings.write_text("{}")
    assert split_options(checkpoint, given)["exclude"] == str(findings)
    assert split_options(checkpoint, {}) == {}
    assert is_same_data(checkpoint, f"/elsewhere/{faces.name}")
    assert not is_same_data(checkpoint, str(tmp_path))
    other = TrainConfig(data=str(tmp_path), arch="resnet101", val_fraction=0.5)
    assert describe_split(other, checkpoint, {"sha256": "1" * 64}) is None
