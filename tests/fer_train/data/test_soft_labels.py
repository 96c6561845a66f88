"""``--soft-labels`` through the command, against the formula worked out by hand from the votes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from fer_train.contract.checkpoint import read_checkpoint
from fer_train.learning import engine
from fer_train.learning.losses import LossSums, Objective
from tests.fer_train.data.trees import FERPLUS_HEADER, pixels
from tests.fer_train.faces import Fertrain

#: Votes for neutral and happiness, of four training images with one majority and two with the
#: other; the vote for "unknown" counts for nobody.
NEUTRAL, HAPPY = "6,3,0,0,0,0,0,0,0,0", "2,7,0,0,0,0,0,0,1,0"


#: Their shares, in the order of the outputs: happiness, neutral.
SHARES = {"neutral": (3 / 9, 6 / 9), "happiness": (7 / 9, 2 / 9)}


#: Inverse counts of the majorities (happiness 2, neutral 4), with mean 1.
WEIGHTS = np.array([4 / 3, 2 / 3])


SMOOTHING = 0.1


Array = NDArray[Any]


def write_votes(root: Path) -> None:
    usages = ["Training"] * 6 + ["PublicTest"] * 2
    votes = [NEUTRAL, NEUTRAL, HAPPY] * 2 + [NEUTRAL, HAPPY]
    rows, listed = ["emotion,pixels,Usage"], [FERPLUS_HEADER]
    for number, (usage, counts) in enumerate(zip(usages, votes, strict=True)):
        rows.append(f"0,{pixels(number, 48)},{usage}")
        listed.append(f"{usage},fer{number:07d}.png,{counts}")
    root.mkdir()
    (root / "fer2013.csv").write_text("\n".join(rows) + "\n")
    (root / "fer2013new.csv").write_text("\n".join(listed) + "\n")


class Recorder:
    """Stands between the step and its objective, and keeps what passes."""

    def __init__(self, objective_sums: Any) -> None:
        self.objective_sums = objective_sums
        self.logits: list[Array] = []
        self.targets: list[Array] = []
        self.gradients: list[Array] = []

    def __call__(self, logits: Tensor, targets: Tensor, objective: Objective) -> LossSums:
        self.logits.append(logits.detach().double().numpy())
        self.targets.append(targets.numpy())
        logits.register_hook(lambda gradient: self.gradients.append(gradient.double().numpy()))
        sums: LossSums = self.objective_sums(logits, targets, objective)
        return sums


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def expected(logits: Array, shares: Array) -> tuple[float, Array]:
    """Return the mean objective of a batch and the gradient of its sum for each logit."""
    smooth = (1 - SMOOTHING) * shares + SMOOTHING / 2
    probabilities = softmax(logits)
    losses = -(WEIGHTS * smooth * np.log(probabilities)).sum(axis=1)
    gradient = (WEIGHTS * smooth).sum(axis=1, keepdims=True) * probabilities - WEIGHTS * smooth
    return float(losses.sum() / (WEIGHTS * shares).sum()), gradient


def test_votes_change_objective_and_gradient_as_the_formula_says(
    fertrain: Fertrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_votes(tmp_path / "data")
    rows, recorders, confusions = [], [], []
    for options in ((), ("--soft-labels",)):
        recorder = Recorder(engine.objective_sums)
        out = tmp_path / f"run{len(options)}"
        with monkeypatch.context() as patch:
            patch.setattr(engine, "objective_sums", recorder)
            ran = fertrain(
                *("train", "--data", tmp_path / "data", "--arch", "mobilenet_v3_small"),
                *("--weights", "none", "--input-size", 32, "--batch-size", 8, "--epochs", 1),
                *("--label-smoothing", SMOOTHING, "--class-weights", "inverse", "--prune", 0),
                *("--device", "cpu", "--out", out, *options),
            )
        assert ran.code == 0, ran.err
        checkpoint = read_checkpoint(out / "checkpoints" / "last.pt")
        assert checkpoint.labels == ("happiness", "neutral") and checkpoint.train_state
        rows.append(checkpoint.train_state["history"][0])
        confusions.append(checkpoint.metrics["confusion"])
        recorders.append(recorder)

    hard, soft = recorders
    # One step on the same augmented images by the same network: only the targets differ.
    [logits], [classes] = soft.logits, hard.targets
    np.testing.assert_array_equal(logits, hard.logits[0])
    assert sorted(classes) == [0, 0, 1, 1, 1, 1]
    shares = np.array([SHARES["neutral" if c else "happiness"] for c in classes])
    np.testing.assert_allclose(soft.targets[0], shares, rtol=1e-6)

    for recorder, row, targets in zip(recorders, rows, (np.eye(2)[classes], shares), strict=True):
        loss, gradient = expected(logits, targets)
        assert row["train_loss"] == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(recorder.gradients[0], gradient, atol=1e-6)
    assert np.abs(hard.gradients[0] - soft.gradients[0]).max() > 0.1

    # A vote is right or wrong by the majority, in training and on val, whatever was learned from.
    right = float((logits.argmax(axis=1) == classes).mean())
    assert rows[0]["train_accuracy"] == rows[1]["train_accuracy"] == pytest.approx(right)
    assert [np.sum(confusion, axis=1).tolist() for confusion in confusions] == [[1, 1], [1, 1]]
