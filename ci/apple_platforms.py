"""The systems EmotionKit is built for: their names, least versions, and which modules they have."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "swift" / "EmotionKit"
SOURCES = PACKAGE / "Sources"

_ELSEWHERE = {"FoundationNetworking", "Glibc", "Musl", "Android"}


@dataclass(frozen=True)
class Platform:
    """One way to compile the package.

    Attributes:
        name: as in the table of symbols; a simulator shares its device's.
        os: what ``os(…)`` is true for.
        environment: what ``targetEnvironment(…)`` is true for, or nothing.
        triple: of the compiler, without the version.
        suffix: what stands after the version.
        folder: where the compiler looks for the modules of this system.
        missing: modules that cannot be imported.
    """

    name: str
    os: str
    environment: str
    triple: str
    suffix: str
    folder: str
    missing: frozenset[str]

    @property
    def title(self) -> str:
        return f"{self.name} simulator" if self.environment == "simulator" else self.name


PLATFORMS = (
    Platform("iOS", "iOS", "", "ios", "", "iphoneos", frozenset({"AppKit"})),
    Platform(
        "iOS", "iOS", "simulator", "ios", "-simulator", "iphonesimulator", frozenset({"AppKit"})
    ),
    Platform("macOS", "macOS", "", "macosx", "", "macosx", frozenset({"UIKit"})),
    Platform("Mac Catalyst", "iOS", "macCatalyst", "ios", "-macabi", "maccatalyst", frozenset()),
    Platform("visionOS", "visionOS", "", "xros", "", "xros", frozenset({"AppKit"})),
    Platform(
        "visionOS", "visionOS", "simulator", "xros", "-simulator", "xrsimulator",
        frozenset({"AppKit"}),
    ),
)  # fmt: skip

#: In the order of the table's columns.
NAMES = tuple(dict.fromkeys(platform.name for platform in PLATFORMS))

_MANIFEST_NAMES = {"iOS": "iOS", "macOS": "macOS", "Mac Catalyst": "macCatalyst",
                   "visionOS": "visionOS"}  # fmt: skip


@functools.cache
def floor() -> dict[str, str]:
    """Return the least version of each system, as the manifest declares them."""
    text = (PACKAGE / "Package.swift").read_text(encoding="utf-8")
    declared = dict(re.findall(r"\.(\w+)\(\.v(\d+(?:_\d+)?)\)", text))
    return {name: declared[_MANIFEST_NAMES[name]].replace("_", ".") for name in NAMES}


def importable(platform: Platform, module: str) -> bool:
    return module not in platform.missing | _ELSEWHERE
