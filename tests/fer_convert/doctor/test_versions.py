"""Pairs of versions that are known to break are named, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fer_convert.doctor.versions import installed_version, warnings

RANGES = [Requirement(text) for text in ("numpy<2.4,>=1.26", "torch<2.13,>=2.7", "onnx>=1.17")]
GOOD = {
    "numpy": "2.3.5",
    "torch": "2.7.1+cu126",
    "torchvision": "0.22.1+cu126",
    "coremltools": "9.0",
    "onnx": "1.23.2",
}


def said(versions: dict[str, str | None], wanted: str | None = "==2.7.1") -> list[str]:
    return list(warnings(versions, requirements=RANGES, torch_wanted=wanted, python="3.11.7"))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"torch": "2.7.1", "torchvision": "0.22.1"},
        {"torch": "2.7.1+cpu", "torchvision": "0.22.1+cpu"},
        {"torch": None},
        {"coremltools": None, "onnx": None},
    ],
    ids=str,
)
def test_what_fits_is_no_matter(change: dict[str, str | None]) -> None:
    assert said({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numpy": "2.4.0"}, ("numpy 2.4.0", "<2.4,>=1.26", "coremltools 9.0", "#2633")),
        ({"onnx": "1.16.0"}, ("onnx 1.16.0", ">=1.17")),
        ({"torch": "2.7.0+cu126"}, ("torch 2.7.0", "torchvision 0.22.1", "torch==2.7.1")),
        ({"torch": "2.7.1+cpu"}, ("2.7.1+cpu", "0.22.1+cu126", "torchvision::nms", "index")),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_breaks_is_named(change: dict[str, str | None], words: tuple[str, ...]) -> None:
    (warning,) = said({**GOOD, **change})
    assert [word for word in words if word not in warning] == []


def test_a_torch_newer_than_coremltools_was_tested_with_is_named() -> None:
    newer = {**GOOD, "torch": "2.12.1+cu130", "torchvision": "0.27.1+cu130"}
    (warning,) = said(newer, wanted="==2.12.1")
    assert "torch 2.12.1+cu130" in warning and "2.7" in warning and "coremltools 9.0" in warning
    assert said({**newer, "coremltools": "9.1"}, wanted="==2.12.1") == []


def test_a_python_without_binaries_of_coremltools_is_named() -> None:
    for python, count in (("3.13.2", 0), ("3.14.0", 1)):
        found = list(warnings({}, requirements=[], torch_wanted=None, python=python))
        assert len(found) == count and all(python in warning for warning in found)


def test_the_tag_of_a_build_is_read_without_importing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError")
    record = tmp_path / "torchvision-0.22.1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.22.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    (package / "version.py").write_text("__version__ = '0.22.1+cu126'\nraise RuntimeError\n")
    assert installed_version("torchvision") == "0.22.1+cu126"
    (package / "version.py").write_text("__version__ = '0.21.0+cu126'\n")  # of another install
    assert installed_version("torchvision") == "0.22.1"
    (package / "version.py").unlink()
    assert installed_version("torchvision") == "0.22.1"
    assert installed_version("no-such-distribution") is None
