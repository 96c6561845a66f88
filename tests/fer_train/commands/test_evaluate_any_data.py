"""``fertrain eval`` on data that training would refuse: one split, no splits, missing classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_train.config.options import TrainConfig
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.data.dataset import find_faces
from fer_train.run.inherit import split_options
from tests.fer_train.data.trees import save
from tests.fer_train.faces import Fertrain, Ran

LABELS = ("happiness", "sadness", "neutral")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A best.pt of three classes that was trained on 70 % of an unsplit folder ``faces``."""
    torch.manual_seed(0)
    network = build_model("mobilenet_v3_small", num_classes=len(LABELS))
    path = tmp_path_factory.mktemp("model") / "best.pt"
    checkpoint = Checkpoint(
        arch="mobilenet_v3_small",
        labels=LABELS,
        preprocess=PreprocessSpec(input_size=32),
        model=network.state_dict(),
        config=TrainConfig(data="faces", arch="mobilenet_v3_small", val_fraction=0.3).to_dict(),
        data={"root": "faces", "made_splits": {"sha256": "0" * 64}},
    )
    write_checkpoint(path, checkpoint)
    return path


@pytest.fixture
def evaluate(model: Path, fertrain: Fertrain) -> Callable[..., Ran]:
    def run(data: Path, *options: object) -> Ran:
        return fertrain("eval", model, "--data", data, "--device", "cpu", *options)

    return run


def write(root: Path, *folders: str, images: int = 3) -> Path:
    """Write ``root/<folder>/<n>.png``."""
    for index, folder in enumerate(folders):
        for number in range(images):
            save(root / folder / f"{number}.png", 100 * index + number)
    return root


def measured(ran: Ran) -> tuple[str, int]:
    assert ran.code == 0, ran.err
    result: dict[str, Any] = json.loads(ran.out)
    return result["split"], result["metrics"]["images"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_folder_with_only_one_split(
    evaluate: Callable[..., Ran], tmp_path: Path, split: str
) -> None:
    data = write(tmp_path / "new", f"{split}/happy", f"{split}/sad")
    assert measured(evaluate(data, "--split", split, "--json")) == (split, 6)
    assert measured(evaluate(data, "--json")) == (split, 6)
    table = evaluate(data)
    assert f"on 6 {split} images of {data}" in table.out
    other = "val" if split == "test" else "test"
    refused = evaluate(data, "--split", other)
    assert refused.code == 4 and f"no {other} split" in refused.err
    assert f"It has {split}." in refused.err


def test_the_split_that_says_most_is_chosen(evaluate: Callable[..., Ran], tmp_path: Path) -> None:
    data = write(tmp_path / "new", "train/happy", "train/sad", "val/happy", images=2)
    assert measured(evaluate(data, "--json")) == ("val", 2)
    write(data, "test/sad", images=1)
    assert measured(evaluate(data, "--json")) == ("test", 1)


def test_data_without_splits_are_measured_as_a_whole(
    evaluate: Callable[..., Ran], tmp_path: Path
) -> None:
    data = write(tmp_path / "new", "happy", "sad")
    assert measured(evaluate(data, "--split", "train", "--json")) == ("train", 6)
    ran = evaluate(data, "--json")
    assert measured(ran) == ("train", 6) and json.loads(ran.out)["unsplit"] is True
    assert f"on all 6 images of {data}, which has no splits" in evaluate(data).out
    refused = evaluate(data, "--split", "test")
    assert refused.code == 4 and "it has no splits" in refused.err
    assert "Without --split all its images are measured" in refused.err
    # Unless splits are made.
    assert measured(evaluate(data, "--val-fraction", 0.34, "--json")) == ("val", 2)


def test_numbers_without_a_train_folder_are_not_guessed(
    evaluate: Callable[..., Ran], tmp_path: Path
) -> None:
    data = write(tmp_path / "new", "test/3", "test/4")
    refused = evaluate(data)
    assert refused.code == 20 and "--label-order" in refused.err
    ran = evaluate(data, "--label-order", "affectnet-folders", "--json")
    assert measured(ran) == ("test", 6)
    assert json.loads(ran.out)["metrics"]["per_class"]["sadness"]["support"] == 3


def test_classes_may_be_missing_but_not_unknown(
    evaluate: Callable[..., Ran], tmp_path: Path
) -> None:
    """One class alone, an empty folder, and a class of another split are all in nobody's way."""
    data = write(tmp_path / "new", "test/happy")
    (data / "test" / "sad").mkdir()
    (data / "test" / "fear").mkdir()
    write(data, "train/anger")
    ran = evaluate(data, "--json")
    assert measured(ran) == ("test", 3)
    figures = json.loads(ran.out)["metrics"]
    assert figures["per_class"]["happiness"]["support"] == 3
    assert figures["balanced_accuracy"] == figures["per_class"]["happiness"]["recall"]
    refused = evaluate(data, "--split", "train")
    assert refused.code == 14 and "anger" in refused.err
    empty = tmp_path / "empty"
    (empty / "test" / "happy").mkdir(parents=True)
    refused = evaluate(empty)
    assert refused.code == 20 and "no images at all" in refused.err and ".png" in refused.err


def test_a_new_test_set_in_a_folder_of_the_same_name_inherits_no_split(
    evaluate: Callable[..., Ran], model: Path, tmp_path: Path
) -> None:
    data = write(tmp_path / "faces", "test/happy", "test/sad")
    ran = evaluate(data, "--json")
    assert measured(ran) == ("test", 6)
    assert "warning" not in ran.err  # nothing is held out, so nobody is held out wrongly
    assert split_options(read_checkpoint(model), {"data": str(data)}) == {}
    # With training images it is the data of the training, and what that held out is measured.
    shutil.move(data / "test", data / "train")
    assert measured(evaluate(data, "--json")) == ("val", 2)


def test_a_model_with_one_answer_is_named(model: Path, fertrain: Fertrain, tmp_path: Path) -> None:
    data = write(tmp_path / "new", "test/happy", "test/sad")
    checkpoint = read_checkpoint(model)
    bias = torch.tensor([1000.0, 0.0, 0.0])
    weights = {**checkpoint.model, "classifier.3.bias": bias}
    write_checkpoint(tmp_path / "one.pt", replace(checkpoint, model=weights, temperature=20.0))
    ran = fertrain("eval", tmp_path / "one.pt", "--data", data, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "It answers happiness to 100 % of the images, which 50.0 % show." in ran.out
    assert "at temperature 20: the largest allowed" in ran.out


def test_no_images_to_hold_out(evaluate: Callable[..., Ran], tmp_path: Path) -> None:
    data = write(tmp_path / "new", "test/happy", "test/sad")
    refused = evaluate(data, "--val-fraction", 0.5)
    assert (
        refused.code == 20 and "no train split to hold images out of; it has: test" in refused.err
    )
    assert "Leave out --val-fraction" in refused.err


def test_training_is_as_strict_as_it_was(fertrain: Fertrain, tmp_path: Path) -> None:
    for name, folders, missing in (
        ("a", ("test/happy", "test/sad"), "no train split"),
        ("b", ("val/happy", "val/sad"), "no train split"),
        ("c", ("train/happy", "train/sad"), "no val split"),
        ("d", ("happy", "sad"), "no val split"),
        ("e", ("train/happy", "train/sad", "val/happy"), "The val split of"),
    ):
        data = write(tmp_path / name, *folders)
        ran = fertrain("train", "--data", data, "--arch", "mobilenet_v3_small", "--weights", "none")
        assert ran.code in (20, 21) and missing in ran.err, ran.err
    assert find_faces(write(data, "val/sad")).unsplit is False
