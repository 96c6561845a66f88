"""``ferconv package --verify``: the toolchain decides, and a package that fails is not written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_convert.swift_package.write import MODELS
from tests.fer_convert.nets import Ran, run_once

_MANIFEST = """\
// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "Kit",
  targets: [
    .target(name: "EmotionKitModel", resources: [.copy("Models")]),
    .testTarget(name: "KitTests", dependencies: ["EmotionKitModel"]),
  ])
"""

_TESTS = """\
import Foundation
import Testing
@testable import EmotionKitModel
@Test func theModelIsThere() {
  let manifest = Bundle.module.bundleURL.appending(path: "Models/manifest.json")
  #expect(FileManager.default.fileExists(atPath: manifest.path) == here)
}
"""


def _kit(folder: Path, *, model: str = "let here = true\n", tests: str = _TESTS) -> Path:
    """A small package in EmotionKit's form, which builds in seconds."""
    for name, text in {
        "Package.swift": _MANIFEST,
        "Sources/EmotionKitModel/Model.swift": f"import Foundation\n{model}",
        "Sources/EmotionKitModel/Models/README.md": "The model goes here.\n",
        "Tests/KitTests/Tests.swift": tests.replace("Bundle.module", "modelBundle"),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with (folder / "Sources/EmotionKitModel/Model.swift").open("a") as source:
        source.write("let modelBundle = Bundle.module\n")
    return folder


def _package(build: Path, kit: Path, out: Path, *options: str) -> Ran:
    return run_once(
        *("package", "--build", build, "--emotionkit", kit, "--out", out, "--verify", *options)
    )


def test_a_package_that_passes_its_tests_is_written(model_build: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = _package(model_build, _kit(tmp_path / "kit"), out, "--json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["package"] == str(out)
    assert said["verified"]["tests"] == 1
    assert "Swift version" in said["verified"]["toolchain"]
    assert (out / MODELS / "manifest.json").is_file()
    assert {entry.name for entry in out.iterdir()} == {
        *("Package.swift", "Sources", "Tests", ".gitignore", ".gitattributes"),
        *("README.md", "ModelCard.md", "AppReview.md"),
    }


@pytest.mark.parametrize(
    ("kit", "said"),
    [
        ({"model": "let here: Int = true\n"}, "does not build: "),
        ({"model": "let here = false\n"}, "fails its own tests: "),
        ({"tests": "import Testing\n// Bundle.module\n"}, "fails its own tests: "),
    ],
    ids=["does-not-build", "a-test-fails", "no-test-runs"],
)
def test_a_package_that_fails_is_not_written(
    kit: dict[str, str], said: str, model_build: Path, tmp_path: Path
) -> None:
    ran = _package(model_build, _kit(tmp_path / "kit", **kit), tmp_path / "out")
    assert ran.code == 43, ran.out
    assert said in ran.err
    log = model_build / "package-verify.log"
    assert str(log) in ran.err
    assert log.read_text().startswith("$ swift build --build-tests")
    assert not (tmp_path / "out").exists()


def test_without_a_toolchain_nothing_is_written(
    model_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    ran = _package(model_build, _kit(tmp_path / "kit"), tmp_path / "out")
    assert ran.code == 6
    assert "none is on PATH" in ran.err
    assert not (tmp_path / "out").exists()
