"""Networks of unusual forms keep their answers in every format, not only in the fastest one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.inputs.case import run
from tests.inputs.networks import CASES

UNUSUAL = ("one-grey-channel", "bgr", "softmax-by-hand", "batch-baked-in", "channels-last")


@pytest.mark.parametrize("name", UNUSUAL)
def test_every_artefact_passes(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    arguments = [str(argument) for argument in case.command(tmp_path)]
    only = arguments.index("--only")
    code, printed = run([*arguments[:only], *arguments[only + 2 :], "--no-package", "--json"])
    assert code == 0, printed
    report = json.loads((tmp_path / "build/report.json").read_text())
    assert report["verdict"] == "PASS"
    assert len(report["artefacts"]) >= 5
