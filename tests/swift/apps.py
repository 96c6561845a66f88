"""Apps made for a test, built as their developers would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.paths import REPOSITORY

EMOTIONKIT = REPOSITORY / "swift" / "EmotionKit"

#: Where EmotionKit is built against stand-ins for Apple's frameworks; ci/swift_api.py shares it.
STUBS = REPOSITORY / ".build-stubs"

#: SwiftPM compiles on the cores that the other workers of this test run leave.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
JOBS = ("--jobs", max(1, (os.cpu_count() or 1) - _WORKERS + 1))

_CONSUMER = Path(__file__).parent / "consumer"


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
    """A built program; ``products`` holds its executable and the resource bundles."""

    products: Path
    name: str = "Consumer"

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.products / self.name, *map(str, arguments)],
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
    options = (*JOBS, "--disable-index-store", "-Xswiftc", "-warnings-as-errors")
    run("swift", "build", *options, cwd=folder)
    return App((folder / ".build" / "debug").resolve())


def built_against_stubs(product: str) -> App:
    """Build an executable of EmotionKit's own package, which sees what apps do not."""
    run(
        *("swift", "build", *JOBS, "--package-path", EMOTIONKIT, "--scratch-path", STUBS),
        *("--product", product, "-Xswiftc", "-warnings-as-errors"),
        cwd=REPOSITORY,
        env={"EMOTIONKIT_APPLE_STUBS": "1"},
    )
    return App(STUBS / "debug", product)


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
