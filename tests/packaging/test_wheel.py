"""The built wheel works in a folder and an environment that see no checkout."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import get_args

import pytest

from fer_convert.artefact import ArtefactKind
from fer_convert.bundled import MODELS, emotionkit_files
from fer_train.contract.files import sha256_file
from tests.packaging.environments import Environment, run
from tests.paths import REPOSITORY

BUNDLED = "fer_convert/bundled"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the wheel and the sdist of this tree."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=REPOSITORY)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A new environment with the wheel; it has never heard of this tree."""
    return Environment(tmp_path_factory.mktemp("environment"), wheel=wheel)


def test_it_holds_both_packages_and_what_travels_with_them(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {
        *("fer_train", "fer_convert", "fer_toolchain-0.1.0.dist-info")
    }
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for package in ("fer_train", "fer_convert")
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    faces = json.loads((REPOSITORY / "fixtures/manifest.json").read_text(encoding="utf-8"))["files"]
    clip = {"events/clip.json", "events/faces.png"}
    fixtures = {"manifest.json", *clip, *(face["name"] for face in faces)}
    kit = {path.as_posix() for path in emotionkit_files(REPOSITORY / "swift/EmotionKit")}
    assert {"Package.swift", ".spi.yml", "README.md", f"{MODELS.as_posix()}/README.md"} <= kit
    assert {name for name in names if not name.startswith("fer_toolchain-")} == {
        *sources,
        *(f"{BUNDLED}/fixtures/{name}" for name in fixtures),
        *(f"{BUNDLED}/EmotionKit/{name}" for name in {*kit, "LICENSE"}),
    }


def test_the_sdist_builds_the_same_bytes_at_another_time_under_another_umask(
    dist: Path, wheel: Path, tmp_path: Path
) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for path in source.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", tmp_path, source),
        cwd=tmp_path,
        umask=0o077,
    )
    assert sha256_file(tmp_path / wheel.name) == sha256_file(wheel)


def test_from_drawn_faces_to_a_swift_package(installed: Environment, tmp_path: Path) -> None:
    asked = "import fer_train, fer_convert; print(fer_train.__file__); print(fer_convert.__file__)"
    homes = installed("python", "-c", asked, cwd=tmp_path).splitlines()
    assert [Path(home).parent.parent for home in homes] == [installed.packages] * 2

    sizes = ("--per-class", 4, "--val-per-class", 2, "--test-per-class", 0, "--size", 64)
    installed("fertrain", "synth", "faces", *sizes, cwd=tmp_path)
    installed(
        *("fertrain", "train", "--data", "faces", "--arch", "shufflenet_v2_x0_5"),
        *("--weights", "none", "--finetune", "all", "--input-size", 32, "--epochs", 1),
        *("--prune", 0, "--batch-size", 8, "--out", "run"),
        cwd=tmp_path,
    )
    checkpoint = "run/checkpoints/best.pt"
    printed = installed(
        *("ferconv", "build", "--checkpoint", checkpoint, "--only", "mlpackage-fp16", "--json"),
        cwd=tmp_path,
    )
    package = tmp_path / "build" / "EmotionKit"
    assert json.loads(printed)["package"] == "build/EmotionKit"
    report = json.loads((tmp_path / "build" / "report.json").read_text(encoding="utf-8"))
    assert len(report["images"]) == 45
    assert str(tmp_path) not in json.dumps(report)
    for name in emotionkit_files(REPOSITORY / "swift/EmotionKit"):
        travelled = package / ("EmotionKit.md" if name == Path("README.md") else name)
        assert travelled.read_bytes() == (REPOSITORY / "swift/EmotionKit" / name).read_bytes()
    assert (package / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    assert (package / MODELS / "EmotionNet.mlpackage").is_dir()


def test_the_doctor_finds_all_that_a_build_needs(installed: Environment, tmp_path: Path) -> None:
    found = json.loads(installed("ferconv", "doctor", "--json", "--quiet", cwd=tmp_path))
    assert found["ok"] is True
    checks = {(check["group"], check["name"]): check for check in found["checks"]}
    for name, folder in (("faces", "fixtures"), ("EmotionKit", "EmotionKit")):
        assert checks["content", name]["detail"] == str(installed.packages / BUNDLED / folder)
    unneeded = {key for key, check in checks.items() if not check["needed"]}
    apple = {("runtime", "Apple Core ML"), ("toolchain", "swift"), ("toolchain", "xcrun")}
    assert apple <= unneeded
    assert {check["state"] for key, check in checks.items() if key not in unneeded} == {"OK"}
    assert {kind for group, kind in checks if group == "format"} == set(get_args(ArtefactKind))


@pytest.mark.parametrize(
    ("module", "program"), [("fer_train", "fertrain"), ("fer_convert", "ferconv")]
)
def test_python_m_is_the_same_command(
    installed: Environment, tmp_path: Path, module: str, program: str
) -> None:
    helped = installed("python", "-m", module, "--help", cwd=tmp_path)
    assert helped.startswith(f"Usage: {program} [OPTIONS] COMMAND")
    assert helped == installed(program, "--help", cwd=tmp_path)
    version = installed("python", "-m", module, "--version", cwd=tmp_path)
    assert version == f"{program}, version 0.1.0\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("fertrain pr", "prune"),
        ("fertrain train --arc", "--arch"),
        ("ferconv do", "doctor"),
        ("ferconv build --only mlm", "mlmodel"),
    ],
)
def test_tab_completes_commands_options_and_values(
    installed: Environment, tmp_path: Path, typed: str, completed: str
) -> None:
    """What a shell asks, once docs/installing.md is followed."""
    program, *words = typed.split()
    asked = {
        f"_{program.upper()}_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words)),
    }
    assert installed(program, cwd=tmp_path, variables=asked) == f"plain,{completed}\n"
    source = f"_{program.upper()}_COMPLETE=bash_source {program}"
    assert source in (REPOSITORY / "docs" / "installing.md").read_text(encoding="utf-8")
