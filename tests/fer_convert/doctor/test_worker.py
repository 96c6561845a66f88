"""Whatever a library does to its process, the doctor gets an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_convert.doctor.examine import attempt
from fer_convert.doctor.trials import Trial
from fer_convert.doctor.worker import Outcome, Worker
from tests.fer_convert.doctor import works


def test_one_process_answers_until_something_ends_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Worker() as worker:
        first = worker.run(works.own_process, tmp_path)
        assert worker.run(works.name_of_the_folder, tmp_path) == Outcome("OK", tmp_path.name)
        assert worker.run(works.print_and_pass, tmp_path) == Outcome("OK", "printed")
        assert worker.run(works.raise_error, tmp_path) == Outcome(
            "FAIL", "RuntimeError: operator torchvision::nms does not exist"
        )
        assert worker.run(works.need_a_mac, tmp_path) == Outcome("NOT RUN", "needs macOS")
        assert worker.run(works.own_process, tmp_path) == first
        assert worker.run(works.crash, tmp_path) == Outcome(
            "FAIL", "the process was ended by SIGSEGV"
        )
        assert worker.run(works.own_process, tmp_path) != first
        assert worker.run(works.leave, tmp_path) == Outcome(
            "FAIL", "the process ended itself with exit code 7"
        )
    assert capfd.readouterr() == ("", "")


def test_what_hangs_is_ended(tmp_path: Path) -> None:
    with Worker(patience_s=0.1) as worker:
        assert worker.run(works.hang, tmp_path) == Outcome("FAIL", "no answer in 0.1 s")


def test_what_needs_a_failed_trial_is_not_tried(tmp_path: Path) -> None:
    trials = [
        Trial(group="library", name="torch", work=works.name_of_the_folder),
        Trial(group="library", name="onnx", work=works.raise_error),
        Trial(
            group="format",
            name="onnx",
            work=works.crash,
            after=("library torch", "library onnx"),
        ),
        Trial(group="runtime", name="ONNX", work=works.crash, after=("format onnx",)),
    ]
    said: list[str] = []
    with Worker() as worker:
        outcomes = attempt(trials, worker, tmp_path, say=said.append)
    assert said == ["library torch", "library onnx"]
    assert outcomes["format onnx"] == Outcome("NOT RUN", "needs library onnx")
    assert outcomes["runtime ONNX"] == Outcome("NOT RUN", "needs format onnx")
