"""What the stand-ins for Apple's frameworks declare: availability and isolation of their types."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from apple_platforms import NAMES, PACKAGE
from apple_sources import code_only

FOLDER = PACKAGE / "DevSupport" / "AppleStubs"
_NAMES = {"macCatalyst": "Mac Catalyst"}
_TYPE = re.compile(r"^(?P<before>.*?)\b(?:class|struct|enum|protocol|actor)\s+(?P<name>\w+)")
_LINE = re.compile(r"@available\((?P<inside>[^)]*)\)")
_VERSION = re.compile(r"(iOS|macOS|visionOS|macCatalyst)\s+(\d+(?:\.\d+)*)")
_MISSING = re.compile(r"(iOS|macOS|visionOS|macCatalyst), unavailable")


@dataclass(frozen=True)
class StandIn:
    """A type at the top of a file.

    Attributes:
        since: the systems that an attribute names, "-" for one that is unavailable; nothing where
            an ``#if`` around the type decides.
    """

    file: Path
    since: dict[str, str] | None
    isolation: str


def stand_ins() -> dict[tuple[str, str], StandIn]:
    """Return the types by framework and name."""
    found = {}
    for file in sorted(FOLDER.rglob("*.swift")):
        attributes = ""
        for line in code_only(file.read_text(encoding="utf-8")).splitlines():
            stripped = line.strip()
            declared = _TYPE.match(stripped) if _is_outermost(line) else None
            if declared and re.search(r"\b(public|open)\b", declared["before"]):
                stand_in = _stand_in(file, attributes + declared["before"])
                if line.startswith(" "):
                    stand_in = replace(stand_in, since=None)
                found[file.parent.name, declared["name"]] = stand_in
            # Attributes stand on lines of their own before a declaration.
            attributes = attributes + stripped + " " if stripped.startswith("@") else ""
    return found


def _is_outermost(line: str) -> bool:
    """At the margin, or one step in: a whole file may stand inside an `#if`."""
    return not line.startswith("    ")


def _stand_in(file: Path, attributes: str) -> StandIn:
    since: dict[str, str] = {}
    for found in _LINE.finditer(attributes):
        if "deprecated" in found["inside"]:
            continue
        since |= dict.fromkeys(_MISSING.findall(found["inside"]), "-")
        named = dict(_VERSION.findall(found["inside"]))
        if "iOS" in named and since.get("macCatalyst") != "-":
            named.setdefault("macCatalyst", named["iOS"])
        since |= {system: text for system, text in named.items() if since.get(system) != "-"}
    renamed = {_NAMES.get(system, system): version for system, version in since.items()}
    assert renamed.keys() <= set(NAMES)
    return StandIn(file, renamed, "main actor" if "@MainActor" in attributes else "")
