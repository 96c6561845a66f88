"""The command: what it says, what it writes, how it fails."""

from __future__ import annotations

import errno
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_train.contract import files
from fer_train.contract.architectures import build_model
from fer_train.contract.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fer_train.contract.errors import CannotWrite, CheckpointError
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.machine.device import select_device, to_device
from fer_train.run_folder import create_run, require_creatable
from tests.fer_train.faces import ARCH, SMALLEST, Fertrain, Ran, write_faces

SmallRun = Callable[..., Ran]


def test_a_head_only_run_end_to_end(small_run: SmallRun, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ran = small_run(out, "--finetune", "head", "--epochs", 2, "--prune", 0, "--json")
    assert ran.code == 0, ran.err
    summary = json.loads(ran.out)  # nothing but JSON on stdout
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert summary["best"] == str(out / "checkpoints" / "best.pt")
    assert best.metrics["macro_f1"] == summary["metrics"]["macro_f1"]
    assert best.labels == EMOTIONS and best.arch == ARCH
    assert best.preprocess == PreprocessSpec(input_size=32)
    assert best.data["counts"]["train"]["contempt"] == 3 and best.data["synthetic"] is False
    assert best.sparsity == {} and not (out / "checkpoints" / "best-dense.pt").exists()
    data = json.loads((out / "data.json").read_text())
    assert data["id_table"]["7"] == "contempt" and len(data["sha256"]) == 64
    config = json.loads((out / "config.json").read_text())
    assert config["resolved"]["phases"] == [
        {"trains": "head", "epochs": 2, "lr": 1e-3, "backbone_lr": None}
    ]

    # Not a terminal: plain lines, one per epoch; the id table and the reason are printed.
    assert "\x1b" not in ran.err
    lines = ran.err.splitlines()
    assert len([line for line in lines if line.startswith("epoch")]) == 2
    assert "0 anger, 1 disgust" in ran.err
    assert "the head only (--finetune head)" in ran.err
    assert "warning" in ran.err  # a frozen random backbone
    assert not list(out.rglob("*.tmp"))

    again = small_run(out)
    assert again.code == 31 and "--resume" in again.err


def test_data_statistics_rgb_and_test_split(
    faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    root = tmp_path / "drawn"
    shutil.copytree(faces, root)
    shutil.copytree(root / "val", root / "test")
    (root / "synthetic.json").write_text("{}")
    out = tmp_path / "run"
    ran = fertrain(
        *("train", "--data", root, *SMALLEST),
        *("--batch-size", 8, "--epochs", 1, "--normalize", "dataset"),
        *("--color", "rgb", "--out", out, "--json", "--quiet"),
    )
    assert ran.code == 0 and ran.err == ""
    summary = json.loads(ran.out)
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert best.preprocess.color == "rgb" and best.preprocess.mean[0] != 0.485
    assert best.data["synthetic"] is True
    assert best.sparsity["global"] == pytest.approx(0.2, abs=0.001)  # even without recovery
    # The same images as val: the tested network is best.pt.
    assert summary["test"]["confusion"] == summary["metrics"]["confusion"]
    answers = np.load(out / "eval" / "test.npz")
    assert answers["logits"].shape == (16, 8) and list(answers["labels"]) == list(EMOTIONS)
    assert sorted(answers["paths"]) == sorted(
        path.relative_to(root).as_posix() for path in (root / "test").rglob("*.png")
    )
    hits = answers["logits"].argmax(axis=1) == answers["targets"]
    assert hits.mean() == pytest.approx(summary["test"]["accuracy"])


def test_divergence_names_the_batch(small_run: SmallRun, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ran = small_run(out, "--lr", 1e30, "--epochs", 3)
    assert ran.code == 3 and "lower --lr" in ran.err and "Traceback" not in ran.err
    failure = json.loads((out / "failure.json").read_text())
    assert failure["batch"] >= 1 and len(failure["files"]) == 8
    assert all((faces / name).is_file() for name in failure["files"])
    assert not (out / "checkpoints" / "best.pt").exists()


def test_bad_data_has_its_own_exit_codes(fertrain: Fertrain, tmp_path: Path) -> None:
    out = tmp_path / "run"

    def attempt(root: Path) -> Ran:
        fixed = ("--arch", "efficientnet_b0", "--weights", "none", "--epochs", 1, "--out", out)
        return fertrain("train", "--data", root, *fixed)

    assert attempt(tmp_path / "nowhere").code == 4
    write_faces(tmp_path / "no_val")
    shutil.rmtree(tmp_path / "no_val" / "val")
    assert attempt(tmp_path / "no_val").code == 20
    write_faces(tmp_path / "empty")
    shutil.rmtree(tmp_path / "empty" / "train" / "7")
    empty = attempt(tmp_path / "empty")
    # Seven folders are another layout; with the order named, the empty class is named too.
    assert empty.code == 20
    (tmp_path / "empty" / "train" / "7").mkdir()
    empty = attempt(tmp_path / "empty")
    assert empty.code == 21 and "contempt (class 7)" in empty.err
    write_faces(tmp_path / "damaged")
    (tmp_path / "damaged" / "val" / "2" / "1.png").write_bytes(b"\x89PNG\r\n")
    damaged = attempt(tmp_path / "damaged")
    assert damaged.code == 22 and "val/2/1.png" in damaged.err
    assert not out.exists()


def test_what_fails_at_once_does_not_wait_for_the_images(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    torch.save(build_model("mobilenet_v3_small", num_classes=8).state_dict(), tmp_path / "other.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "pickled.pt")
    for out, weights, code, needle in (
        ("there", "none", 31, "there exists already"),
        ("file/run", "none", 30, f"{tmp_path / 'file'} is a file"),
        ("run", tmp_path / "misspelled.pt", 4, "neither a file nor a name"),
        ("run", tmp_path / "other.pt", 12, f"not those of {ARCH}"),
        ("run", tmp_path / "pickled.pt", 11, "pickled"),
        ("run", "default", 4, "cannot be downloaded"),
    ):
        ran = small_run(tmp_path / out, "--weights", weights, "--cache", tmp_path / "cache")
        assert ran.code == code and needle in ran.err, ran.err
        # Nothing was decoded, and nothing is left of the attempt.
        assert not (tmp_path / "cache").exists() and not (tmp_path / "run").exists()
    # A mistyped --data is said before anything is downloaded for it.
    ran = small_run(tmp_path / "run", "--weights", "default", "--data", tmp_path / "nowhere")
    assert ran.code == 4 and "no data folder" in ran.err


def test_where_a_run_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b"
    require_creatable(deep, arch="resnet101")
    assert not (tmp_path / "a").exists()  # asking makes nothing
    assert create_run(deep, arch="resnet101").root.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file is a file") as caught:
        create_run(tmp_path / "file" / "run", arch="resnet101")
    assert caught.value.exit_code == 30
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CannotWrite, match=f"nothing may be created in {tmp_path.resolve()}"):
        require_creatable(tmp_path / "c" / "d", arch="resnet101")


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        ((), "--data and --arch needed"),
        (("--data", "D", "--arch", "efficientnet_b0", "--batch-size", "1"), "--batch-size is 1"),
        (("--data", "D", "--arch", "efficientnet_b0", "--prune", "1"), "--prune is 1"),
        (("--data", "D", "--arch", "efficientnet_b0", "--epochs", "0"), "--epochs is 0"),
        (("--data", "D", "--arch", "resnet101", "--prune-at", "31"), "--prune-at is 31"),
        (("--resume", "R", "--out", "O"), "leave out --out"),
    ],
)
def test_wrong_usage(fertrain: Fertrain, options: tuple[str, ...], needle: str) -> None:
    ran = fertrain("train", *options)
    assert ran.code == 2 and needle in ran.err


def test_an_unknown_architecture_gets_a_suggestion(fertrain: Fertrain) -> None:
    ran = fertrain("train", "--data", "D", "--arch", "resnet151")
    assert ran.code == 12 and "resnet152" in ran.err


def test_a_full_disk_leaves_the_previous_checkpoint(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    flush, written = files._flush_to_disk, []

    def fill_up(path: Path) -> None:
        if path.name.startswith(".last.pt"):
            written.append(path)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(files, "_flush_to_disk", fill_up)
    ran = small_run(out, "--epochs", 3, "--prune", 0)
    assert ran.code == 30 and "No space left" in ran.err
    saved = read_checkpoint(out / "checkpoints" / "last.pt").train_state
    assert saved is not None and saved["epoch"] == 1
    assert not list(out.rglob("*.tmp"))


def test_a_checkpoint_refuses_what_would_not_load_safely(tmp_path: Path) -> None:
    checkpoint = Checkpoint(
        arch="a",
        labels=EMOTIONS,
        preprocess=PreprocessSpec(),
        model={},
        config={"data": Path("faces")},
    )
    with pytest.raises(CheckpointError, match=r"config\.data"):
        write_checkpoint(tmp_path / "best.pt", checkpoint)
    assert not (tmp_path / "best.pt").exists()


def test_devices(fertrain: Fertrain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert select_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    ran = fertrain("train", "--data", "D", "--arch", "resnet101", "--device", "mps")
    assert ran.code == 5 and "Available here" in ran.err
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = fertrain(
        "train", "--data", "D", "--arch", "resnet101", "--device", "mps", "--accumulate", 2
    )
    assert ran.code == 5 and "MPS has no distributed training" in ran.err
    assert (
        to_device(torch.zeros(2, dtype=torch.float64), torch.device("cpu")).dtype == torch.float32
    )


def test_synth_draws_a_folder_that_train_accepts(fertrain: Fertrain, tmp_path: Path) -> None:
    from fer_train.data.dataset import find_faces

    drawn = fertrain(
        *("synth", tmp_path / "faces", "--per-class", 2, "--val-per-class", 1),
        *("--size", 48, "--workers", 1),
    )
    assert drawn.code == 0, drawn.err
    found = find_faces(tmp_path / "faces")
    assert found.synthetic and found.labels == EMOTIONS
    assert sum(found.counts()["val"].values()) == 8
