"""``fertrain synth`` stopped from outside leaves nothing behind."""

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
