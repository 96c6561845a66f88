"""Commit a written package into a Git repository of its own, and tag it: Xcode can then add it.

Everything happens in the new folder before it takes its place, so that what fails leaves the former
package and its history as they were. Nothing is ever pushed, and no file passes through a filter:
SwiftPM cannot check out what Git LFS keeps elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_convert.bundled import MODELS
from fer_train.contract.errors import CannotWrite, InstallationBroken, OutputExists
from fer_train.contract.files import tree_files

#: What SwiftPM resolves: three numbers, perhaps with a name for what comes before the release.
TAG = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")

#: What Git sets for hooks, and what would lead it to another repository.
_FOREIGN = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The commit that a package is at.

    Attributes:
        commit: its full name.
        changed: False if the folder was at this commit already, with the same content.
    """

    commit: str
    tag: str
    changed: bool


def check_repository(out: Path) -> None:
    """Refuse, before any work, a folder whose repository would lose something.

    Raises:
        InstallationBroken: there is no Git on PATH.
        OutputExists: the repository in ``out`` has changes that are in no commit, or ``out``
            belongs to the repository of a folder above it.
    """
    if shutil.which("git") is None:
        raise InstallationBroken(
            "--git needs Git; none is on PATH.",
            hint="Install it (git-scm.com; on a Mac it comes with Xcode), or leave --git out.",
        )
    if not out.is_dir():
        return
    if (out / ".git").exists():
        if changes := _git(out, "status", "--porcelain").splitlines():
            others = f" and {len(changes) - 1} more" if changes[1:] else ""
            raise OutputExists(
                f"The repository in {out} has changes that are in no commit: {changes[0][3:]}"
                f"{others}.",
                hint=f"Commit them, or put them aside: git -C {out} stash -u",
            )
    elif _succeeds(out, "rev-parse", "-q", "--git-dir") and _git(out, "ls-files"):
        raise OutputExists(
            f"{out} belongs to the repository of a folder above it; a package that Xcode adds by "
            "its address has one of its own.",
            hint="Choose an --out elsewhere, or leave --git out and commit there yourself.",
        )


def begin(package: Path, *, out: Path, tag: str) -> None:
    """Give a package its repository, if it has none, and see that a commit will be possible.

    Args:
        package: the new folder; it has the repository of the former package, if there was one.
        out: what the folder will be called, for messages.

    Raises:
        InstallationBroken: Git does not know who commits.
    """
    if not (package / ".git").exists():
        _git(package, "init", "-q")
    for who in ("AUTHOR", "COMMITTER"):
        # Without this Git makes up an address from the name of the machine.
        if not _succeeds(package, "-c", "user.useConfigOnly=true", "var", f"GIT_{who}_IDENT"):
            raise InstallationBroken(
                f"Git does not know who commits {out} as {tag}: user.name or user.email is "
                "not set.",
                hint='git config --global user.name "Your Name" && '
                "git config --global user.email you@your.domain",
            )


def commit(package: Path, *, out: Path, tag: str, message: str) -> Committed:
    """Commit everything in a package and tag it.

    Raises:
        OutputExists: the tag is that of another content.
        CannotWrite: Git refuses, or would not store the model as it is.
    """
    # By force: whatever a user's own rules ignore elsewhere, here is only what belongs.
    _git(package, "add", "-A", "-f", ".")
    _check_stored(package)
    tagged = _succeeds(package, "rev-parse", "-q", "--verify", f"refs/tags/{tag}")
    if tagged:
        if not _succeeds(package, "diff", "--cached", "--quiet", f"refs/tags/{tag}"):
            raise OutputExists(
                f"The repository in {out} has a tag {tag} already, and what it names is another "
                "content. A tag that others may have fetched is not moved.",
                hint=f"Give it the next version: --tag {_next(package)}",
            )
        name = _git(package, "rev-parse", f"refs/tags/{tag}^{{commit}}")
        return Committed(commit=name, tag=tag, changed=False)
    if _git(package, "status", "--porcelain"):
        _git(package, "commit", "-q", "-m", message)
    _git(package, "tag", "-a", "-m", message, tag)
    return Committed(commit=_git(package, "rev-parse", "HEAD"), tag=tag, changed=True)


def _check_stored(package: Path) -> None:
    """Raise `CannotWrite` if Git holds something else than the model's own bytes (Git LFS)."""
    files = [file.relative_to(package).as_posix() for file in tree_files(package / MODELS)]
    stored = {}
    for line in _git(package, "ls-files", "-s", "-z", MODELS.as_posix()).split("\0"):
        about, _, path = line.partition("\t")
        if path:
            stored[path] = about.split()[1]
    bytes_ = _git(package, "hash-object", "--no-filters", "--", *files).splitlines()
    for file, expected in zip(files, bytes_, strict=True):
        if stored.get(file) != expected:
            raise CannotWrite(
                f"Git would not store {file} as it is: a filter of yours (Git LFS?) changes it, "
                "and SwiftPM could not check it out.",
                hint="Take the filter out of .git/info/attributes, or leave --git out.",
            )


def _next(package: Path) -> str:
    """Return the version after the highest one that the repository has a tag for."""
    found = [TAG.fullmatch(tag) for tag in _git(package, "tag").splitlines()]
    versions = [tuple(map(int, match.groups()[:3])) for match in found if match]
    major, minor, patch = max(versions, default=(1, 0, -1))
    return f"{major}.{minor}.{patch + 1}"


def _git(folder: Path, *arguments: str) -> str:
    ran = _run(folder, arguments)
    if ran.returncode != 0:
        said = (ran.stderr.strip() or ran.stdout.strip() or "nothing was said").splitlines()
        raise CannotWrite(
            f"`git {arguments[0]}` ends with exit code {ran.returncode}: {said[0]}",
            hint="\n  ".join(said[1:8]) or None,
        )
    return ran.stdout.strip("\n")


def _succeeds(folder: Path, *arguments: str) -> bool:
    return _run(folder, arguments).returncode == 0


def _run(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
