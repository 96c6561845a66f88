"""``fertrain prune`` and ``fertrain eval`` on an existing checkpoint."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_train.contract.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fer_train.learning.pruning import prunable
from tests.fer_train.faces import SMALLEST, Fertrain, Ran, run_once, write_faces
from tests.fer_train.untrained import write_model


@pytest.fixture(scope="module")
def trained(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense best.pt whose recipe is not the default one."""
    out = tmp_path_factory.mktemp("runs") / "dense"
    ran = run_once(
        *(cache, "train", "--data", faces, *SMALLEST, "--batch-size", 8, "--epochs", 1),
        *("--prune", 0, "--label-smoothing", 0.1, "--flip", 0.25, "--device", "cpu", "--out", out),
    )
    assert ran.code == 0, ran.err
    return out / "checkpoints" / "best.pt"


def zeros(checkpoint: Checkpoint) -> dict[str, float]:
    from fer_train.contract.architectures import build_model

    names = prunable(build_model(checkpoint.arch, num_classes=8, device="meta"))
    return {name: float((checkpoint.model[name] == 0).float().mean()) for name in names}


def test_prune_recovers_and_keeps_the_zeros(
    trained: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    root = tmp_path / "faces"
    shutil.copytree(faces, root)
    shutil.copytree(root / "val", root / "test")
    out = tmp_path / "pruned"
    ran = fertrain(
        *("prune", trained, "--data", root, "--prune", 0.5, "--prune-scope", "global"),
        *("--prune-steps", 2, "--recovery-epochs", 1, "--device", "cpu", "--out", out, "--json"),
    )
    assert ran.code == 0, ran.err
    summary = json.loads(ran.out)
    before = read_checkpoint(trained)
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert list(best.model) == list(before.model) and best.labels == before.labels
    assert summary["epochs"] == 2 and best.sparsity["global"] == pytest.approx(0.5, abs=1e-5)
    shares = zeros(best)
    assert shares == pytest.approx(best.sparsity["layers"])
    assert max(shares.values()) - min(shares.values()) > 0.1  # global: layers differ
    # Before and after, on val and test.
    pruning = summary["pruning"]
    assert pruning["before"]["macro_f1"] == before.metrics["macro_f1"]
    assert [step["sparsity"] for step in pruning["steps"]] == pytest.approx([0.4375, 0.5])
    assert pruning["before_test"]["images"] == summary["test"]["images"] == 16
    rows = list(csv.DictReader((out / "sparsity.csv").open()))
    assert {row["layer"]: float(row["share"]) for row in rows} == pytest.approx(shares, abs=1e-6)
    # The recipe that made the checkpoint, where nothing else was said.
    assert best.config["label_smoothing"] == 0.1 and best.config["flip"] == 0.25
    assert best.config["batch_size"] == 8 and best.config["finetune"] == "all"


def test_zero_recovery_epochs_only_prune(
    trained: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    out = tmp_path / "pruned"
    ran = fertrain(
        *("prune", trained, "--data", faces, "--prune", 0.25, "--recovery-epochs", 0),
        *("--device", "cpu", "--out", out),
    )
    assert ran.code == 0, ran.err
    assert "best      right after pruning: val accuracy" in ran.err
    before, best = read_checkpoint(trained), read_checkpoint(out / "checkpoints" / "best.pt")
    for name, value in best.model.items():
        kept = value != 0 if name in best.sparsity["layers"] else ...
        assert torch.equal(value[kept], before.model[name][kept]), name
    assert set(zeros(best)) == set(best.sparsity["layers"])
    assert best.sparsity["global"] == pytest.approx(0.25, abs=0.001)
    refused = fertrain("prune", trained, "--data", faces, "--prune", 0)
    assert refused.code == 2 and "--prune is 0" in refused.err


def test_the_terminal_and_the_report_say_alike_which_weights_were_saved(
    small_run: Callable[..., Ran], tmp_path: Path
) -> None:
    """No epoch after the pruning was better: best.pt is the pruned network before them."""
    out = tmp_path / "run"
    # A rate that changes no weight.
    still = ("--finetune", "head", "--lr", 1e-12, "--epochs", 2)
    ran = small_run(out, *still, "--prune", 0.2, "--recovery-epochs", 1)
    assert ran.code == 0, ran.err
    assert "best      right after pruning, epoch 1: val accuracy" in ran.err
    assert "right after pruning, epoch 1" in (out / "report.html").read_text()


def test_eval_measures_what_training_measured(
    trained: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.npz"
    # In the same batches: an image's last bits depend on its neighbours.
    same = ("--batch-size", 8, "--device", "cpu", "--json", "--out", answers)
    ran = fertrain("eval", trained, "--data", faces, *same)
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    expected = read_checkpoint(trained).metrics
    assert result["split"] == "val" and result["metrics"]["confusion"] == expected["confusion"]
    assert result["metrics"]["cross_entropy"] == pytest.approx(expected["cross_entropy"], rel=1e-5)
    saved = np.load(answers)
    assert (saved["logits"].argmax(axis=1) == saved["targets"]).mean() == pytest.approx(
        expected["accuracy"]
    )
    table = fertrain("eval", trained, "--data", faces, "--split", "train", "--quiet")
    assert table.code == 0 and table.err == ""
    assert "24 train images" in table.out and "contempt" in table.out
    # Every share with its 95 % interval: of 24 images, and of the 3 of a class.
    assert re.search(r"accuracy 0\.\d{4} \(0\.\d\d to 0\.\d\d\)", table.out)
    shares = re.findall(r"[01]\.\d{4} \([01]\.\d\d to [01]\.\d\d\)", table.out)
    assert len(shares) == 1 + 2 * 8


def test_eval_in_a_process_of_its_own(trained: Path, faces: Path, cache: Path) -> None:
    """Here nothing has been imported, and no environment prepared, by an earlier command."""
    command = ("eval", trained, "--data", faces, "--device", "cpu", "--batch-size", 8, "--json")
    ran = subprocess.run(
        [sys.executable, "-m", "fer_train.cli", *map(str, command)],
        capture_output=True,
        text=True,
        env=os.environ | {"FERTRAIN_CACHE": str(cache)},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    expected = read_checkpoint(trained).metrics
    assert result["split"] == "val" and result["metrics"]["confusion"] == expected["confusion"]
    assert "Traceback" not in ran.stderr and "\x1b" not in ran.stderr


def test_eval_goes_by_names_and_refuses_unknown_ones(
    trained: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    missing = fertrain("eval", trained, "--data", faces, "--split", "test")
    assert missing.code == 4 and "It has train, val" in missing.err
    # The same images in alphabetically named folders: the same targets and answers.
    named = tmp_path / "named"
    labels = read_checkpoint(trained).labels
    for split in ("train", "val"):
        for index, label in enumerate(labels):
            shutil.copytree(faces / split / str(index), named / split / label)
    answers = []
    for number, root in enumerate((faces, named)):
        file = tmp_path / f"{number}.npz"
        assert fertrain("eval", trained, "--data", root, "--out", file).code == 0
        saved = np.load(file)
        order = np.lexsort((saved["paths"], saved["targets"]))
        answers.append((saved["targets"][order], saved["logits"][order]))
    assert (answers[0][0] == answers[1][0]).all()
    np.testing.assert_allclose(answers[0][1], answers[1][1], atol=1e-5)
    # A checkpoint of fewer classes does not know them all.
    checkpoint = read_checkpoint(trained)
    fewer = Checkpoint(
        arch=checkpoint.arch,
        labels=labels[:7],
        preprocess=checkpoint.preprocess,
        model={
            key: value[:7] if key.startswith("fc.") else value
            for key, value in checkpoint.model.items()
        },
    )
    write_checkpoint(tmp_path / "fewer.pt", fewer)
    refused = fertrain("eval", tmp_path / "fewer.pt", "--data", faces)
    assert refused.code == 14 and "contempt" in refused.err
    assert "Checkpoint: anger" in refused.err and "Data:       anger" in refused.err


def test_eval_of_nothing(fertrain: Fertrain, faces: Path, tmp_path: Path) -> None:
    assert fertrain("eval", tmp_path / "no.pt", "--data", faces).code == 4
    write_faces(tmp_path / "f")
    assert fertrain("eval", "--data", tmp_path / "f").code == 2


@pytest.mark.parametrize("option", ["--batch-size=0", "--batch-size=-1", "--workers=-3"])
def test_eval_and_train_refuse_numbers_out_of_range(
    fertrain: Fertrain, faces: Path, tmp_path: Path, option: str
) -> None:
    best = write_model(tmp_path / "best.pt")
    name, _, value = option.partition("=")
    for command in (("eval", best), ("train", "--arch", "resnet101")):
        ran = fertrain(*command, "--data", faces, option)
        assert ran.code == 2 and f"{name} is {value}; allowed: " in ran.err


def test_other_files_get_a_hint_that_the_command_can_follow(
    fertrain: Fertrain, faces: Path, tmp_path: Path
) -> None:
    pickled, bare = tmp_path / "pickled.pt", tmp_path / "bare.pt"
    torch.save(torch.nn.Linear(1, 1), pickled)
    torch.save(torch.nn.Linear(1, 1).state_dict(), bare)
    for command in ("eval", "prune"):
        ran = fertrain(command, pickled, "--data", faces)
        assert ran.code == 11 and "then start a training from them: fertrain train" in ran.err
        assert "--labels" not in ran.err
        ran = fertrain(command, bare, "--data", faces)
        assert ran.code == 15 and "Give the best.pt or last.pt of a run." in ran.err
        assert "is for fertrain train --weights, or for ferconv with --arch" in ran.err
