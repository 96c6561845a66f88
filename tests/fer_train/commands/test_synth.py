"""``fertrain synth``: stopped from outside, over an earlier set, and with impossible numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_stopped_synth_cleans_up(stop: signal.Signals, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fer_train.cli", "synth", str(tmp_path / "faces")]
    with subprocess.Popen(
        [*command, "--per-class", "2000", "--val-per-class", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(tmp_path.iterdir()), "it never began"
        process.send_signal(stop)
        assert process.wait(timeout=60) == code
    assert list(tmp_path.iterdir()) == []


def synth(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fer_train.cli", "synth", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_replacing_an_earlier_set_is_said(tmp_path: Path) -> None:
    few = ("--per-class", "2", "--val-per-class", "1", "--workers", "1")
    first = synth(tmp_path / "faces", *few, "--test-per-class", "1", "--size", "40")
    assert first.returncode == 0 and "replacing " not in first.stderr
    again = synth(tmp_path / "faces", *few, "--size", "32", "--seed", "7")
    assert again.returncode == 0, again.stderr
    said = "earlier: 30 faces of 40 px, seed 0 (train 1 or 2 per class, val 1 per class, "
    assert "replacing " in again.stderr and said + "test 1 per class)" in again.stderr
    assert not (tmp_path / "faces" / "test").exists()
    (tmp_path / "faces" / "synthetic.json").write_text("[]")
    assert "does not describe" in synth(tmp_path / "faces", *few, "--size", "32").stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "31"),
        ("--per-class", "0"),
        ("--val-per-class", "-1"),
        ("--test-per-class", "-3"),
        ("--seed", "-1"),
    ],
)
def test_impossible_numbers_are_refused(option: str, value: str, tmp_path: Path) -> None:
    ran = synth(tmp_path / "faces", option, value)
    assert ran.returncode == 2 and option in ran.stderr and "range" in ran.stderr
    assert not (tmp_path / "faces").exists()
