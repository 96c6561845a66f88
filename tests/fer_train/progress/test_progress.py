"""What a person sees: figures that fit, time that is left, and a log that is never silent."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fer_train.progress.live import LiveReporter
from fer_train.progress.pace import Pace, RunPace
from fer_train.progress.reporter import PlainReporter, choose_reporter
from fer_train.progress.text import EpochPlan, Figure, StepFigures, duration, fitting

STEP = StepFigures(images=64, batches=2, loss=1.2345, accuracy=0.5, lr=1e-3, grad_norm=2.5)


PLAN = EpochPlan(number=2, epochs=30, epochs_left=28, images=6400, batches=200)


CONTROL = re.compile(r"\x1b\[\??[\d;]*[A-Za-z]")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def row(epoch: int, **changes: Any) -> Mapping[str, Any]:
    figures = {
        "epoch": epoch,
        "train_loss": 1.5,
        "train_accuracy": 0.4,
        "val_loss": 1.25,
        "val_accuracy": 0.51,
        "val_balanced_accuracy": 0.52,
        "val_macro_f1": 0.53,
        "lr": 1e-3,
        "grad_norm": 2.5,
        "images_per_second": 812.3,
        "seconds": 75.0,
    }
    return figures | changes


def test_figures_are_dropped_by_rank_and_keep_their_order() -> None:
    line = [Figure("a" * 4, 2), Figure("b" * 4, 9), Figure("c" * 4, 1)]
    assert fitting(line, 16, gap=2) == line
    assert [f.text[0] for f in fitting(line, 15, gap=2)] == ["a", "c"]
    assert [f.text[0] for f in fitting(line, 9, gap=2)] == ["c"]
    assert fitting(line, 1, gap=2) == [line[2]]  # something is always said


def test_pace_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    pace = Pace(1000, done=400, clock=clock)
    assert pace.rate is None and pace.left_s is None
    for _ in range(10):
        clock.now += 1
        pace.add(10)
    # What was done before the resume took none of this time.
    assert pace.rate == pytest.approx(10) and pace.left_s == pytest.approx(50)
    for _ in range(40):
        clock.now += 1
        pace.add(5)
    assert pace.rate == pytest.approx(5) and pace.left_s == pytest.approx(60)


def test_time_left_of_the_run_counts_what_is_between_epochs() -> None:
    clock = Clock()
    run = RunPace(clock=clock)
    first = run.begin(100, done=0)
    assert run.left_s(first, epochs_left=2) is None
    clock.now += 5
    first.add(50)
    assert run.left_s(first, epochs_left=2) == pytest.approx(5 + 2 * 10)
    clock.now += 5
    first.add(50)
    run.end()
    clock.now += 3  # validation
    second = run.begin(100, done=0)
    clock.now += 10
    second.add(50)  # half as fast
    assert run.left_s(second, epochs_left=1) == pytest.approx((10 + 3) + (20 + 3))


def test_durations() -> None:
    assert [duration(s) for s in (None, 7.4, 750, 3753)] == ["-:--", "0:07", "12:30", "1:02:33"]


def test_plain_output_speaks_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = PlainReporter(clock=clock)
    with reporter.epoch(PLAN) as show:
        for _ in range(100):
            clock.now += 0.64
            show(STEP)
    reporter.finished(row(2), epochs=30, improved=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3  # after 30 and 60 of 64 seconds, and at the end
    assert "epoch 2/30" in lines[0] and "batch  94/200" in lines[0] and "100 img/s" in lines[0]
    assert "left 0:34" in lines[0] and "run 30:26" in lines[0] and "loss 1.23" in lines[0]
    assert "lr 1.0e-03" in lines[0] and "|g|  2.50" in lines[0] and "image 3008/6400" in lines[0]
    assert lines[2].startswith("epoch     2/30") and lines[2].endswith("best")
    with reporter.counting("decoding train", 100) as count_up:
        clock.now += 31
        count_up(50)
        count_up(50)
    [line] = capsys.readouterr().err.splitlines()
    assert line.split() == ["decoding", "train", "50/100", "2/s", "left", "0:31"]
    with PlainReporter(quiet=True, clock=clock).epoch(PLAN) as show:
        clock.now += 100
        show(STEP)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", [30, 60, 80, 100, 120, 160])
def test_the_live_line_and_the_table_fit(width: int) -> None:
    written = io.StringIO()
    # No colours: what is written is what is seen. Frames are separated by control codes.
    console = Console(file=written, force_terminal=True, width=width, color_system=None)
    reporter = LiveReporter(console)
    with reporter.epoch(PLAN) as show:
        show(STEP)
        show(STEP)
    for epoch in (2, 3):
        reporter.finished(row(epoch), epochs=30, improved=epoch == 3)
    lines = re.split(r"[\r\n]+", CONTROL.sub("", written.getvalue()))
    assert max(map(len, lines)) < width
    live = [line for line in lines if "batch" in line]
    assert live and all("4/200" in line and line.startswith("epoch 2/30") for line in live)
    figures = {"loss 1.234": 50, "acc 0.500": 60, "left": 70, "run": 80, "img/s": 100}
    figures |= {"lr 1.0e-03": 120, "|g|": 120, "image": 160}
    for text, least in figures.items():
        assert text in live[-1] or width < least, text
    header, second, third = [line for line in lines if "batch" not in line and line.strip()][-3:]
    assert (header.split()[:2] == ["epoch", "loss"] and "F1" in header) or width < 60
    assert second.split()[0] == "2/30" and third.split()[0] == "3/30"
    assert third.split()[-1] == "best" and "best" not in second
    # Each figure under the end of its title.
    if width >= 80:
        assert header.index("F1") + 2 == third.index("0.5300") + 6
        assert header.index("img/s") + 5 == third.index("812") + 3


def test_live_only_on_a_terminal_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(choose_reporter(quiet=False), LiveReporter)
    assert isinstance(choose_reporter(quiet=True), PlainReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(choose_reporter(quiet=False), PlainReporter)


def test_a_run_in_a_real_terminal(faces: Path, cache: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    command = (
        *("fer_train.cli", "train", "--data", faces, "--arch", "mobilenet_v3_small"),
        *("--weights", "none", "--input-size", 32, "--batch-size", 4, "--epochs", 2),
        *("--prune", 0, "--device", "cpu", "--out", tmp_path / "run"),
    )
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        stderr=slave,
        env=environment | {"TERM": "xterm-256color", "FERTRAIN_CACHE": str(cache)},
    ) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # on Linux, when the other side is closed
                break
            if not chunk:
                break
            written += chunk
    os.close(master)
    assert process.returncode == 0, written.decode()
    lines = re.split(r"[\r\n]+", CONTROL.sub("", written.decode()))
    ours = [line for line in lines if re.match(r"epoch|measuring| +\d/2 ", line)]
    assert ours and max(map(len, ours)) < 80
    assert any("batch" in line and "━" in line for line in ours)
    assert len([line for line in ours if "val loss" in line]) == 1
    assert len([line for line in ours if re.match(r" +\d/2 ", line)]) == 2
    assert any(line.endswith("best") for line in ours)
