"""Build a Swift package and run its own tests, with the model inside, before it is handed out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from fer_convert.progress import Progress
from fer_train.contract.errors import InstallationBroken, PackageFailed

#: Makes the package's tests fail, instead of being skipped, where its model is missing.
_ENVIRONMENT: Mapping[str, str] = {"EMOTIONKIT_REQUIRE_MODEL": "1"}

_SUMMARY = re.compile(r"Test run with (\d+) tests?\b.*\bpassed")
_FAULT = re.compile(r"^.*(?:\berror:|\bTest .*recorded an issue\b).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was run.

    Attributes:
        toolchain: the first line of ``swift --version``.
        tests: how many passed.
        not_run: what this system cannot try, as a sentence; None on a Mac.
    """

    toolchain: str
    tests: int
    not_run: str | None


def require_swift() -> str:
    """Return the first line of ``swift --version``.

    Raises:
        InstallationBroken: there is no working Swift toolchain on PATH.
    """
    hint = "Install one (swift.org, or Xcode on a Mac), or leave --verify out."
    if shutil.which("swift") is None:
        raise InstallationBroken("--verify needs a Swift toolchain; none is on PATH.", hint=hint)
    ran = subprocess.run(["swift", "--version"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise InstallationBroken(
            f"`swift --version` ends with exit code {ran.returncode}, so --verify cannot run.",
            hint=hint,
        )
    return next((line for line in ran.stdout.splitlines() if "version" in line), "Swift").strip()


def verify_package(package: Path, *, log: Path, toolchain: str, progress: Progress) -> Verification:
    """Build a copy of a package and run its tests; the package itself stays as it is.

    Args:
        log: file for everything the toolchain says; replaced.
        toolchain: what `require_swift` returned.

    Raises:
        PackageFailed: it does not build, a test fails, or no test ran.
    """
    with tempfile.TemporaryDirectory(prefix="ferconv-verify.") as folder, log.open("w") as said:
        copy = Path(folder) / package.name.lstrip(".")
        shutil.copytree(package, copy)
        where = ("--disable-xctest", "--package-path", copy, "--scratch-path", f"{folder}/scratch")
        with progress.stage("swift build"):
            built = _swift("build", "--build-tests", *where[1:], said=said)
        if built == 0:
            with progress.stage("swift test") as stage:
                tested = _swift("test", "--skip-build", *where, said=said)
                text = log.read_text(encoding="utf-8", errors="replace")
                passed = _SUMMARY.search(text)
                stage.outcome = f"{passed[1]} passed" if passed else "failed"
    text = log.read_text(encoding="utf-8", errors="replace")
    if built != 0:
        raise _failure("The Swift package does not build", text, log)
    if tested != 0 or passed is None or int(passed[1]) == 0:
        raise _failure("The Swift package fails its own tests", text, log)
    return Verification(
        toolchain=toolchain,
        tests=int(passed[1]),
        not_run=None
        if sys.platform == "darwin"
        else "NOT RUN: Core ML, Vision and SwiftUI (they need a Mac).",
    )


def _swift(*arguments: object, said: TextIO) -> int:
    """Run one command of SwiftPM into the log; the exit code. Ctrl-C ends its children, too."""
    command = ["swift", *map(str, arguments)]
    said.write(f"$ {' '.join(command)}\n")
    said.flush()
    process = subprocess.Popen(
        command,
        stdout=said,
        stderr=subprocess.STDOUT,
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )
    try:
        return process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _failure(what: str, text: str, log: Path) -> PackageFailed:
    faults: Sequence[str] = _FAULT.findall(text)
    first = faults[0].strip() if faults else "no error line was printed"
    return PackageFailed(f"{what}: {first}", hint=f"Everything the toolchain said is in {log}.")
