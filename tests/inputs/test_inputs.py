"""Every input that people bring ends as its row says, through the command they would type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs.case import Case, run
from tests.inputs.page import CASES, PAGE, page


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_input(case: Case, tmp_path: Path) -> None:
    code, printed = run(case.command(tmp_path))
    assert code == case.code, printed
    flat = " ".join(printed.split())  # an error may be broken into lines anywhere
    for text in case.says:
        assert text in flat
    for text in case.never:
        assert text not in flat


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_page_lists_every_case() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.inputs.page"
