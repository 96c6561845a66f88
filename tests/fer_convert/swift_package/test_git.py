"""``ferconv package --git``: a commit and a tag that SwiftPM can fetch, and nothing lost.

Git is a process of its own: this file names ``subprocess``, so that one worker runs it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fer_convert.swift_package import git
from fer_convert.swift_package.readme import semantic
from fer_convert.swift_package.write import MODELS
from fer_train.contract.errors import CannotWrite, InstallationBroken, OutputExists
from tests.fer_convert.nets import Ferconv

IDENTITY = "[user]\n\tname = A Developer\n\temail = developer@example.org\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, whose Git ignores weights and would send them to Git LFS."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "ignore").write_text("*.bin\nModels/\n")
    (folder / "attributes").write_text("*.bin filter=lfs\n")
    (folder / ".gitconfig").write_text(
        f"[core]\n\texcludesFile = {folder}/ignore\n\tattributesFile = {folder}/attributes\n"
        '[filter "lfs"]\n\tclean = sed s/./x/\n' + IDENTITY
    )
    for name in ("GIT_CONFIG_GLOBAL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
    return folder


def said(folder: Path, *arguments: str) -> str:
    environment = {"HOME": str(folder.parent / "home"), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


def test_a_package_is_committed_tagged_and_can_be_fetched_whole(
    ferconv: Ferconv, built_once: Path, emotionkit: Path, tmp_path: Path
) -> None:
    kit = tmp_path / "kit"
    options = ("package", "--build", built_once, "--out", kit, "--emotionkit", emotionkit, "--git")
    ran = ferconv(*options)
    assert ran.code == 0, ran.err
    assert "Committed as 1.0.0 (" in ran.out and kit.resolve().as_uri() in ran.out
    said(tmp_path, "clone", "-q", "--branch", "1.0.0", str(kit), "fetched")
    model = MODELS / "EmotionNet.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    assert (tmp_path / "fetched" / model).read_bytes() == (kit / model).read_bytes()
    assert said(kit, "status", "--porcelain") == ""
    assert said(kit, "remote") == ""

    again = json.loads(ferconv(*options, "--json").out)["git"]
    assert again == {"commit": said(kit, "rev-parse", "HEAD"), "tag": "1.0.0", "changed": False}

    # Without --git the history stays, too.
    assert ferconv(*options[:-1]).code == 0
    assert said(kit, "tag") == "1.0.0"

    (emotionkit / "Sources/EmotionKitModel/New.swift").write_text("\n")
    ran = ferconv(*options)
    assert ran.code == 31 and "--tag 1.0.1" in ran.err
    assert not (kit / "Sources/EmotionKitModel/New.swift").exists()
    ran = ferconv(*options, "--tag", "1.0.1")
    (emotionkit / "Sources/EmotionKitModel/New.swift").unlink()
    assert ran.code == 0 and said(kit, "rev-list", "--count", "1.0.1") == "2"

    (kit / "README.md").write_text("mine\n")
    ran = ferconv(*options, "--tag", "1.0.2")
    assert ran.code == 31 and "changes that are in no commit: README.md." in ran.err
    assert (kit / "README.md").read_text() == "mine\n"


def test_a_tag_is_a_version_and_needs_git(ferconv: Ferconv, tmp_path: Path) -> None:
    for options, words in {
        ("--git", "--tag", "v1.0"): "'v1.0' is not a version",
        ("--tag", "1.0.0"): "give both, or neither",
    }.items():
        ran = ferconv("package", "--build", tmp_path, "--out", tmp_path / "kit", *options)
        assert ran.code == 2 and words in ran.err
    assert [semantic(v) for v in ("2.1", "2026.01", "spring")] == ["2.1.0", "2026.1.0", "1.0.0"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "kit"
    (folder / MODELS).mkdir(parents=True)
    (folder / MODELS / "weight.bin").write_text("weights\n")
    return folder


def test_git_that_does_not_know_who_commits_is_told(package: Path, home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = A Developer\n")
    with pytest.raises(InstallationBroken, match="does not know who commits") as caught:
        git.begin(package, out=package, tag="1.0.0")
    assert "git config --global user.email" in str(caught.value)


def test_a_filter_that_would_change_the_model_is_refused(package: Path) -> None:
    git.begin(package, out=package, tag="1.0.0")
    (package / ".git/info").mkdir(exist_ok=True)
    (package / ".git/info/attributes").write_text("*.bin filter=lfs\n")
    with pytest.raises(CannotWrite, match=r"would not store .*weight\.bin as it is"):
        git.commit(package, out=package, tag="1.0.0", message="m")


def test_a_hook_that_refuses_is_quoted(package: Path) -> None:
    (package / ".gitattributes").write_text("*.bin -filter\n")
    git.begin(package, out=package, tag="1.0.0")
    hook = package / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no commits on Mondays' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CannotWrite, match="no commits on Mondays"):
        git.commit(package, out=package, tag="1.0.0", message="m")


def test_a_folder_of_another_repository_is_refused(package: Path, tmp_path: Path) -> None:
    said(tmp_path, "init", "-q")
    git.check_repository(package)
    said(tmp_path, "add", "-f", "kit")
    with pytest.raises(OutputExists, match="belongs to the repository of a folder above"):
        git.check_repository(package)


def test_without_git_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallationBroken, match="none is on PATH"):
        git.check_repository(tmp_path)
