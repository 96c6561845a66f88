"""What converters print goes into the log, from Python and from native code, and nowhere else."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from pathlib import Path

import pytest

from fer_convert.export.log import LOG, ConverterLog, as_shown
from fer_convert.progress import Progress


def print_in_every_way() -> None:
    print("from Python")
    print("to stderr", file=sys.stderr)
    warnings.warn("a warning", stacklevel=1)
    ctypes.CDLL(None).printf(b"from C, unflushed\n")
    os.write(2, b"to the descriptor\n")


def test_everything_printed_is_in_the_log_and_only_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = ConverterLog()
    print("before")
    with log.step("first"):
        print_in_every_way()
    print("after")
    log.write(tmp_path)
    assert capfd.readouterr() == ("before\nafter\n", "")
    text = (tmp_path / LOG).read_text()
    assert text.startswith("== first\n") and text.endswith("done\n")
    said = ("from Python", "to stderr", "UserWarning: a warning")
    for line in (*said, "from C, unflushed", "to the descriptor"):
        assert line in log.latest.splitlines()
        assert line in text.splitlines()


def test_an_error_is_told_in_full_and_the_streams_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = ConverterLog()
    with pytest.raises(KeyError), log.step("second"):
        raise KeyError("a shape")
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"
    log.write(tmp_path)
    text = (tmp_path / LOG).read_text()
    assert "Traceback" in text and "KeyError: 'a shape'" in text


def test_progress_is_seen_meanwhile(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with open(2, "w", closefd=False) as stderr:  # as a console command has it
        monkeypatch.setattr(sys, "stderr", stderr)
        progress = Progress(quiet=False)
        with ConverterLog().step("third"):
            progress.say("a line")
    assert capfd.readouterr().err == "a line\n"


def test_a_program_without_streams_can_convert() -> None:
    log, saved = ConverterLog(), os.dup(1)
    os.close(1)
    try:
        with log.step("no stdout"):
            os.write(1, b"kept\n")
        with pytest.raises(OSError, match="descriptor"):
            os.write(1, b"closed as before\n")
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert log.latest == "kept\n"


def test_a_line_drawn_again_is_shown_once() -> None:
    bar = "Converting:   0%|  |\rConverting: 100%|##|\nnext\r\n\n"
    assert as_shown(bar) == "Converting: 100%|##|\nnext\n"
