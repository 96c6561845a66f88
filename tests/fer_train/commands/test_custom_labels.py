"""``--custom-labels``: classes beyond the eight emotions, from folders to best.pt and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_train.contract.checkpoint import read_checkpoint
from tests.fer_train.faces import SMALLEST, Fertrain, run_once, write_faces

QUICK = (*SMALLEST, "--epochs", 1, "--prune", 0, "--batch-size", 4, "--device", "cpu")
CUSTOM = ("--custom-labels", "pain,engaged")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "three"
    write_faces(root, classes=("engaged", "happy", "Pain"))
    return root


@pytest.fixture(scope="module")
def best(three: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "three"
    ran = run_once(cache, "train", "--data", three, *CUSTOM, *QUICK, "--out", out)
    assert ran.code == 0, ran.err
    return out / "checkpoints" / "best.pt"


def test_the_emotions_come_first_then_the_names_as_they_were_given(best: Path) -> None:
    read = read_checkpoint(best)
    assert read.labels == ("happiness", "pain", "engaged")
    assert read.custom_labels == ("pain", "engaged")


def test_a_model_is_measured_on_its_own_labels(best: Path, three: Path, fertrain: Fertrain) -> None:
    ran = fertrain("eval", best, "--data", three, "--device", "cpu", "--json", "--quiet")
    assert ran.code == 0, ran.err
    assert sum(map(sum, json.loads(ran.out)["metrics"]["confusion"])) == 6


def test_training_on_keeps_them_and_pruning_too(
    best: Path, three: Path, tmp_path: Path, fertrain: Fertrain
) -> None:
    onward = ("--from", best, "--data", three, "--epochs", 1, "--prune", 0, "--batch-size", 4)
    ran = fertrain("train", *onward, "--device", "cpu", "--out", tmp_path / "again")
    assert ran.code == 0, ran.err
    again = read_checkpoint(tmp_path / "again/checkpoints/best.pt")
    assert again.labels == read_checkpoint(best).labels
    pruning = ("--prune", 0.5, "--recovery-epochs", 0, "--device", "cpu")
    ran = fertrain("prune", best, "--data", three, *pruning, "--out", tmp_path / "pruned")
    assert ran.code == 0, ran.err
    assert read_checkpoint(tmp_path / "pruned/checkpoints/best.pt").custom_labels == (
        "pain", "engaged",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "not one of the eight emotions"),
        (("--custom-labels", "pian,engaged"), "Did you mean 'pian'?"),
        (("--custom-labels", "pain,engaged,joy"), "'joy', which is known without it (happiness)"),
        (("--custom-labels", "pain,,engaged"), "a label without a name"),
    ],
)
def test_nothing_is_taken_by_accident(
    options: tuple[str, ...], says: str, three: Path, tmp_path: Path, fertrain: Fertrain
) -> None:
    out = tmp_path / "out"
    ran = fertrain("train", "--data", three, *options, *QUICK, "--out", out)
    assert ran.code == 14 and says in ran.err
    assert not out.exists()


def test_numbers_may_mean_them_and_a_check_knows_them(tmp_path: Path, fertrain: Fertrain) -> None:
    write_faces(tmp_path / "data", classes=("0", "1"))
    order = ("--label-order", "engaged,neutral", "--custom-labels", "engaged")
    out = tmp_path / "check"
    ran = fertrain("data", "check", tmp_path / "data", *order, "--out", out, "--json")
    assert ran.code == 0, ran.err
    assert list(json.loads(ran.out)["counts"]["train"]) == ["neutral", "engaged"]
