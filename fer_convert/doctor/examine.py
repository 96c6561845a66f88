"""The whole examination: libraries, formats, runtimes, tool chains, content, version pairs."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fer_convert import __version__
from fer_convert.bundled import emotionkit_folder, fixture_files, fixtures_folder
from fer_convert.doctor import versions
from fer_convert.doctor.trials import LIBRARIES, Trial, all_trials
from fer_convert.doctor.worker import Outcome, State, Worker

SCHEMA = "ferconv.doctor"
VERSION = 1

Group = Literal["library", "format", "runtime", "toolchain", "content"]

#: Tools beside Python: how each gives its version, and what is lost without it.
_TOOLCHAINS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "swift": (
        ("swift", "--version"),
        "the Swift package is written, and cannot be built and tested here",
    ),
    "xcrun": (("xcrun", "--version"), "Xcode's tools; they exist on a Mac only"),
}

#: Seconds a tool may take to say its version; the first start of a tool chain is slow.
_PATIENCE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the examination.

    Attributes:
        detail: the version, or why it failed or cannot run.
        needed: ``ferconv build`` fails without it.
    """

    group: Group
    name: str
    state: State
    detail: str
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found."""

    checks: Sequence[Check]
    warnings: Sequence[str]

    @property
    def failures(self) -> list[Check]:
        """What keeps ``ferconv build`` from working here."""
        return [check for check in self.checks if check.needed and check.state != "OK"]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "ok": not self.failures,
            "ferconv": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "machine": platform.machine(),
            "checks": [asdict(check) for check in self.checks],
            "warnings": list(self.warnings),
        }


def examine(*, say: Callable[[str], None]) -> Diagnosis:
    """Examine this environment; takes as long as importing everything once and a little more.

    Args:
        say: is told what is being tried.
    """
    with tempfile.TemporaryDirectory(prefix="ferconv-doctor.") as name, Worker() as worker:
        outcomes = attempt(all_trials(), worker, Path(name), say=say)
    say("tool chains")
    present = {name: versions.installed_version(name) for name in _distributions()}
    return Diagnosis(
        checks=[
            *_libraries(outcomes, present),
            *(_check(trial, outcomes) for trial in all_trials() if trial.group != "library"),
            *(_toolchain(name) for name in _TOOLCHAINS),
            *_content(),
        ],
        warnings=list(_warnings(present)),
    )


def attempt(
    trials: Sequence[Trial], worker: Worker, folder: Path, *, say: Callable[[str], None]
) -> dict[str, Outcome]:
    """Try everything, in this order; return the outcomes by the trials' keys.

    A trial whose condition failed is not tried: its reason names the condition.
    """
    outcomes: dict[str, Outcome] = {}
    for trial in trials:
        lacking = [key for key in trial.after if outcomes[key].state != "OK"]
        if lacking:
            outcomes[trial.key] = Outcome("NOT RUN", f"needs {', '.join(lacking)}")
            continue
        say(trial.key)
        outcomes[trial.key] = worker.run(trial.work, folder)
    return outcomes


def _distributions() -> list[str]:
    """Everything this project depends on, what a build imports first."""
    if versions.installed_version("packaging") is None:
        return list(LIBRARIES)
    return list(dict.fromkeys([*LIBRARIES, *(one.name for one in versions.own_requirements())]))


def _libraries(
    outcomes: Mapping[str, Outcome], present: Mapping[str, str | None]
) -> Iterator[Check]:
    for name, version in present.items():
        tried = outcomes.get(f"library {name}")
        if version is None:
            state: State = "FAIL"
            detail = "not installed"
        elif tried is None or tried.state == "OK":
            state, detail = "OK", version
        else:
            state, detail = tried.state, f"{version}; {tried.detail}"
        # The others are fertrain's, or imported by every command, this one too.
        needed = name in LIBRARIES
        yield Check(group="library", name=name, state=state, detail=detail, needed=needed)


def _check(trial: Trial, outcomes: Mapping[str, Outcome]) -> Check:
    outcome = outcomes[trial.key]
    return Check(
        group=trial.group,
        name=trial.name,
        state=outcome.state,
        detail=outcome.detail,
        needed=trial.needed,
    )


def _toolchain(name: str) -> Check:
    command, loss = _TOOLCHAINS[name]
    state, detail = _said(command)
    if state != "OK":
        detail = f"{detail}: {loss}"
    return Check(group="toolchain", name=name, state=state, detail=detail, needed=False)


def _said(command: Sequence[str]) -> tuple[State, str]:
    """Return a tool's first line."""
    if shutil.which(command[0]) is None:
        return "NOT RUN", "not on PATH"
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return "FAIL", f"{' '.join(command)} failed ({error})"
    return "OK", (ran.stdout or ran.stderr).strip().partition("\n")[0]


def _content() -> Iterator[Check]:
    faces, kit = fixtures_folder(), emotionkit_folder()
    try:
        lacking = [name for name in fixture_files(faces) if not (faces / name).is_file()]
        state: State = "FAIL" if lacking else "OK"
        detail = f"{lacking[0]} is missing in {faces}" if lacking else str(faces)
    except (OSError, ValueError, KeyError, TypeError) as error:
        state, detail = "FAIL", f"no readable manifest.json in {faces} ({type(error).__name__})"
    yield Check(group="content", name="faces", state=state, detail=detail)
    there = (kit / "Package.swift").is_file()
    yield Check(
        group="content",
        name="EmotionKit",
        state="OK" if there else "FAIL",
        detail=str(kit) if there else f"there is no Package.swift in {kit}",
    )


def _warnings(present: Mapping[str, str | None]) -> Iterator[str]:
    if versions.installed_version("packaging") is None:
        yield "packaging is not installed, so no versions were compared."
        return
    requirements = versions.own_requirements()
    if not requirements:
        yield f"pip did not install {versions.DISTRIBUTION}, so its version ranges are unknown."
    yield from versions.warnings(
        present, requirements=requirements, torch_wanted=versions.torchvision_needs()
    )
