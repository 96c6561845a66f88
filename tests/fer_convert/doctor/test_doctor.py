"""``ferconv doctor`` in a broken environment; tests/packaging asks it in one that works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_convert.doctor import examine
from tests.fer_convert.nets import Ferconv

#: Broken as people break it: a torch for the CPU only beside a torchvision for CUDA, and a
#: coremltools installed from source, without its binaries.
LIBRARIES = {
    "numpy": ("2.4.0", "__version__ = '2.4.0'"),
    "pillow": ("13.0.0", ""),
    "torch": ("2.13.0", ""),
    "torchvision": ("0.28.0", "raise RuntimeError('operator torchvision::nms does not exist')"),
    "coremltools": ("9.0", ""),
    "onnx": ("1.23.2", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"),
}
BUILDS = {"torch": "2.13.0+cpu", "torchvision": "0.28.0+cu130"}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (version, code) in LIBRARIES.items():
        package = tmp_path / ("PIL" if name == "pillow" else name)
        package.mkdir()
        (package / "__init__.py").write_text(code)
        if name in BUILDS:
            (package / "version.py").write_text(f"__version__ = '{BUILDS[name]}'\n")
        record = tmp_path / f"{name}-{version}.dist-info"
        record.mkdir()
        needs = "Requires-Dist: torch==2.13.0\n" if name == "torchvision" else ""
        (record / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("broken")
def test_a_broken_environment_is_explained(ferconv: Ferconv) -> None:
    ran = ferconv("doctor", "--json")
    assert ran.code == 6
    found = json.loads(ran.out)
    assert found["ok"] is False
    checks = {(check["group"], check["name"]): check for check in found["checks"]}
    states = {key: (check["state"], check["detail"]) for key, check in checks.items()}
    assert states["library", "torch"] == ("OK", "2.13.0+cpu")
    assert states["library", "torchvision"] == (
        "FAIL",
        "0.28.0+cu130; RuntimeError: operator torchvision::nms does not exist",
    )
    assert "libmilstoragepython" in states["library", "coremltools"][1]
    assert states["library", "onnx"] == ("FAIL", "1.23.2; the process was ended by SIGSEGV")
    assert states["format", "onnx"] == ("NOT RUN", "needs library torchvision, library onnx")
    assert states["runtime", "TorchScript"] == ("NOT RUN", "needs format torchscript")
    assert states["toolchain", "swift"][0] == "NOT RUN"
    assert "not on PATH" in states["toolchain", "swift"][1]
    error = ran.err.partition("error: ")[2]
    assert error.startswith("ferconv build cannot work here")
    assert "library torchvision" in error
    for consequence in ("format onnx", "runtime ONNX", "toolchain swift"):
        assert consequence not in error
    warnings = "\n".join(found["warnings"])
    for words in ("#2633", "different devices", "newer than the 2.7"):
        assert words in warnings
    text = ferconv("doctor", "--quiet")
    assert text.code == 6
    for warning in found["warnings"]:
        assert f"!! {warning}" in text.out
    assert "FAIL" in text.out and text.err.startswith("error:")


def test_what_a_wheel_lacks_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ferconv: Ferconv
) -> None:
    (tmp_path / "manifest.json").write_text('{"files": [{"name": "faces/anger-0.png"}]}')
    monkeypatch.setattr(examine, "all_trials", list)
    monkeypatch.setattr(examine, "fixtures_folder", lambda: tmp_path)
    monkeypatch.setattr(examine, "emotionkit_folder", lambda: tmp_path)
    ran = ferconv("doctor")
    assert ran.code == 6
    assert "anger-0.png is missing" in ran.out
    assert "no Package.swift" in ran.out
    assert "content faces, content EmotionKit" in ran.err
    (tmp_path / "manifest.json").write_text("{}")
    assert "no readable manifest.json" in ferconv("doctor").out


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        ("echo Swift version 6.0\necho Target: x", "OK", "Swift version 6.0"),
        ("echo broken >&2\nexit 3", "FAIL", "swift --version failed"),
    ],
)
def test_a_tool_chain_says_its_version(
    script: str, state: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "swift"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(examine, "all_trials", list)
    (swift,) = [check for check in examine.examine(say=print).checks if check.name == "swift"]
    assert swift.state == state and words in swift.detail and not swift.needed
