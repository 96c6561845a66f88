"""The temperature that a run fits at its end, in best.pt and in every figure about it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_train.contract.checkpoint import read_checkpoint, write_checkpoint
from fer_train.learning.calibration import calibration_record, fit_temperature
from fer_train.learning.metrics import Answers
from fer_train.machine.signals import StopRequest
from fer_train.progress.reporter import PlainReporter
from fer_train.progress.text import EpochPlan
from fer_train.report import judgement as one_sided
from tests.fer_train.faces import Fertrain, Ran, run_once


@pytest.fixture(scope="module")
def with_test_split(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "faces"
    shutil.copytree(faces, root)
    shutil.copytree(root / "train", root / "test")
    return root


def options(data: Path, out: Path) -> tuple[object, ...]:
    return (
        # Of the small networks the one that two epochs make sure of anything.
        *("train", "--data", data, "--arch", "resnet18", "--weights", "none"),
        *("--input-size", 32, "--batch-size", 8, "--epochs", 2, "--prune", 0),
        *("--device", "cpu", "--lr", 1e-3, "--out", out, "--data-license", "CC0 1.0"),
    )


@pytest.fixture(scope="module")
def finished_once(
    with_test_split: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    ran = run_once(cache, *options(with_test_split, out))
    assert ran.code == 0, ran.err
    asked = [line for line in ran.err.splitlines() if "not recorded" in line]
    assert len(asked) == 1 and ": --purpose)" in asked[0]
    assert "calibrate val ECE " in ran.err and "calibrate test ECE " in ran.err
    return out


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A copy of the run, which a test may change."""
    return shutil.copytree(finished_once, tmp_path / "finished")


def test_terms_and_test_figures_travel_in_best_pt(finished: Path) -> None:
    best = read_checkpoint(finished / "checkpoints" / "best.pt")
    assert best.config["data_license"] == "CC0 1.0" and best.config["purpose"] is None
    assert best.metrics["split"] == "val"
    assert best.metrics["test"] == json.loads((finished / "metrics.json").read_text())["test"]
    card = (finished / "model-card.md").read_text()
    assert "- training data: CC0 1.0" in card and "**Purpose: NOT RECORDED**" in card


def answers_of(run: Path, split: str) -> Answers:
    saved = np.load(run / "eval" / f"{split}.npz")
    return Answers(logits=saved["logits"], targets=saved["targets"])


def test_a_finished_run_has_its_temperature(finished: Path) -> None:
    temperature = read_checkpoint(finished / "checkpoints" / "best.pt").temperature
    assert temperature == fit_temperature(answers_of(finished, "val"))
    assert 0.05 < temperature < 20 and temperature != 1.0
    # last.pt goes on learning: its weights are not those that were measured.
    assert read_checkpoint(finished / "checkpoints" / "last.pt").temperature == 1.0
    calibration = json.loads((finished / "metrics.json").read_text())["calibration"]
    assert calibration == {
        split: calibration_record(
            answers_of(finished, split), temperature=temperature, fitted_on="val"
        )
        for split in ("val", "test")
    }
    val = calibration["val"]
    assert val["cross_entropy_after"] < val["cross_entropy_before"]


def test_a_run_says_that_its_network_has_one_answer(
    with_test_split: Path, fertrain: Fertrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that any network seems to have one answer, the first.
    monkeypatch.setattr(one_sided, "_ALMOST_ALL", 0.0)
    monkeypatch.setattr(one_sided, "_TOO_MANY", -1.0)
    ran = fertrain(*options(with_test_split, tmp_path / "run"))
    assert ran.code == 0, ran.err
    lines = [line for line in ran.err.splitlines() if line.startswith("answers ")]
    assert [line.split(" to ")[0].split(maxsplit=1)[1] for line in lines] == [
        "on val best.pt answers anger",
        "on test best.pt answers anger",
    ]


def test_eval_judges_by_the_checkpoints_temperature(
    finished: Path, with_test_split: Path, fertrain: Fertrain
) -> None:
    best = finished / "checkpoints" / "best.pt"
    ask = ("eval", best, "--data", with_test_split, "--batch-size", 8, "--device", "cpu")
    ran = fertrain(*ask, "--json")
    assert ran.code == 0, ran.err
    seen = json.loads(ran.out)["calibration"]
    expected = json.loads((finished / "metrics.json").read_text())["calibration"]["test"]
    assert seen["temperature"] == expected["temperature"]
    for name in ("ece_before", "ece_after", "cross_entropy_after"):
        assert seen[name] == pytest.approx(expected[name], abs=1e-5)
    line = f"ECE {seen['ece_before']:.4f} -> {seen['ece_after']:.4f}, "
    assert line in fertrain(*ask).out


def test_a_run_that_ends_twice_writes_best_once(finished: Path, fertrain: Fertrain) -> None:
    best = finished / "checkpoints" / "best.pt"
    before = best.read_bytes()
    assert fertrain("train", "--resume", finished).code == 0
    assert best.read_bytes() == before


def test_a_run_killed_before_its_end_gets_the_same_temperature_on_resume(
    finished: Path, fertrain: Fertrain
) -> None:
    """Killed after the last epoch's last.pt and before best.pt was written again."""
    best = finished / "checkpoints" / "best.pt"
    whole = read_checkpoint(best)
    write_checkpoint(best, replace(whole, temperature=1.0))
    (finished / "metrics.json").unlink()
    assert fertrain("train", "--resume", finished).code == 0
    again = read_checkpoint(best)
    assert again.temperature == whole.temperature
    assert all(torch.equal(value, again.model[key]) for key, value in whole.model.items())
    assert (finished / "metrics.json").is_file()


def test_retraining_starts_at_1_and_fits_its_own(
    finished: Path, with_test_split: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    best, out = finished / "checkpoints" / "best.pt", tmp_path / "again"
    ran: Ran = fertrain(
        *("train", "--data", with_test_split, "--from", best, "--epochs", 1, "--prune", 0),
        *("--batch-size", 8, "--device", "cpu", "--lr", 1e-3, "--out", out),
    )
    assert ran.code == 0, ran.err
    temperature = read_checkpoint(best).temperature
    assert f"temperature {temperature:.4g} is left behind" in ran.err
    fitted = read_checkpoint(out / "checkpoints" / "best.pt").temperature
    assert fitted == fit_temperature(answers_of(out, "val"))
    assert fitted != temperature


def test_pruning_fits_the_pruned_network(
    finished: Path, with_test_split: Path, fertrain: Fertrain, tmp_path: Path
) -> None:
    best, out = finished / "checkpoints" / "best.pt", tmp_path / "pruned"
    ran = fertrain(
        *("prune", best, "--data", with_test_split, "--prune", 0.5, "--recovery-epochs", 0),
        *("--device", "cpu", "--out", out),
    )
    assert ran.code == 0, ran.err
    pruned = read_checkpoint(out / "checkpoints" / "best.pt")
    assert pruned.temperature == fit_temperature(answers_of(out, "val"))
    assert pruned.temperature != read_checkpoint(best).temperature


class StopsAfterFirstEpoch(PlainReporter):
    """Raises the stop flag as a signal would."""

    def __init__(self, stop: StopRequest) -> None:
        super().__init__(quiet=True)
        self.stop = stop

    @contextmanager
    def epoch(self, plan: EpochPlan) -> Iterator[Callable[[Any], None]]:
        yield lambda figures: None
        self.stop.signum = signal.SIGTERM


def test_a_stopped_run_has_none(faces: Path, cache: Path, tmp_path: Path) -> None:
    from fer_train.config.options import TrainConfig
    from fer_train.run.train import train

    stop = StopRequest()
    config = TrainConfig(
        data=str(faces),
        arch="mobilenet_v3_small",
        weights="none",
        input_size=32,
        batch_size=8,
        epochs=3,
        prune=0,
        device="cpu",
    )
    summary = train(
        config,
        out=tmp_path / "run",
        cache=cache,
        reporter=StopsAfterFirstEpoch(stop),
        stop=stop,
    )
    assert summary["stopped"] == "SIGTERM" and summary["calibration"] is None
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "best.pt").temperature == 1.0
