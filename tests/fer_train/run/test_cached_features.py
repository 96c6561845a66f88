"""Cached views of a frozen backbone change the speed, not what is learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.errors import FerError
from fer_train.data.batches import Indices
from fer_train.data.feed import FaceFeed
from fer_train.learning.metrics import Answers
from fer_train.run.cached_features import FeatureCache, FeatureFeed, require_agreement
from tests.fer_train.faces import Fertrain, Ran

SmallRun = Callable[..., Ran]


HEAD = ("--finetune", "head", "--prune", 0, "--lr", 0.01)

#: An untrained resnet18's features tell images apart; those of smaller networks are nearly zero.
TELLING = ("--arch", "resnet18", *HEAD, "--epochs", 2)


def test_each_epoch_draws_one_view_per_image(tmp_path: Path) -> None:
    views = []
    for number in range(3):
        file = tmp_path / str(number)
        np.full((5, 2), number, dtype=np.float16).tofile(file)
        views.append(FeatureCache(values=file, count=5, channels=2, dtype="float16"))
    feed = FeatureFeed(views, torch.arange(5), seed=0, device=torch.device("cpu"))
    indices = np.array([4, 0, 2, 1, 3])
    epochs = [feed.training(indices, epoch=epoch, batch=0)[0][:, 0] for epoch in range(40)]
    drawn = torch.stack(epochs)
    assert drawn.dtype == torch.float32
    for image in range(5):
        assert set(drawn[:, image].tolist()) == {0.0, 1.0, 2.0}
    assert torch.equal(feed.training(indices, epoch=7, batch=0)[0][:, 0], epochs[7])
    assert feed.training(indices, epoch=1, batch=0)[1].tolist() == indices.tolist()


def test_one_view_is_head_training_without_augmentation(
    small_run: SmallRun, tmp_path: Path
) -> None:
    slow = small_run(tmp_path / "slow", *TELLING, "--augment", 0, "--json")
    fast = small_run(
        tmp_path / "fast", *TELLING, "--views", 1, "--json", "--cache", tmp_path / "cache"
    )
    assert slow.code == fast.code == 0, fast.err
    assert "no augmentation" in fast.err and "agree with the whole network" in fast.err
    one, two = (read_checkpoint(tmp_path / n / "checkpoints" / "last.pt") for n in ("slow", "fast"))
    for key, value in one.model.items():
        # Features are kept in half precision.
        torch.testing.assert_close(two.model[key], value, rtol=1e-2, atol=2e-3, msg=key)
    assert one.train_state is not None and two.train_state is not None
    for first, second in zip(one.train_state["history"], two.train_state["history"], strict=True):
        assert second["val_loss"] == pytest.approx(first["val_loss"], rel=1e-2)


def test_views_are_computed_once_and_keyed_by_what_they_depend_on(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, epochs = tmp_path / "cache", []
    honest = FaceFeed.training

    def training(
        self: FaceFeed, indices: Indices, *, epoch: int, batch: int
    ) -> tuple[Tensor, Tensor]:
        epochs.append(epoch)
        return honest(self, indices, epoch=epoch, batch=batch)

    monkeypatch.setattr(FaceFeed, "training", training)

    def views(name: str, *options: object) -> list[int]:
        epochs.clear()
        ran = small_run(tmp_path / name, *HEAD, "--epochs", 1, "--cache", cache, *options)
        assert ran.code == 0, ran.err
        return sorted(set(epochs))

    assert views("a", "--views", 2) == [0, 1]
    assert views("b", "--views", 2) == []
    assert views("c", "--views", 3) == [2]  # the first two are there already
    assert views("d", "--views", 2, "--rotation", 3) == [0, 1]
    assert views("e", "--views", 2, "--seed", 5) == [0, 1]  # other draws, other random weights
    folders = {entry.name for entry in cache.glob("features-*")}
    assert len(folders) == 9  # 2 + 1 + 2 + 2 views, and val of two backbones
    for marker in cache.glob("features-*/features.json"):
        marker.write_text(json.dumps({"key": "another", "channels": 512}))
    assert views("f", "--views", 2) == [0, 1]  # never reused on trust


def test_pruning_a_frozen_backbone_makes_new_features(small_run: SmallRun, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ran = small_run(
        *(tmp_path / "run", "--finetune", "head", "--epochs", 2, "--prune", 0.5),
        *("--recovery-epochs", 1, "--views", 1, "--cache", cache),
    )
    assert ran.code == 0, ran.err
    assert ran.err.count("\nviews     1 plain images") == 2
    assert "agree with the whole network" in ran.err


def test_an_interrupted_run_with_views_resumes_bit_for_bit(
    small_run: SmallRun, fertrain: Fertrain, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    options = (*TELLING, "--views", 2, "--cache", cache)
    assert small_run(tmp_path / "whole", *options).code == 0
    assert small_run(tmp_path / "parts", *options, "--epochs", 1).code == 0
    resumed = fertrain("train", "--resume", tmp_path / "parts", "--epochs", 2, "--cache", cache)
    assert resumed.code == 0, resumed.err
    one, two = (
        read_checkpoint(tmp_path / n / "checkpoints" / "last.pt") for n in ("whole", "parts")
    )
    assert all(torch.equal(value, two.model[key]) for key, value in one.model.items())


def test_disagreement_with_the_network_is_an_error() -> None:
    full = Answers(logits=np.ones((4, 2), dtype=np.float32), targets=np.zeros(4, dtype=np.int64))
    near = Answers(logits=full.logits + np.float32(1e-5), targets=full.targets)
    assert require_agreement(near, full, bf16=False) < 1e-4
    far = Answers(logits=full.logits + np.float32(0.1), targets=full.targets)
    with pytest.raises(FerError, match="disagree with the whole network"):
        require_agreement(far, full, bf16=False)


def test_views_need_a_frozen_backbone_and_one_process(
    fertrain: Fertrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = ("train", "--data", "D", "--arch", "resnet101", "--views", 2)
    all_layers = fertrain(*fixed, "--finetune", "all")
    assert all_layers.code == 2 and "--views 2" in all_layers.err
    monkeypatch.setenv("WORLD_SIZE", "2")
    shared = fertrain(*fixed, "--accumulate", 2)
    assert shared.code == 2 and "cannot share cached features" in shared.err
