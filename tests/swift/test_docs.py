"""The documentation that Swift Package Index would show is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.swift.apps import REPOSITORY, run


def _docc() -> Path | None:
    swift = shutil.which("swift")
    return None if swift is None else Path(swift).resolve().with_name("docc")


@pytest.mark.parametrize("module", ["EmotionKit", "EmotionKitCore", "EmotionKitUI"])
def test_docc_has_nothing_to_say_about_the_articles(module: str, tmp_path: Path) -> None:
    docc = _docc()
    if shutil.which("xcrun") is None and (docc is None or not docc.is_file()):
        pytest.skip("NOT RUN: this Swift toolchain has no docc")
    archive = tmp_path / f"{module}.doccarchive"
    run("ci/swift_docs.sh", module, archive, cwd=REPOSITORY)
    page = archive / "data" / "documentation" / f"{module.lower()}.json"
    assert page.is_file()
