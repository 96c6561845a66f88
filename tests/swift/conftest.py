"""A Swift package with a small model inside, and apps that use it, for all tests here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fer_convert.build import BuildRequest, build
from fer_convert.progress import Progress
from tests.convert.nets import SPEC, save_script, smooth_picture, tiny_network

REPOSITORY = Path(__file__).resolve().parents[2]
EMOTIONKIT = REPOSITORY / "swift" / "EmotionKit"
_CONSUMER = Path(__file__).parent / "consumer"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "swift: needs a Swift toolchain, and a minute to build")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; without a toolchain it cannot run, and the summary of skips says so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.swift)
            if not shutil.which("swift"):
                item.add_marker(pytest.mark.skip(reason="NOT RUN: no Swift toolchain on PATH"))


def run(
    *command: object, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and show all it said when it fails."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran


@dataclass(frozen=True)
class App:
    """A built consumer; ``products`` holds its executable and the resource bundles."""

    products: Path

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.products / "Consumer", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def build_app(folder: Path, dependency: str, package: str) -> App:
    """Build the consumer with a dependency, warnings as errors.

    Args:
        dependency: ``path: "..."`` or ``url: "...", from: "..."``.
        package: the dependency's identity, the last component of its address.
    """
    shutil.copytree(_CONSUMER, folder)
    (folder / "Package.swift").write_text(
        f"""// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "Consumer", platforms: [.macOS(.v13)], dependencies: [.package({dependency})],
  targets: [
    .executableTarget(
      name: "Consumer", dependencies: [.product(name: "EmotionKit", package: "{package}")])
  ])
"""
    )
    options = ("--disable-index-store", "-Xswiftc", "-warnings-as-errors")
    run("swift", "build", *options, cwd=folder)
    shown = run("swift", "build", "--show-bin-path", cwd=folder).stdout.strip()
    return App(Path(shown))


@pytest.fixture(scope="session")
def model_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ferconv build`` writes for a tiny network."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("model")
    for index in range(5):
        label = folder / "faces" / ("anger" if index % 2 else "happiness")
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth_picture(index, side=64)).save(label / f"{index}.png")
    save_script(tiny_network(), folder / "tiny.pt")
    request = BuildRequest(
        checkpoint=folder / "tiny.pt",
        out=folder / "build",
        fixtures=folder / "faces",
        emotionkit=None,
        author="tests",
        license="MIT",
        model_version="2.1",
        kinds=("mlpackage-fp16",),
        labels="affectnet-folders",
        preprocess=json.dumps(SPEC.to_dict()),
        demo=True,
    )
    assert build(request, Progress(quiet=True)).report.verdict == "PASS"
    return folder / "build"


@pytest.fixture(scope="session")
def standalone(model_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ferconv package`` writes."""
    from fer_convert.package import write_package

    out = tmp_path_factory.mktemp("standalone") / "EmotionKit"
    write_package(model_build, out, emotionkit=EMOTIONKIT, gate=True)
    return out


@pytest.fixture(scope="session")
def app_by_path(standalone: Path, tmp_path_factory: pytest.TempPathFactory) -> App:
    """An app beside the package that ``ferconv package`` wrote."""
    folder = tmp_path_factory.mktemp("path") / "app"
    return build_app(folder, f'path: "{standalone}"', "EmotionKit")


def tracked_files(folder: Path) -> Sequence[Path]:
    """The files a commit of everything would hold, relative to ``folder``."""
    names = run(
        *("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "."), cwd=folder
    ).stdout.splitlines()
    return [Path(name) for name in names if (folder / name).is_file()]


def commit_and_tag(folder: Path, tag: str) -> None:
    """Make a Git repository of a folder, as its publisher would."""
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run("git", *identity, "commit", "--quiet", "--message", "EmotionKit", cwd=folder)
    run("git", "tag", tag, cwd=folder)
