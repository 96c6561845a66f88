"""Rates by plateau, cosine and warm-up; patience; and a run that stops early along its plan."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fer_train.config.options import TrainConfig
from fer_train.config.phase import parse_phase
from fer_train.learning.schedule import Plateau, rate_factor
from fer_train.run.network import rates_at
from fer_train.run.plan import build_plan
from tests.fer_train.faces import Ran


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_plateau_cuts_when_torchs_does(patience: int) -> None:
    random = torch.Generator().manual_seed(patience)
    scores = torch.rand(40, generator=random).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = ReduceLROnPlateau(
        optimizer, "max", factor=0.5, patience=patience, threshold=0.0, threshold_mode="abs", eps=0
    )
    ours = Plateau()
    for score in scores:
        torchs.step(score)
        ours.update(score, factor=0.5, patience=patience)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(ours.scale)
    assert ours.scale < 1


def test_a_plateau_that_forgets_keeps_its_rate() -> None:
    plateau = Plateau()
    for score in (0.9, 0.1):
        plateau.update(score, factor=0.1, patience=0)
    plateau.forget()
    plateau.update(0.2, factor=0.1, patience=0)  # better than nothing
    assert plateau.scale == pytest.approx(0.1) and plateau.seen.bad == 0


def test_warmup_and_cosine() -> None:
    def factor(done: float) -> float:
        return rate_factor("cosine", done=done, length=10, warmup=2, plateau_scale=0.1)

    assert factor(0) == pytest.approx(0, abs=1e-6) and factor(1) == pytest.approx(0.5)
    assert factor(2) == pytest.approx(1.0)
    assert factor(6) == pytest.approx(0.01 + 0.99 * (1 + math.cos(math.pi / 2)) / 2)
    assert factor(10) == pytest.approx(0.01)
    plain = rate_factor("plateau", done=5, length=10, warmup=0, plateau_scale=0.1)
    assert plain == 0.1
    assert rate_factor("constant", done=5, length=10, warmup=0, plateau_scale=0.1) == 1.0


def test_each_phase_has_its_own_rates_and_its_own_schedule() -> None:
    config = TrainConfig(
        data="D",
        arch="resnet101",
        phases=(parse_phase("head:2:1e-3"), parse_phase("all:4:1e-3:1e-5")),
        schedule="cosine",
    )
    plan = build_plan(config)
    assert rates_at(config, plan, Plateau(), position=0) == pytest.approx([1e-3])
    assert rates_at(config, plan, Plateau(), position=2) == pytest.approx([1e-3, 1e-5])
    half = rates_at(config, plan, Plateau(), position=4)
    assert half == pytest.approx([0.505e-3, 0.505e-5])


def test_early_stopping_moves_along_the_plan(small_run: Callable[..., Ran], tmp_path: Path) -> None:
    """A rate of nearly nothing never improves: each stretch ends after 1 + 2 epochs."""
    out = tmp_path / "run"
    ran = small_run(
        *(out, "--phase", "head:20:1e-12", "--phase", "all:30:1e-12", "--early-stop", 2),
        *("--prune", 0.5, "--recovery-epochs", 4, "--class-weights", "none", "--json"),
    )
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader((out / "history.csv").open()))
    stages = [(row["phase"], row["stage"]) for row in rows]
    first, second = stages.index(("2", "dense")), stages.index(("2", "recovery"))
    assert stages == [("1", "dense")] * first + [("2", "dense")] * (second - first) + [
        ("2", "recovery")
    ] * (len(stages) - second)
    assert first < 20 and second - first < 26 and len(stages) - second <= 4
    assert "epochs left out" in ran.err
    summary = json.loads(ran.out)
    assert summary["pruning"]["after_epoch"] == second
    assert float(rows[-1]["sparsity"]) == pytest.approx(0.5, abs=0.001)
