"""File names and terminals that are not UTF-8 end no command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_train.contract.errors import CannotWrite
from fer_train.contract.files import refuse_foreign_output, sha256_tree, write_json
from tests.fer_train.data.trees import save

#: "grün" in Latin-1, as Python holds it.
ODD = "gr\udcfcn"

TERMINALS = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture(scope="module")
def odd_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes; a name in Latin-1, one in Chinese, and a torn picture."""
    root = tmp_path_factory.mktemp("odd") / ODD
    try:
        for number, name in enumerate(("happy", "sad")):
            save(root / name / "a.png", number)
            (root / name / "a.png").rename(root / name / f"{ODD}.png")
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    save(root / "happy" / "脸.png", 3)
    (root / "happy" / f"torn {ODD}.png").write_bytes(b"torn")
    return root


@pytest.mark.parametrize("terminal", list(TERMINALS))
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_data_check_on_every_terminal(
    odd_faces: Path, tmp_path: Path, terminal: str, options: tuple[str, ...]
) -> None:
    kept = ("--out", tmp_path / "out", "--cache", tmp_path / "cache")
    ended = subprocess.run(
        [sys.executable, "-m", "fer_train", "data", "check", odd_faces, *kept, *options],
        capture_output=True,
        env={**os.environ, **TERMINALS[terminal]},
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert b"unexpected" not in ended.stderr
    if options:
        document = json.loads(ended.stdout)
        assert document == json.loads((tmp_path / "out/findings.json").read_text("utf-8"))
        (excluded,) = document["exclude"]
        if terminal != "C":  # where the bytes of every name beyond ASCII are surrogates
            assert excluded["name"] == f"happy/torn {ODD}.png"  # what --exclude must find again
    else:
        assert rb"gr\udcfcn.png" in ended.stdout
    assert r"gr\udcfcn.png" in (tmp_path / "out/report.html").read_text("utf-8")


def test_json_gives_back_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {ODD: "脸"})
    text = (tmp_path / "a.json").read_text("utf-8")
    assert "脸" in text and json.loads(text) == {ODD: "脸"}


def test_a_tree_with_such_a_name_has_a_hash(tmp_path: Path) -> None:
    before = sha256_tree(tmp_path)
    try:
        (tmp_path / ODD).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    assert sha256_tree(tmp_path) != before


def test_an_output_must_have_a_name_that_libraries_take(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="not UTF-8") as caught:
        refuse_foreign_output(tmp_path / ODD, marker="m")
    assert str(caught.value).isprintable() or "\\udcfc" in str(caught.value)
