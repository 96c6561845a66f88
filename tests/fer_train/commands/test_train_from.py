"""``--from best.pt``: the contract is kept, differences are named, new classes need a flag."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fer_train.config.recipe import build_config
from fer_train.contract.checkpoint import read_checkpoint
from tests.fer_train.faces import Fertrain, Ran, write_faces

SEVEN = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")


QUICK = ("--epochs", 1, "--prune", 0, "--batch-size", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven named classes, without contempt."""
    root = tmp_path_factory.mktemp("data") / "seven"
    write_faces(root, classes=SEVEN)
    return root


@pytest.fixture(scope="module")
def of_seven(seven: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A model of seven classes whose contract differs from every default."""
    from fer_train.config.options import TrainConfig
    from fer_train.machine.signals import StopRequest
    from fer_train.progress.reporter import PlainReporter
    from fer_train.run.train import train

    out = tmp_path_factory.mktemp("runs") / "seven"
    train(
        TrainConfig(
            data=str(seven),
            arch="mobilenet_v3_small",
            weights="none",
            input_size=40,
            color="rgb",
            normalize="dataset",
            crop_margin=0.1,
            epochs=1,
            batch_size=8,
            prune=0,
            device="cpu",
        ),
        out=out,
        cache=cache,
        reporter=PlainReporter(quiet=True),
        stop=StopRequest(),
    )
    return out / "checkpoints" / "best.pt"


def test_the_contract_is_kept_and_differences_are_named(
    of_seven: Path, seven: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    fewer = tmp_path / "fewer"
    shutil.copytree(seven, fewer)
    for split in ("train", "val"):
        shutil.rmtree(fewer / split / "fear")
    out = tmp_path / "run"
    ran = fertrain(
        *("train", "--data", fewer, "--from", of_seven, "--lr", 1e-9, "--out", out, *QUICK)
    )
    assert ran.code == 0, ran.err
    old = read_checkpoint(of_seven)
    new = read_checkpoint(out / "checkpoints" / "best.pt")
    assert (new.arch, new.labels, new.preprocess) == (old.arch, old.labels, old.preprocess)
    assert "no new images of fear" in ran.err and "--lr was not given, is 1e-09" in ran.err
    assert "the head only, because weights are given" in ran.err
    # Retrained from these weights, not from others: the backbone is the old one, the head nearly.
    for key, value in old.model.items():
        same = torch.equal(new.model[key], value)
        assert same or key.startswith("classifier.3."), key
        torch.testing.assert_close(new.model[key], value, atol=1e-6, rtol=0)
    assert new.metrics["per_class"]["fear"]["support"] == 0
    assert new.loss["class_weights"]["fear"] == 1.0


def test_options_against_the_contract_are_refused(
    of_seven: Path, seven: Path, fertrain: Fertrain
) -> None:
    ran = fertrain("train", "--data", seven, "--from", of_seven, "--input-size", 48, *QUICK)
    assert ran.code == 2 and "--input-size is 48, the checkpoint's is 40" in ran.err
    ran = fertrain("train", "--data", seven, "--from", of_seven, "--arch", "resnet101", *QUICK)
    assert ran.code == 2 and "--arch is resnet101" in ran.err and "--weights FILE" in ran.err


def test_weights_beside_from_are_refused(of_seven: Path, seven: Path, fertrain: Fertrain) -> None:
    for weights in ("none", "default", of_seven):
        ask = ("train", "--data", seven, "--from", of_seven, "--weights", weights)
        ran = fertrain(*ask, *QUICK)
        assert ran.code == 2 and f"--weights {weights} would do nothing" in ran.err


def test_the_upper_layer_says_where_training_starts(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"

    def built(text: str, **typed: str) -> tuple[str | None, str]:
        file.write_text(text)
        config = build_config({"data": "D", "arch": "resnet101", **typed}, file=file)
        return config.from_checkpoint, config.weights

    assert built("weights = 'none'", from_checkpoint="b.pt") == ("b.pt", "default")
    assert built("from = 'b.pt'", weights="none") == (None, "none")
    # What RUN/config.toml of a run --from says.
    assert built("from_checkpoint = 'b.pt'\nweights = 'default'") == ("b.pt", "default")
    with pytest.raises(ValueError, match="--weights none would do nothing"):
        built("from = 'b.pt'\nweights = 'none'")


def test_new_classes_only_on_demand(
    of_seven: Path, faces: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    ask = ("train", "--data", faces, "--from", of_seven, "--lr", 1e-9, *QUICK)
    refused = fertrain(*ask, "--out", tmp_path / "refused")
    assert refused.code == 14 and "contempt" in refused.err and "--new-classes" in refused.err
    assert not (tmp_path / "refused").exists()
    ran = fertrain(*ask, "--new-classes", "--out", tmp_path / "wider")
    assert ran.code == 0, ran.err
    assert "new classes: contempt" in ran.err
    old = read_checkpoint(of_seven)
    new = read_checkpoint(tmp_path / "wider" / "checkpoints" / "best.pt")
    assert new.labels == (*old.labels, "contempt")
    rows = new.model["classifier.3.weight"]
    assert rows.shape[0] == 8 and rows[7].abs().sum() > 0
    torch.testing.assert_close(rows[:7], old.model["classifier.3.weight"], atol=1e-6, rtol=0)


def test_a_missing_checkpoint(seven: Path, fertrain: Fertrain) -> None:
    assert fertrain("train", "--data", seven, "--from", "nowhere.pt", *QUICK).code == 4


def test_named_torchvision_weights(small_run: Callable[..., Ran], tmp_path: Path) -> None:
    ran = small_run(tmp_path / "run", "--weights", "IMAGENET1K_V9")
    assert ran.code == 4 and "IMAGENET1K_V1" in ran.err and "default, none" in ran.err
