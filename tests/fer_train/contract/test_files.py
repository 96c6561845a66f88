from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from fer_train.contract import files
from fer_train.contract.errors import CannotWrite, OutputExists


def test_failure_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a" / "x.json"
    files.write_json(target, {"old": 1})

    def interrupted() -> None:
        with files.atomic_write(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == '{\n  "old": 1\n}\n'
    assert list(target.parent.iterdir()) == [target]


def test_full_disk_is_explained(tmp_path: Path) -> None:
    def full() -> None:
        with files.atomic_write(tmp_path / "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CannotWrite, match="No space left"):
        full()
    assert list(tmp_path.iterdir()) == []


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"v": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_directory_is_swapped_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for content in ("1", "2"):
        with files.atomic_directory(out, marker="report.json") as fresh:
            (fresh / "report.json").write_text(content)
    assert (out / "report.json").read_text() == "2"
    assert list(tmp_path.iterdir()) == [out]


def test_directory_failure_keeps_the_former_build(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with files.atomic_directory(out, marker="m") as fresh:
        (fresh / "m").write_text("good")

    def interrupted() -> None:
        with files.atomic_directory(out, marker="m") as fresh:
            (fresh / "m").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (out / "m").read_text() == "good"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with (
        pytest.raises(OutputExists, match=r"report\.json"),
        files.atomic_directory(tmp_path, marker="report.json"),
    ):
        raise AssertionError("must not get here")
    assert (tmp_path / "thesis.docx").exists()


def test_tree_hash_is_the_documented_one(tmp_path: Path) -> None:
    for name, content in (("b.txt", b"b"), ("a/z.txt", b"z")):
        files.write_bytes(tmp_path / name, content)
    lines = "".join(
        f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in (("a/z.txt", b"z"), ("b.txt", b"b"))
    )
    assert files.sha256_tree(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
    assert files.size_bytes(tmp_path) == 2
