"""Which versions are here, and which pairs of them are known to break."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: This project as pip knows it; its own requirements are the ranges that are tested.
DISTRIBUTION = "fer-toolchain"

#: Why a range ends where it ends.
_REASONS: Mapping[str, str] = {
    "numpy": "coremltools 9.0 fails under numpy 2.4 (apple/coremltools#2633)",
}

#: coremltools says so itself (``coremltools/_deps``); newer ones are our own trials.
_NEWEST_TESTED_TORCH: Mapping[str, str] = {"9.0": "2.7"}


def own_requirements() -> list[Requirement]:
    """Return what this project needs, without the extras; empty if pip did not install it."""
    from packaging.requirements import Requirement

    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    every = map(Requirement, declared)
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed_version(name: str) -> str | None:
    """Return a distribution's version, with the tag of its build where it tells, or None.

    ``2.7.1+cu126``: published wheels bear the tag only inside, and it is what decides
    whether the two fit.
    """
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
    return _tagged(name, version) if name in {"torch", "torchvision"} else version


def torchvision_needs() -> str | None:
    """Return the torch that the installed torchvision asks for, such as ``==2.7.1``."""
    from packaging.requirements import Requirement

    try:
        declared = map(Requirement, metadata.requires("torchvision") or [])
    except metadata.PackageNotFoundError:
        return None
    return next((str(one.specifier) for one in declared if one.name == "torch"), None)


def warnings(
    versions: Mapping[str, str | None],
    *,
    requirements: list[Requirement],
    torch_wanted: str | None,
    python: str | None = None,
) -> Iterator[str]:
    """Yield one sentence per version that is out of its range and per pair that does not fit.

    Args:
        versions: by distribution; None where it is absent, which is no matter of versions.
        torch_wanted: `torchvision_needs`.
        python: this interpreter's version if not given.
    """
    here = {name: version for name, version in versions.items() if version is not None}
    yield from _out_of_range(here, requirements)
    if "torch" in here and "torchvision" in here:
        yield from _mismatched(here["torch"], here["torchvision"], torch_wanted)
    if "torch" in here and "coremltools" in here:
        yield from _untested(here["torch"], here["coremltools"])
    yield from _wrong_python(python or platform.python_version())


def _out_of_range(here: Mapping[str, str], requirements: list[Requirement]) -> Iterator[str]:
    for one in requirements:
        version = here.get(one.name)
        if version is None or one.specifier.contains(version, prereleases=True):
            continue
        reason = f": {_REASONS[one.name]}" if one.name in _REASONS else ""
        yield f"{one.name} {version} is not in the tested range {one.specifier}{reason}."


def _mismatched(torch: str, torchvision: str, wanted: str | None) -> Iterator[str]:
    """torchvision's binaries fit one torch only: its version, and the device it was built for."""
    from packaging.specifiers import SpecifierSet

    pair = f"torch {torch} and torchvision {torchvision}"
    if wanted is not None and not SpecifierSet(wanted).contains(torch, prereleases=True):
        yield (
            f"{pair} do not fit: this torchvision needs torch{wanted}. Its import or its "
            "operations fail; install both together."
        )
    tags = [version.partition("+")[2] for version in (torch, torchvision)]
    if all(tags) and tags[0] != tags[1]:
        yield (
            f"{pair} are built for different devices: import torchvision fails "
            "(operator torchvision::nms does not exist). Install both from the same index."
        )


def _untested(torch: str, coremltools: str) -> Iterator[str]:
    from packaging.version import Version

    newest = _NEWEST_TESTED_TORCH.get(coremltools)
    if newest is not None and Version(torch).release[:2] > Version(newest).release:
        yield (
            f"torch {torch} is newer than the {newest} that coremltools {coremltools} was tested "
            "with: a conversion may be refused; parity judges those that are not."
        )


def _wrong_python(python: str) -> Iterator[str]:
    from packaging.specifiers import SpecifierSet

    try:
        wanted = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    except (metadata.PackageNotFoundError, KeyError):
        return
    if not SpecifierSet(wanted).contains(python, prereleases=True):
        yield (
            f"Python {python} is not in the tested range {wanted}: coremltools has no binaries "
            "for others."
        )


def _tagged(name: str, version: str) -> str:
    # Read, not imported: importing torchvision is what may fail.
    try:
        spec = PathFinder.find_spec(name)
        text = Path(str(spec and spec.origin)).with_name("version.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return version
    found = re.search(r"""^__version__ = ['"]([^'"\s]+)['"]""", text, flags=re.MULTILINE)
    if found is None or found[1].partition("+")[0] != version.partition("+")[0]:
        return version
    return found[1]
