"""``fertrain prune``: the schedule its options and file describe; zeros are not lost silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_train.config.options import TrainConfig
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.labels import EMOTIONS
from fer_train.run.inherit import describe_differences, require_zeros_kept
from tests.fer_train.faces import Fertrain
from tests.fer_train.untrained import ARCH, write_model


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("dense") / "best.pt")


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of each layer is zero."""
    return write_model(tmp_path_factory.mktemp("half") / "best.pt", pruned=0.5)


@pytest.fixture(scope="module")
def globally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of all weights are zero, of some layers more."""
    path = tmp_path_factory.mktemp("globally") / "best.pt"
    return write_model(path, pruned=0.5, scope="global")


def going_on(**values: object) -> TrainConfig:
    options = {"data": "faces", "arch": ARCH, "input_size": 32, "from_checkpoint": "best.pt"}
    return TrainConfig(**{**options, "prune_at": 0, **values})  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_file_decides_the_schedule(
    dense: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "c.toml",
        "prune = 0.4\nprune-steps = 2\nrecovery-epochs = 3\nbatch-size = 8\nfinetune = 'head'",
    )
    out = tmp_path / "run"
    ran = fertrain(
        *("prune", dense, "--data", faces, "--config", file, "--recovery-epochs", 0),
        *("--device", "cpu", "--out", out, "--json"),
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["epochs"] == 1  # between two steps, and none after
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert best.sparsity["global"] == pytest.approx(0.4, abs=0.001)
    assert best.config["finetune"] == "head" and best.config["batch_size"] == 8


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("epochs = 9", "epochs would not do anything"),
        ("prune-at = 2\nepochs = 9", "prune-at and epochs would not do anything"),
        ("phases = ['all:3:1e-3']", "phases would not do anything"),
        ("prune = 0.0", "--prune is 0; allowed: above 0"),
        ("prune-steps = 0", "--prune-steps is 0"),
        ("recovery-epochs = -1", "--recovery-epochs is -1"),
    ],
)
def test_a_file_that_prune_cannot_follow_is_refused(
    dense: Path, faces: Path, fertrain: Fertrain, tmp_path: Path, text: str, needle: str
) -> None:
    file = write(tmp_path / "c.toml", text)
    ran = fertrain("prune", dense, "--data", faces, "--config", file, "--out", tmp_path / "run")
    assert ran.code == 2 and needle in " ".join(ran.err.split())
    assert not (tmp_path / "run").exists()


def test_a_target_below_the_zeros_there_are_is_refused(
    half: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for command in (("prune", half), ("train", "--from", half, "--prune-at", 0)):
        ran = fertrain(*command, "--data", faces, "--prune", 0.2, "--device", "cpu", "--out", out)
        said = " ".join(ran.err.split())
        assert ran.code == 2, said
        assert "has 50.0% zeros already; --prune 0.2" in said
        assert "Allowed: --prune-scope layer --prune 0.5 or more." in said
        assert not out.exists()


def test_only_masks_that_hold_every_zero_are_allowed(
    half: Path, globally: Path, dense: Path
) -> None:
    by_layer, overall = read_checkpoint(half), read_checkpoint(globally)
    require_zeros_kept(going_on(prune=0.5), by_layer)
    require_zeros_kept(going_on(prune=0.5, prune_scope="global"), overall)
    require_zeros_kept(going_on(prune=0.2), read_checkpoint(dense))
    # As many zeros, but not where they are.
    with pytest.raises(ValueError, match=r"in .*weight; .*: --prune-scope global --prune 0\.5 or"):
        require_zeros_kept(going_on(prune=0.5), overall)
    # A first step that holds fewer.
    with pytest.raises(ValueError, match=r"in 2 steps \(first 48\.1%\).*or fewer --prune-steps"):
        require_zeros_kept(going_on(prune=0.55, prune_steps=2, epochs=9), by_layer)
    require_zeros_kept(going_on(prune=0.6, prune_steps=2, epochs=9), by_layer)


def test_training_on_says_what_becomes_of_the_zeros(half: Path, dense: Path) -> None:
    def lines(checkpoint: Path, **values: object) -> str:
        config = going_on(**{"prune": 0.0, "prune_at": None, **values})
        return "\n".join(describe_differences(config, read_checkpoint(checkpoint), found=EMOTIONS))

    keeps = "--prune-scope layer --prune 0.5 --prune-at 0 keeps them zero"
    said = lines(half, finetune="all")
    assert "--prune was 0.5, is 0.0" in said
    assert f"50.0% of its weights are zero, and training fills them. {keeps}" in said
    assert f"training fills those of the head. {keeps}" in lines(half)
    again = lines(half, finetune="all", prune=0.5, epochs=9)
    assert f"until --prune 0.5 prunes anew after epoch 6. {keeps}" in again
    assert "zero" not in lines(half, prune=0.5, prune_at=0)
    assert "zero" not in lines(dense, finetune="all")
