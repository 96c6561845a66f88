"""What the data options do to a training run, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fer_train.contract.checkpoint import read_checkpoint
from tests.fer_train.data.trees import FERPLUS_HEADER, pixels, save, write_affectnet_2017
from tests.fer_train.faces import SMALLEST, Fertrain, Ran


def train(fertrain: Fertrain, data: Path, out: Path, *options: object) -> Ran:
    rest = ("--batch-size", 8, "--epochs", 1, "--prune", 0, "--device", "cpu", "--out", out)
    return fertrain("train", "--data", data, *SMALLEST, *rest, *options)


def write_votes(root: Path) -> None:
    """Write FER+ with six training and two validation images of two emotions."""
    root.mkdir(exist_ok=True)
    counts = {"neutral": "6,3,0,0,0,0,0,0,0,0", "happiness": "2,7,0,0,0,0,0,0,1,0"}
    usages = ["Training"] * 6 + ["PublicTest"] * 2
    rows, votes = ["emotion,pixels,Usage"], [FERPLUS_HEADER]
    for number, usage in enumerate(usages):
        rows.append(f"0,{pixels(number, 48)},{usage}")
        votes.append(f"{usage},fer{number:07d}.png,{list(counts.values())[number % 2]}")
    (root / "fer2013.csv").write_text("\n".join(rows) + "\n")
    (root / "fer2013new.csv").write_text("\n".join(votes) + "\n")


def test_votes_are_trained_on(fertrain: Fertrain, tmp_path: Path) -> None:
    write_votes(tmp_path)
    losses = {}
    for options in ((), ("--soft-labels",)):
        out = tmp_path / f"run{len(options)}"
        ran = train(fertrain, tmp_path, out, *options)
        assert ran.code == 0, ran.err
        assert "2 of the eight emotions" in ran.err
        losses[options] = read_checkpoint(out / "checkpoints" / "last.pt").train_state
        data = json.loads((out / "data.json").read_text())
        assert data["counts"] == {
            "train": {"happiness": 3, "neutral": 3},
            "val": {"happiness": 1, "neutral": 1},
        }
    first, second = (state["history"][0]["train_loss"] for state in losses.values() if state)
    assert np.isfinite(second) and first != second


def test_made_splits_are_recorded_and_the_same_again(fertrain: Fertrain, tmp_path: Path) -> None:
    for index, name in enumerate(("happy", "sad")):
        for number in range(10):
            save(tmp_path / "faces" / name / f"{number}.png", 100 * index + number)
    save(tmp_path / "faces" / "sad" / "copy.png", 103)  # of 3.png
    options = ("--val-fraction", 0.2, "--test-fraction", 0.1)
    records = []
    for run in ("a", "b"):
        ran = train(fertrain, tmp_path / "faces", tmp_path / run, *options, "--seed", len(records))
        assert ran.code == 0, ran.err
        assert "splits made from train: val 0.2, test 0.1" in ran.err
        records.append(json.loads((tmp_path / run / "data.json").read_text()))
    made = records[0]["made_splits"]
    assert made["fractions"] == {"val": 0.2, "test": 0.1} and len(made["sha256"]) == 64
    # The training seed decides nothing here; --split-seed does.
    assert made == records[1]["made_splits"]
    assert records[0]["counts"]["val"] == {"happiness": 2, "sadness": 2}
    ran = train(fertrain, tmp_path / "faces", tmp_path / "c", *options, "--split-seed", 1)
    assert json.loads((tmp_path / "c" / "data.json").read_text())["made_splits"] != made
    again = fertrain("train", "--resume", tmp_path / "a", "--epochs", 2)
    assert again.code == 0, again.err
    other = fertrain("train", "--resume", tmp_path / "a", "--epochs", 3, "--split-seed", 1)
    assert other.code != 0 and "--split-seed was 0 and is now 1" in other.err


def test_eval_reads_the_data_as_training_did(fertrain: Fertrain, tmp_path: Path) -> None:
    for index, name in enumerate(("happy", "sad")):
        for number in range(10):
            save(tmp_path / "faces" / name / f"{number}.png", 100 * index + number)
    options = ("--val-fraction", 0.2, "--split-seed", 3)
    ran = train(fertrain, tmp_path / "faces", tmp_path / "run", *options)
    assert ran.code == 0, ran.err
    best = tmp_path / "run" / "checkpoints" / "best.pt"
    out = tmp_path / "answers.npz"
    command = ("eval", best, "--data", tmp_path / "faces", "--device", "cpu", "--out", out)
    for given in (options, ()):  # the checkpoint remembers them
        measured = fertrain(*command, *given)
        assert measured.code == 0, measured.err
        with np.load(tmp_path / "run" / "eval" / "val.npz") as trained, np.load(out) as again:
            assert set(trained["paths"]) == set(again["paths"])
            np.testing.assert_allclose(trained["logits"], again["logits"], rtol=1e-4, atol=1e-4)


def test_votes_and_cached_views_and_an_output_without_votes(
    fertrain: Fertrain, tmp_path: Path
) -> None:
    write_votes(tmp_path / "data")
    teacher = tmp_path / "teacher"
    for number, name in enumerate(("happy", "neutral", "sad")):
        for split in ("train", "val"):
            save(tmp_path / "three" / split / name / "a.png", number)
            save(tmp_path / "three" / split / name / "b.png", 10 + number)
    ran = train(fertrain, tmp_path / "three", teacher)
    assert ran.code == 0, ran.err
    losses = []
    for options in ((), ("--soft-labels",)):
        out = tmp_path / f"run{len(options)}"
        ran = fertrain(
            *("train", "--data", tmp_path / "data", "--from", teacher / "checkpoints" / "best.pt"),
            *("--finetune", "head", "--views", 1, "--batch-size", 8, "--epochs", 1, "--prune", 0),
            *("--device", "cpu", "--out", out, *options),
        )
        assert ran.code == 0, ran.err
        checkpoint = read_checkpoint(out / "checkpoints" / "last.pt")
        assert len(checkpoint.labels) == 3 and checkpoint.train_state
        losses.append(checkpoint.train_state["history"][0]["train_loss"])
    assert np.isfinite(losses[1]) and losses[0] != losses[1]


def test_face_boxes_reach_the_pixels(fertrain: Fertrain, tmp_path: Path) -> None:
    write_affectnet_2017(tmp_path / "AffectNet")
    ran = train(fertrain, tmp_path / "AffectNet", tmp_path / "run")
    # neutral and contempt train, anger validates: all of it is said before anything is decoded.
    assert ran.code == 21 and "no images for: anger (class 6)" in ran.err


def test_wrong_data_options(fertrain: Fertrain, tmp_path: Path) -> None:
    save(tmp_path / "happy" / "a.png")
    for options, code, needle in (
        (("--val-fraction", 1.5), 2, "between 0 and 1"),
        (("--val-fraction", 0.6, "--test-fraction", 0.6), 2, "below 1"),
        (("--label-order", "mine"), 14, "no label order called 'mine'"),
        (("--layout", "zip"), 2, "affectnet-csv"),
        (("--exclude", tmp_path / "none.json"), 4, "fertrain data check"),
    ):
        ran = train(fertrain, tmp_path, tmp_path / "run", *options)
        assert ran.code == code and needle in ran.err, ran.err
        save(tmp_path / "sad" / "a.png")
