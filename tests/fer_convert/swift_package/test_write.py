"""``ferconv package``: what goes into a Swift package, and what never does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_convert.artefact import FILE_NAMES
from fer_convert.swift_package.readme import ModelTexts, package_readme
from fer_convert.swift_package.write import MODELS, find_emotionkit
from fer_train.contract.errors import NotFound
from fer_train.contract.files import sha256_tree
from tests.fer_convert.nets import Ferconv


@pytest.fixture
def build(built_once: Path, tmp_path: Path) -> Path:
    """A copy of a finished build, which a test may change."""
    return shutil.copytree(built_once, tmp_path / "b")


def test_a_checked_model_is_packaged_again_and_again(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    kit = tmp_path / "kit"
    options = ("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ferconv(*options).code == 0
    first = sha256_tree(kit)
    (kit / "stale.txt").write_text("from an older version")
    assert ferconv(*options).code == 0
    assert sha256_tree(kit) == first
    assert (kit / MODELS / "golden.json").read_bytes() == (build / "golden.json").read_bytes()
    assert not (kit / ".build").exists()


def test_the_readme_is_about_the_model_inside(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    (emotionkit / "README.md").write_text("# EmotionKit, in general\n")
    (emotionkit / ".spi.yml").write_text("version: 1\n")
    (emotionkit / MODELS / "EmotionNet.mlmodel").write_text("of an earlier run")
    kit = tmp_path / "kit"
    options = ("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ferconv(*options).code == 0
    readme = (kit / "README.md").read_text()
    manifest = json.loads((kit / MODELS / "manifest.json").read_text())
    for fact in (
        *(", ".join(manifest["contract"]["labels"]), manifest["model"]["sha256"]),
        *("32 x 32 pixels", "PASS on 5 images", "EmotionKit.md", "fer-toolchain, unspecified"),
        *("git tag 1.0.0", "import EmotionKitUI"),
    ):
        assert fact in readme
    assert "Demonstration" not in readme
    assert "Too large" not in readme
    assert (kit / "EmotionKit.md").read_text() == "# EmotionKit, in general\n"
    assert (kit / "LICENSE").read_text() == "MIT\n"
    assert (kit / ".spi.yml").is_file()
    assert "Models" not in (kit / ".gitignore").read_text()
    assert sorted(path.name for path in (kit / MODELS).iterdir()) == [
        *("EmotionNet.mlpackage", "README.md", "canary.json", "golden.json", "manifest.json"),
        "use.json",
    ]


def test_the_readme_warns_of_what_must_not_be_shipped(build: Path) -> None:
    manifest = json.loads((build / "manifest.json").read_text())
    use = json.loads((build / "use.json").read_text())
    manifest["contract"]["demo"] = True
    manifest["parity"] |= {"verdict": "FAIL", "max_abs_dp": None}
    manifest["model"]["files"][0]["bytes"] = 60_000_000
    readme = package_readme(manifest, use, ModelTexts(author="", license="", version="spring"))
    assert "> **Demonstration model.**" in readme
    assert "ended with FAIL" in readme
    assert "has 60.0 MB" in readme
    assert f'sha256: "{manifest["model"]["sha256"]}"' in readme
    assert "unspecified, unspecified" in readme
    assert "git tag 1.0.0" in readme
    assert "as the network gives it; not calibrated" in readme
    assert "too coarse" not in readme
    del manifest["contract"]["temperature"]  # a build of an earlier version
    del manifest["parity"]["passed_over"]
    assert package_readme(manifest, use, ModelTexts(author="", license="", version="1"))


def test_a_manifest_that_names_no_model_of_ours_is_refused(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    manifest = json.loads((build / "manifest.json").read_text())
    manifest["model"]["file"] = "../b"
    (build / "manifest.json").write_text(json.dumps(manifest))
    kit = tmp_path / "kit"
    ran = ferconv("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ran.code == 50
    assert "names the model '../b'; a build calls it EmotionNet.mlpackage or" in ran.err
    assert not kit.exists()


def test_a_model_changed_after_the_check_is_refused(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    weights = build / FILE_NAMES["mlpackage-fp16"] / "Data/com.apple.CoreML/weights/weight.bin"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    kit = tmp_path / "kit"
    ran = ferconv("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ran.code == 50
    assert "sha256" in ran.err
    assert not kit.exists()


@pytest.mark.parametrize("part", ["manifest.json", "weight.bin"])
def test_what_git_lfs_has_not_fetched_is_named(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path, part: str
) -> None:
    (file,) = build.rglob(part) if part == "weight.bin" else [build / part]
    file.write_text("version https://git-lfs.example/spec/v1\noid sha256:0\n")
    kit = tmp_path / "kit"
    ran = ferconv("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ran.code == 50 and not kit.exists()
    assert f"{file} (" in ran.err and "is a Git LFS pointer" in ran.err
    assert "git lfs pull" in ran.err


@pytest.mark.parametrize(("verdict", "code"), [("FAIL", 40), ("NOT RUN", 41)])
def test_the_gate_is_shut_unless_every_verdict_is_pass(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path, verdict: str, code: int
) -> None:
    manifest = json.loads((build / "manifest.json").read_text())
    manifest["parity"]["verdict"] = verdict
    (build / "manifest.json").write_text(json.dumps(manifest))
    kit = tmp_path / "kit"
    options = ("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ferconv(*options).code == code
    assert not kit.exists()
    assert ferconv(*options, "--no-gate").code == 0
    parity = json.loads((kit / MODELS / "manifest.json").read_text())["parity"]
    assert (parity["verdict"], parity["gated"]) == (verdict, False)


def test_a_folder_that_is_not_our_package_is_not_replaced(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "Package.swift").write_text("// my own package")
    ran = ferconv("package", "--build", build, "--out", mine, "--emotionkit", emotionkit)
    assert ran.code == 31
    assert [path.name for path in mine.iterdir()] == ["Package.swift"]


def test_a_folder_without_a_build_is_explained(
    ferconv: Ferconv, emotionkit: Path, tmp_path: Path
) -> None:
    ran = ferconv(
        "package", "--build", tmp_path, "--out", tmp_path / "kit", "--emotionkit", emotionkit
    )
    assert ran.code == 4
    assert "ferconv build" in ran.err


@pytest.mark.parametrize("part", ["events.json", "use.json"])
def test_a_build_of_an_earlier_version_is_refused(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path, part: str
) -> None:
    (build / part).unlink()
    kit = tmp_path / "kit"
    ran = ferconv("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ran.code == 4
    assert f"holds no {part}" in ran.err and "ferconv build" in ran.err
    assert not kit.exists()


def test_a_canary_is_the_builds_own_or_none(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    canary = json.loads((build / "canary.json").read_text())
    assert 4 <= len(canary["faces"]) <= 8
    assert all(face["name"].startswith("faces/") for face in canary["faces"])  # drawn ones
    kit = tmp_path / "kit"
    options = ("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ferconv(*options).code == 0
    assert (kit / MODELS / "canary.json").read_bytes() == (build / "canary.json").read_bytes()
    entry = json.loads((kit / MODELS / "manifest.json").read_text())["canary"]
    assert entry["bytes"] == (build / "canary.json").stat().st_size
    (build / "canary.json").write_text(json.dumps(canary | {"labels": canary["labels"][::-1]}))
    changed = ferconv(*options)
    assert changed.code == 50 and "sha256" in changed.err
    (build / "canary.json").unlink()
    missing = ferconv(*options)
    assert missing.code == 4 and "--no-canary" in missing.err
    assert ferconv(*options, "--no-canary").code == 0
    assert not (kit / MODELS / "canary.json").exists()
    assert json.loads((kit / MODELS / "manifest.json").read_text())["canary"] is None


def test_a_build_of_before_there_were_canaries_has_none(
    ferconv: Ferconv, build: Path, emotionkit: Path, tmp_path: Path
) -> None:
    manifest = json.loads((build / "manifest.json").read_text())
    del manifest["canary"]
    (build / "manifest.json").write_text(json.dumps(manifest))
    kit = tmp_path / "kit"
    ran = ferconv("package", "--build", build, "--out", kit, "--emotionkit", emotionkit)
    assert ran.code == 0
    assert not (kit / MODELS / "canary.json").exists()


def test_missing_sources_are_explained_before_anything_is_converted(
    ferconv: Ferconv, script_options: list[object], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="checkout"):
        find_emotionkit(tmp_path)
    options = [*script_options, "--emotionkit", tmp_path / "nowhere", "--out", tmp_path / "b"]
    ran = ferconv("build", *options)
    assert ran.code == 4
    assert "--no-package" in ran.err
    assert not (tmp_path / "b").exists()
